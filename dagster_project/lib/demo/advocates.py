"""Persons planted for what they say of the shop, and for whom they bring or claim to bring.

Each story has its persons with their facts, `what@when:size` as in `cast`, but that a day counts
back from the last one of the history: who buys in the last three weeks is active, who has not for
300 days is inactive, whatever the thresholds. Then come the referrals: `one>two@380:12` is sent 380
days ago at 12 o'clock. The shop knows `two` by the account, `two~` by e-mail alone, of `?` an
address that never came and of `-` nothing; behind it stands why it is rejected. Last comes what
must follow for a person: tier, quadrant and score.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from dagster_project.lib.demo.cast import FIRST_PERSON, Fact, Planted
from dagster_project.lib.demo.world import World

FIRST_ADVOCATE = FIRST_PERSON + 20_000_000  # their accounts are C820000000 and so on
DEPTH = 20  # of the long chain
WORDS = {"share", "photo", "answer", "case_study"}  # facts that are events of the same kind

STORIES = """
says nothing
    one account@400 order@390
    one lurker neither 0
gives four stars
    one account@400 order@390 rating@380:4
    one liker advocate_not_buying 1
gives three stars
    one account@400 order@390 rating@380:3
    one lurker neither 0
gives two stars, then four
    one account@400 order@390 rating@380:2 rating@370:4
    one liker advocate_not_buying 0
gives one star
    one account@400 order@390 rating@380:1
    one lurker neither -1
is satisfied, which is no word for the shop
    one account@400 order@390 satisfied@380:5
    one lurker neither 0
shares a product
    one account@400 share@390
    one liker advocate_not_buying 1
answers another customer
    one account@400 answer@390
    one liker advocate_not_buying 2
shows what was bought
    one account@400 order@390 photo@380
    one lover advocate_not_buying 3
stands for the shop in a case study
    one account@400 order@390 case_study@380
    one lover advocate_not_buying 5
has a score of six
    one account@400 order@390 recommend@380:9 answer@370 answer@360
    one lover advocate_not_buying 6
has a score of five
    one account@400 order@390 recommend@380:10 answer@370 share@360
    one liker advocate_not_buying 5
had a score of six and lost two
    one account@400 order@390 recommend@380:9 answer@370 answer@360 recommend@350:6
    one liker neither 4
has one review on two orders, which counts once
    one account@400 order@395 order@390 recommend@380:9 answer@370 twice@365:5
    one liker advocate_not_buying 5
would perhaps recommend, a passive
    one account@400 order@390 recommend@380:8
    one lurker neither 0
is a passive at the lower border
    one account@400 order@390 recommend@380:7
    one lurker neither 0
is a detractor at the upper border
    one account@400 order@390 recommend@380:6
    one lurker neither -2
detracts after praise
    one account@400 order@390 recommend@380:10 recommend@370:0
    one liker neither 0
praises after detraction
    one account@400 order@390 recommend@380:3 recommend@370:9
    one liker advocate_not_buying 0
loves the shop, then detracts
    one account@400 order@390 photo@380 recommend@370:0
    one lover neither 1
is a passive after detraction
    one account@400 order@390 recommend@380:3 recommend@370:7
    one lurker neither -2
praises, detracts, is a passive at last
    one account@400 order@390 recommend@380:10 recommend@370:2 recommend@360:8
    one liker advocate_not_buying 0
is loyal and silent
    one account@400 order@60 order@40 order@15
    one lurker locked_in 0
is loyal and gives five stars
    one account@400 order@60 order@40 order@15 rating@10:5
    one liker loyal_advocate 1
is loyal and stands for the shop
    one account@400 order@60 order@40 order@15 case_study@5
    one lover loyal_advocate 5
is loyal and gives one star
    one account@400 order@60 order@40 order@15 rating@5:1
    one lurker locked_in -1
is loyal, praises, then detracts
    one account@400 order@60 order@40 order@18 recommend@38:9 rating@15:5 recommend@10:6
    one liker locked_in 1
is loyal, loves the shop, then detracts
    one account@400 order@60 order@40 order@18 photo@38 recommend@10:4
    one lover locked_in 1
is loyal, detracts, then praises
    one account@400 order@60 order@40 order@18 recommend@38:0 recommend@10:9
    one liker loyal_advocate 0
bought three times and has long been silent
    one account@400 order@390 order@380 order@370
    one lurker neither 0
bought three times, praised, and has long been silent
    one account@400 order@390 order@380 order@370 rating@365:5
    one liker advocate_not_buying 1
bought twice of late
    one account@400 order@30 order@10
    one lurker neither 0
ordered three times of late, on two days
    one account@400 order@30 order@10:5 order@10:6 rating@5:4
    one liker advocate_not_buying 1
brings a friend who buys
    one account@400; two account@389 order@380
    one>two@390
    one lover advocate_not_buying 7
brings a friend who does not buy
    one account@400; two account@389
    one>two@390
    one liker advocate_not_buying 2; two lurker neither 0
is loyal and brings a friend who buys
    one account@400 order@60 order@40 order@15; two account@29 order@20
    one>two@30
    one lover loyal_advocate 7
invites somebody who never came, and whoever follows a link
    one account@400
    one>?@390; one>-@380
    one liker advocate_not_buying 4
invites three who never came
    one account@400
    one>?@390; one>?@380; one>?@370
    one lover advocate_not_buying 6
brings a friend known by e-mail who opens an account
    one account@400; two account@370 order@360
    one>two~@380
    one lover advocate_not_buying 7
brings a friend who buys as a guest
    one account@400; two order@370
    one>two~@380
    one lover advocate_not_buying 7
brings a guest who buys on the day of the referral
    one account@400; two order@380
    one>two~@380
    one lover advocate_not_buying 7
refers a guest who had bought the day before
    one account@400; two order@381 account@370
    one>two~@380 already a customer
    one lurker neither 0
refers a friend who had registered the day before, and who brings one more
    one account@400; two account@381; three account@370 order@360
    one>two@380 already a customer; two>three@375
    one lurker neither 0; two lover advocate_not_buying 7
refers the same friend again
    one account@400; two account@370 order@360
    one>two@375 repeated; one>two@380; one>two@365 already a customer
    one lover advocate_not_buying 7
comes second to refer a friend
    one account@400; two account@400; three account@370 order@360
    one>three@375 second referrer; two>three@380
    one lurker neither 0; two lover advocate_not_buying 7
refers a friend on the day before registering
    one account@374; two account@400; three account@370 order@360
    one>three@375 referrer not registered yet; two>three@372
    one lurker neither 0; two lover advocate_not_buying 7
refers herself
    one account@400 order@390
    one>one@395 self-referral
    one lurker neither 0
a cycle of two within one day
    one account@380; two account@380 order@370
    two>one@380:16 cycle; one>two@380:15
    one lover advocate_not_buying 7; two lurker neither 0
a cycle of three within one day
    one account@380; two account@380; three account@380
    one>two@380:15; three>one@380:17 cycle; two>three@380:16
    one liker advocate_not_buying 2; three lurker neither 0
a cycle that the last referral closes, sent to a customer
    one account@390; two account@380; three account@370
    one>two@385; two>three@375; three>one@365 cycle
    one liker advocate_not_buying 2; three lurker neither 0
a cycle whose first referral was sent to a customer
    one account@390; two account@380; three account@380
    three>one@380:15 cycle; one>two@380:16; two>three@380:17
    one liker advocate_not_buying 2; three lurker neither 0
"""


@dataclass(frozen=True)
class Invitation:
    """`friend` is None for somebody who never came; `reason` is empty where it is valid."""

    inviter: int
    friend: int | None
    is_known_by_account: bool
    is_known_by_email: bool
    day: date
    hour: int
    reason: str


@dataclass(frozen=True)
class Outcome:
    person: int
    story: str
    tier: str
    quadrant: str
    score: int


class Advocates:
    """The planted persons, invitations, and what must follow."""

    def __init__(self, world: World) -> None:
        self.last_day = world.last_day
        self.persons: list[Planted] = []
        self.invitations: list[Invitation] = []
        self.outcomes: list[Outcome] = []
        for text in [*re.split(r"\n(?=\S)", STORIES.strip()), _chain()]:
            story, persons, *invitations, outcomes = (line.strip() for line in text.split("\n"))
            self._tell(story, persons, "".join(invitations), outcomes)

    def _tell(self, story: str, persons: str, invitations: str, outcomes: str) -> None:
        numbers: dict[str, int] = {}
        for person in persons.split("; "):
            name, *words = person.split()
            numbers[name] = FIRST_ADVOCATE + len(self.persons)
            facts = sorted((self._fact(word) for word in words), key=lambda fact: fact.day)
            self.persons.append(Planted(numbers[name], story, facts, []))
        for invitation in filter(None, invitations.split("; ")):
            what, _, reason = invitation.partition(" ")
            way, when, hour = [*re.split("[@:]", what), "15"][:3]
            inviter, _, friend = way.partition(">")
            self.invitations.append(
                Invitation(
                    numbers[inviter],
                    numbers.get(friend.rstrip("~")),
                    friend in numbers,
                    friend[-1] in "~?",
                    self._day(when),
                    int(hour),
                    reason,
                )
            )
        for outcome in outcomes.split("; "):
            name, tier, quadrant, score = outcome.split()
            self.outcomes.append(Outcome(numbers[name], story, tier, quadrant, int(score)))

    def _day(self, ago: str) -> date:
        return self.last_day - timedelta(days=int(ago))

    def _fact(self, word: str) -> Fact:
        what, when, size = [*re.split("[@:]", word), ""][:3]
        return Fact(what, self._day(when), float(size) if size else None)

    def generations(self) -> dict[int, int]:
        """How many valid referrals lie behind each person who was referred."""
        valid = {i.friend: i.inviter for i in self.invitations if i.friend and not i.reason}

        def generation(person: int) -> int:
            return 1 + generation(valid[person]) if person in valid else 0

        return {friend: generation(friend) for friend in valid if friend}


def _chain() -> str:
    """Everybody brings the next one; two of three buy."""
    days = [400 - 5 * n for n in range(DEPTH + 1)]
    orders = [f" order@{day - 1}" if n % 3 else "" for n, day in enumerate(days)]
    persons = [f"p{n} account@{day}{orders[n]}" for n, day in enumerate(days)]
    invitations = [f"p{n}>p{n + 1}@{day - 3}" for n, day in enumerate(days[:-1])]
    outcomes = (
        f"p0 lover advocate_not_buying 7; p2 liker advocate_not_buying 2; p{DEPTH} lurker neither 0"
    )
    return "\n".join((f"a chain of {DEPTH}", "; ".join(persons), "; ".join(invitations), outcomes))

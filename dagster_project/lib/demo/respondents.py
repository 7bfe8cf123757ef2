"""Persons planted for what they say of themselves and what they then do.

Each has a line of facts, `what@when:word`, a day counting back from the last one of the history as
in `advocates`: `order` of a category, `touch` by a channel's campaign, or an answer about an
attribute. `420..300/40` is every fortieth day. Then come the preferences that must follow, `value
source` by attribute, and the questions: reason, attribute, what is usual, what was observed, when
it is raised, and `open` or why and when it is closed. `-` stands for none. Questions need to know
what is rare among those who buy menswear, so that ten regulars buy nothing else; whoever surprises
does so with a category of his own. They spend what others do, 20 to 80 EUR, so that no model of the
shop's purchases takes them for another kind of customer.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from dagster_project.lib.demo.cast import FIRST_PERSON, Fact, Planted
from dagster_project.lib.demo.world import World

FIRST_RESPONDENT = FIRST_PERSON + 30_000_000  # their accounts are C830000000 and so on
REGULARS = 10
ACCOUNT_OPENED = 430  # days ago
MENSWEAR, WOMENSWEAR = "menswear", "womenswear"  # bought by planted persons alone
QUESTIONS = {"surprise": "purchase_outside_profile", "contradiction": "answer_contradicted"}

STORIES = """
has bought a dress and nothing else
    order@425:womenswear
    -
    -
buys menswear, lately a dress
    order@420..300/40:menswear order@30:womenswear
    interest menswear observed
    surprise interest menswear womenswear 30 open
bought a dress half a year ago
    order@420..300/40:menswear order@150:womenswear
    interest menswear observed
    surprise interest menswear womenswear 150 expired@90
buys the unusual again
    order@420..300/40:menswear order@110:toys order@80:toys
    interest menswear observed
    surprise interest menswear toys 110 bought_again@80
answers when asked
    order@420..300/40:menswear order@105:tea interest@95:menswear
    interest menswear stated
    surprise interest menswear tea 105 answered@95
answers something else
    order@420..300/40:menswear order@50:books motive@45:gifts
    interest menswear observed; motive gifts stated
    surprise interest menswear books 50 open
goes back to the usual
    order@420..300/40:menswear order@40:outdoor order@20:menswear
    interest menswear observed
    surprise interest menswear outdoor 40 open
surprises twice, the second time with four of five
    order@420..300/40:menswear order@100:coffee order@58:garden
    interest menswear observed
    surprise interest menswear coffee 100 superseded@58; surprise interest menswear garden 58 open
has three purchases, which are no profile
    order@420..340/40:menswear order@90:kitchen
    interest menswear observed
    -
has a profile of 89 days
    order@390..330/30:menswear order@301:menswear order@90:kitchen
    interest menswear observed
    -
has a profile of 90 days
    order@390..300/30:menswear order@88:lighting
    interest menswear observed
    surprise interest menswear lighting 88 expired@28
buys the usual three times of four
    order@420:menswear order@380:menswear order@340:books order@300:menswear order@85:cosmetics
    interest menswear observed
    -
had bought the unusual long before
    order@425:stationery order@420..260/40:menswear order@82:stationery
    interest menswear observed
    -
buys the unusual with the usual
    order@420..300/40:menswear order@78:menswear order@78:linen
    interest menswear observed
    -
says womenswear and buys menswear
    interest@290:womenswear order@280..240/20:menswear
    interest womenswear stated
    contradiction interest womenswear menswear 240 expired@180
says womenswear and buys it late
    interest@120:womenswear order@110..90/10:menswear order@70:womenswear
    interest womenswear stated
    contradiction interest womenswear menswear 90 acted_as_answered@70
says womenswear and buys it second
    interest@120:womenswear order@110:menswear order@100:womenswear order@90..80/10:menswear
    interest womenswear stated
    -
says womenswear, then menswear, before the third purchase
    interest@120:womenswear order@110..90/10:menswear interest@95:menswear
    interest menswear stated
    -
says what nobody buys
    interest@120:gliding order@110..90/10:menswear
    interest gliding stated
    -
contradicts an answer by a surprise
    order@420..300/40:menswear interest@50:toys order@45..42/3:menswear order@38:textiles
    interest toys stated
    surprise interest menswear textiles 38 open
wants e-mail and comes by social media
    channel@100:email touch@50..40/5:social
    channel email stated
    contradiction channel email social 40 open
wants e-mail, comes by social media, then by e-mail
    channel@100:email touch@95..85/5:social touch@75:email
    channel email stated
    contradiction channel email social 85 acted_as_answered@75
wants letters and comes by social media
    channel@100:post touch@95..85/5:social
    channel post stated
    -
says nothing and comes by social media
    touch@50:email touch@45:social touch@40:social
    channel social observed
    -
says nothing and buys books, then toys
    order@200:books order@190:toys order@180:books order@170:toys
    interest toys observed
    -
buys once
    order@200:books
    -
    -
changes the answer
    motive@200:price motive@100:quality persona@200:planner
    motive quality stated; persona planner stated
    -
says one thing and has bought another
    order@190:books order@180:books interest@100:tea
    interest tea stated
    -
"""


@dataclass(frozen=True)
class Preference:
    person: int
    story: str
    attribute: str
    value: str
    source: str


@dataclass(frozen=True)
class Question:
    """`closed` is None while it is open."""

    person: int
    story: str
    question: str
    attribute: str
    usual: str
    observed: str
    raised: date
    closed: date | None
    closed_because: str | None


class Respondents:
    """The planted persons, what is to be known of them, and what to be asked."""

    def __init__(self, world: World) -> None:
        self.last_day = world.last_day
        self.persons: list[Planted] = []
        self.preferences: list[Preference] = []
        self.questions: list[Question] = []
        for text in [*map(_regular, range(REGULARS)), *re.split(r"\n(?=\S)", STORIES.strip())]:
            self._tell(*(line.strip() for line in text.split("\n")))

    def _tell(self, story: str, facts: str, preferences: str, questions: str) -> None:
        person = FIRST_RESPONDENT + len(self.persons)
        told = [fact for word in facts.split() for fact in self._facts(word)]
        told.append(Fact("account", self._day(ACCOUNT_OPENED), None))
        told.sort(key=lambda fact: fact.day)
        self.persons.append(Planted(person, story, told, []))
        for preference in _listed(preferences):
            self.preferences.append(Preference(person, story, *preference.split()))
        for question in _listed(questions):
            reason, attribute, usual, observed, raised, status = question.split()
            because, _, ago = status.partition("@")
            self.questions.append(
                Question(
                    person,
                    story,
                    QUESTIONS[reason],
                    attribute,
                    usual,
                    observed,
                    self._day(int(raised)),
                    self._day(int(ago)) if ago else None,
                    because if ago else None,
                )
            )

    def _day(self, ago: int) -> date:
        return self.last_day - timedelta(days=ago)

    def _facts(self, text: str) -> list[Fact]:
        what, when, word = re.split("[@:]", text)
        first, _, rest = when.partition("..")
        last, _, every = rest.partition("/")
        days = range(int(first), int(last or first) - 1, -int(every or 1))
        return [Fact(what, self._day(ago), 20 + 9 * ago % 61, word) for ago in days]


def _listed(text: str) -> list[str]:
    return [] if text == "-" else text.split("; ")


def _regular(number: int) -> str:
    first = 421 - 2 * number
    facts = f"order@{first}..28/28:{MENSWEAR}"
    return "\n".join(("buys menswear every month", facts, "interest menswear observed", "-"))

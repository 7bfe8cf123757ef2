"""Persons planted into the shop: one for every state and every transition of the lifecycle.

Each is a line of facts and a line of what must follow from them. A fact is `what@when`, `:` its
size: `order@10:3` is an order of 3 EUR on day 10. A day counts from the cast's first day, `2m+4`
from its second month; `1..29/7` is every seventh day of a range. What follows is
`when stage/segment reason`; `R10` and `I10` are the days on which a silence since the purchase of
day 10 passes the lower and the upper lapse threshold. Thresholds and ranks are estimated from the
whole shop, so silences are either under three weeks, or far beyond any threshold, or begin in the
first year, for which the settings hold; heroes buy for many times what others do. A cart counts as
abandoned from the day after it for 30 days more.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from dagster_project.lib.demo.world import World

FIRST_PERSON = 799_999_999  # their accounts are C800000000 and so on
BURST = 20  # EUR; who spends more at once, on no category named, also visits often

PERSONS = """
buys once, never returns
    account@0 order@10
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive
account and first order on one day
    account@10 order@10
    10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive
third purchase within a month, comes back after half a year and stays
    account@0 order@5 order@20 order@35 order@260..340/20
    0 onboarding/prospect account; 5 retention/new first_purchase; 35 loyalty/new third_purchase;
    36 loyalty/active new_over; R35 loyalty/at_risk silent_at_risk;
    I35 loyalty/inactive silent_inactive; 260 loyalty/won_back came_back;
    351 loyalty/active came_back_over; R340 loyalty/at_risk silent_at_risk;
    I340 loyalty/inactive silent_inactive
comes back once
    account@0 order@10 order@220
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive;
    220 retention/won_back came_back; R220 retention/at_risk silent_at_risk;
    I220 retention/inactive silent_inactive
buys again while at risk
    account@0 order@10 order@130
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; 130 retention/active bought_again;
    R130 retention/at_risk silent_at_risk; I130 retention/inactive silent_inactive
comes back to become a hero
    account@0 order@3 order@7m+2..7m+11/1:200
    0 onboarding/prospect account; 3 retention/new first_purchase; 34 retention/active new_over;
    R3 retention/at_risk silent_at_risk; I3 retention/inactive silent_inactive;
    7m+2 retention/won_back came_back; 7m+3 loyalty/won_back third_purchase;
    8m loyalty/hero top_5; R7m+11 loyalty/at_risk silent_at_risk;
    I7m+11 loyalty/inactive silent_inactive
a new hero for a year, then small purchases
    account@1m order@1m+2..1m+11/1:200 order@2m+3..2m+395/14:1
    1m onboarding/prospect account; 1m+2 retention/new first_purchase;
    1m+4 loyalty/new third_purchase; 2m loyalty/hero top_5; 14m loyalty/active top_5_over;
    R2m+395 loyalty/at_risk silent_at_risk; I2m+395 loyalty/inactive silent_inactive
from loyal to hero
    account@0 order@2 order@20 order@38 order@2m+2..2m+11/1:200
    0 onboarding/prospect account; 2 retention/new first_purchase; 33 retention/active new_over;
    38 loyalty/active third_purchase; 3m loyalty/hero top_5; R2m+11 loyalty/at_risk silent_at_risk;
    I2m+11 loyalty/inactive silent_inactive
a hero who falls silent twice
    account@3m order@3m+2..3m+11/1:200 order@3m+131 order@3m+331 order@3m+345..3m+429/14:1
    3m onboarding/prospect account; 3m+2 retention/new first_purchase;
    3m+4 loyalty/new third_purchase; 4m loyalty/hero top_5;
    R3m+11 loyalty/at_risk silent_at_risk; 3m+131 loyalty/hero bought_again;
    R3m+131 loyalty/at_risk silent_at_risk; I3m+131 loyalty/inactive silent_inactive;
    3m+331 loyalty/hero bought_again; 16m loyalty/won_back top_5_over;
    3m+422 loyalty/active came_back_over; R3m+429 loyalty/at_risk silent_at_risk;
    I3m+429 loyalty/inactive silent_inactive
a hero disappointed and reconciled
    account@4m order@4m+2..4m+11/1:200 rating@5m+5:1 rating@5m+15:5
    4m onboarding/prospect account; 4m+2 retention/new first_purchase;
    4m+4 loyalty/new third_purchase; 5m loyalty/hero top_5; 5m+5 loyalty/negative_experience rating;
    5m+15 loyalty/hero good_followed; R4m+11 loyalty/at_risk silent_at_risk;
    I4m+11 loyalty/inactive silent_inactive
a hero after two purchases, then disappointed
    account@0 order@5:600 order@9:600 visit@10..25/1 rating@1m+10:1
    0 onboarding/prospect account; 5 retention/new first_purchase; 1m retention/hero top_5;
    1m+10 retention/negative_experience rating; 1m+101 retention/at_risk bad_over;
    I9 retention/inactive silent_inactive
disappointed while at risk
    account@0 order@10 rating@150:2
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; 150 retention/negative_experience rating;
    241 retention/inactive bad_over
disappointed while inactive, then helped
    account@0 order@10 ticket@230:1 ticket@250:5
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive;
    230 retention/negative_experience support_satisfaction; 250 retention/inactive good_followed
comes back in spite of a bad experience
    account@0 order@10 recommend@215:3 order@225 recommend@240:10
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive;
    215 retention/negative_experience promoter_score; 240 retention/won_back good_followed;
    R225 retention/at_risk silent_at_risk; I225 retention/inactive silent_inactive
comes back and gets nothing
    account@0 order@10 order@215 lost@215
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive;
    215 retention/won_back came_back; 222 retention/negative_experience late_delivery;
    313 retention/at_risk bad_over; I215 retention/inactive silent_inactive
a bad first purchase made good at once
    account@0 order@10 rating@15:2 rating@25:5
    0 onboarding/prospect account; 10 retention/new first_purchase;
    15 retention/negative_experience rating; 25 retention/new good_followed;
    41 retention/active new_over; R10 retention/at_risk silent_at_risk;
    I10 retention/inactive silent_inactive
disappointed later, made good
    account@0 order@10 rating@45:1 rating@55:4
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    45 retention/negative_experience rating; 55 retention/active good_followed;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive
a faulty product
    account@0 order@10 defect@20
    0 onboarding/prospect account; 10 retention/new first_purchase;
    20 retention/negative_experience defect; 111 retention/at_risk bad_over;
    I10 retention/inactive silent_inactive
a late parcel among many purchases
    account@0 order@5..131/14 late@33
    0 onboarding/prospect account; 5 retention/new first_purchase; 33 loyalty/new third_purchase;
    36 loyalty/active new_over; 40 loyalty/negative_experience late_delivery;
    131 loyalty/active bad_over; R131 loyalty/at_risk silent_at_risk;
    I131 loyalty/inactive silent_inactive
three days late and three stars are not bad
    account@0 order@10 delayed@10 rating@18:3 recommend@19:7
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive
good before bad helps nothing
    account@0 order@10 rating@12:5 recommend@16:6
    0 onboarding/prospect account; 10 retention/new first_purchase;
    16 retention/negative_experience promoter_score; 107 retention/at_risk bad_over;
    I10 retention/inactive silent_inactive
asks and is not helped
    account@0 ticket@5:1
    0 onboarding/prospect account; 5 onboarding/negative_experience support_satisfaction;
    96 onboarding/prospect bad_over
complains on the first day
    account@0 ticket@0:2
    0 onboarding/negative_experience support_satisfaction; 91 onboarding/prospect bad_over
not satisfied, then satisfied
    account@0 satisfied@5:2 satisfied@15:4
    0 onboarding/prospect account; 5 onboarding/negative_experience satisfaction;
    15 onboarding/prospect good_followed
buys in spite of a bad experience
    account@0 ticket@5:2 order@20
    0 onboarding/prospect account; 5 onboarding/negative_experience support_satisfaction;
    20 retention/negative_experience first_purchase; 96 retention/at_risk bad_over;
    I20 retention/inactive silent_inactive
leaves a cart
    account@0 cart@10
    0 onboarding/prospect account; 11 onboarding/cart_abandoner cart_abandoned;
    42 onboarding/prospect cart_over
leaves a cart and buys later
    account@0 cart@10 order@20
    0 onboarding/prospect account; 11 onboarding/cart_abandoner cart_abandoned;
    20 retention/new first_purchase; 51 retention/active new_over;
    R20 retention/at_risk silent_at_risk; I20 retention/inactive silent_inactive
leaves a cart, complains, is helped
    account@0 cart@10 ticket@15:1 ticket@20:5
    0 onboarding/prospect account; 11 onboarding/cart_abandoner cart_abandoned;
    15 onboarding/negative_experience support_satisfaction;
    20 onboarding/cart_abandoner good_followed; 42 onboarding/prospect cart_over
buys what was in the cart an hour later
    account@0 cart@10 order@10
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive
leaves a cart as a customer
    account@0 order@10 cart@50
    0 onboarding/prospect account; 10 retention/new first_purchase; 41 retention/active new_over;
    R10 retention/at_risk silent_at_risk; I10 retention/inactive silent_inactive
known from visits before the account
    visit@0 account@20 order@30
    0 acquisition/prospect activity; 20 onboarding/prospect account;
    30 retention/new first_purchase; 61 retention/active new_over;
    R30 retention/at_risk silent_at_risk; I30 retention/inactive silent_inactive
leaves a cart before the account
    visit@0 cart@5 account@20
    0 acquisition/prospect activity; 6 acquisition/cart_abandoner cart_abandoned;
    20 onboarding/cart_abandoner account; 37 onboarding/prospect cart_over
from the first visits straight to an order
    visit@0 account@20 order@20
    0 acquisition/prospect activity; 20 retention/new first_purchase;
    51 retention/active new_over; R20 retention/at_risk silent_at_risk;
    I20 retention/inactive silent_inactive
"""


@dataclass(frozen=True)
class Fact:
    what: str
    day: date
    size: float | None
    word: str = ""  # the category, channel or answer that it names


@dataclass(frozen=True)
class Step:
    """A change: on `day`, or when a silence since `anchor` passes a threshold."""

    day: date | None
    anchor: date | None
    stage: str
    segment: str
    reason: str


@dataclass(frozen=True)
class Planted:
    person: int
    story: str
    facts: list[Fact]
    steps: list[Step]

    @property
    def orders(self) -> list[Fact]:
        return [fact for fact in self.facts if fact.what == "order"]


class Cast:
    """The planted persons; nobody, where the history is too short for one of them."""

    def __init__(self, world: World) -> None:
        first = world.first_day
        self.world = world
        self.first_month = first if first.day == 1 else _next_month(first)

    @cached_property
    def persons(self) -> list[Planted]:
        lines = re.split(r"\n(?=\S)", PERSONS.strip())
        parsed = [self._parse(FIRST_PERSON + i, text) for i, text in enumerate(lines)]
        last = max(person.facts[-1].day for person in parsed)
        return parsed if last < self.world.last_day else []

    def day(self, text: str) -> date:
        months, _, days = text.rpartition("m")
        start = self.first_month
        for _ in range(int(months or 0)):
            start = _next_month(start)
        return start + timedelta(days=int(days or 0))

    def _parse(self, person: int, text: str) -> Planted:
        story, facts, *steps = text.split("\n")
        return Planted(
            person,
            story,
            sorted(
                (fact for word in facts.split() for fact in self._facts(word)),
                key=lambda fact: fact.day,
            ),
            [self._step(*step.split()) for step in " ".join(steps).split(";")],
        )

    def _facts(self, word: str) -> list[Fact]:
        what, when, size = [*re.split("[@:]", word), ""][:3]
        first, _, rest = when.partition("..")
        last, _, every = rest.partition("/")
        begin, end = self.day(first), self.day(last or first)
        days = range(0, (end - begin).days + 1, int(every or 1))
        return [Fact(what, begin + timedelta(days=n), float(size) if size else None) for n in days]

    def _step(self, when: str, state: str, reason: str) -> Step:
        stage, segment = state.split("/")
        anchor = self.day(when[1:]) if when[0] in "RI" else None
        return Step(None if anchor else self.day(when), anchor, stage, segment, reason)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

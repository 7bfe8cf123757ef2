"""The simulation, one function per stage, for one chunk of customers.

Every stage has a random generator of its own, so that a further stage leaves the others unchanged.
Arrays of one length stand side by side in a dict; amounts are whole cents, moments UTC seconds,
days count from the first day of the history.
"""

import numpy as np

from dagster_project.lib.demo.world import (
    CATEGORIES,
    CHANNELS,
    COUNTRIES,
    HIGHEST_PRICE,
    HOUR_WEIGHTS,
    LOWEST_PRICE,
    TIERS,
    Array,
    World,
    channel_factors,
    labels,
    name_pools,
    shares,
)

Columns = dict[str, Array]
Random = np.random.Generator
ACCOUNT, GUEST, VISITOR = 0, 1, 2  # a visitor has an account and never buys
NOBODY = -1  # who ordered by phone or in the shop and left no trace
VALID = ""
INVALID = {"cancelled": 0.03, "unpaid": 0.015, "fraud": 0.004, "test": 0.003, "zero_value": 0.006}
STATES = {
    "cancelled": "canceled",
    "unpaid": "awaiting_payment",
    "fraud": "fraud_confirmed",
    "test": "test",
}


def pick(random: Random, candidates: Array, share: float) -> Array:
    """A share of the candidates, at least one if there is one."""
    count = min(len(candidates), max(1, round(share * len(candidates))))
    return np.sort(random.choice(candidates, count, replace=False))


def flag(random: Random, size: int, share: float) -> Array:
    """True for a share of `size` rows."""
    flags = np.zeros(size, dtype=bool)
    flags[pick(random, np.arange(size), share)] = True
    return flags


def blank(values: Array, where: Array) -> Array:
    """The values as objects, None where the mask says so."""
    filled = values.astype(object)
    filled[where] = None
    return filled


def draw(random: Random, names: Array, weights: Array, size: int) -> Array:
    return np.asarray(names[random.choice(len(names), size, p=weights / weights.sum())])


def draw_seconds(random: Random, size: int) -> Array:
    """Seconds of the day, most of them in the evening."""
    weights = np.array(HOUR_WEIGHTS) / sum(HOUR_WEIGHTS)
    return random.choice(24, size, p=weights) * 3600 + random.integers(0, 3600, size)


def customers(random: Random, world: World, first: int, size: int) -> Columns:
    """People `first` to `first + size` with their true parameters."""
    behaviour = world.behaviour
    kind = random.choice([ACCOUNT, GUEST, VISITOR], size, p=[0.84, 0.12, 0.04])
    channel = random.choice(len(CHANNELS), size, p=shares(CHANNELS))
    country = random.choice(len(COUNTRIES), size, p=shares(COUNTRIES))
    day = random.choice(world.days, size, p=world.arrival_weights)
    second = draw_seconds(random, size)
    lead = random.random(size) * np.where(random.random(size) < 0.7, 1800, 20 * 86400)
    registered = world.utc(day, second) - 60 - lead.astype(np.int64)
    again = registered + random.integers(86400, 200 * 86400, size)
    is_shared = np.isin(np.arange(size), pick(random, np.flatnonzero(kind == ACCOUNT), 0.01))
    spend_rate = random.gamma(behaviour.spend_q, 1 / behaviour.spend_gamma, size)
    given, family = name_pools()
    script = random.choice(6, size, p=[0.8, 0.08, 0.03, 0.03, 0.03, 0.03]) * 36
    return {
        "person": np.arange(first, first + size),
        "kind": kind,
        "channel": labels(CHANNELS)[channel],
        "country": labels(COUNTRIES)[country],
        "language": labels(row[1] for row in COUNTRIES.values())[country],
        "tax_percent": np.array([row[2] for row in COUNTRIES.values()])[country],
        "is_gbp": labels(COUNTRIES)[country] == "GB",
        "given_name": given[script + random.integers(0, 36, size)],
        "family_name": family[script + random.integers(0, 36, size)],
        "is_nameless": random.random(size) < 0.05,
        "host": draw(random, labels(("com", "org", "net")), np.array([2, 1, 1]), size),
        "newsletter": random.random(size) < 0.45,
        "home_category": random.integers(0, len(CATEGORIES), size),
        "is_discount_seeker": random.random(size) < 0.15,
        "orders_as_guest": (kind == ACCOUNT) & flag(random, size, 0.06),
        "purchase_rate": random.gamma(behaviour.rate_shape, 1 / behaviour.rate_scale_days, size)
        * channel_factors()[channel],
        "drop_out_chance": random.beta(behaviour.drop_out_a, behaviour.drop_out_b, size),
        "spend_rate": spend_rate,
        "mean_value": behaviour.spend_p / spend_rate,
        "first_day": day,
        "first_second": second,
        "registered": registered,
        "is_shared": is_shared,
        "second_registered": np.where(
            is_shared, np.minimum(again, world.end - 3600), world.end + 1
        ),
    }


def purchases(random: Random, world: World, people: Columns) -> tuple[Columns, Columns]:
    """Who buys on which day, and per person how many purchases that makes and the day of dropping
    out (-1: alive at the end, or no buyer)."""
    size = len(people["person"])
    count, dropped = np.zeros(size, dtype=np.int64), np.full(size, -1)
    active = np.flatnonzero(people["kind"] != VISITOR)
    moment = people["first_day"][active] + random.random(len(active))
    rounds: list[tuple[Array, Array, Array]] = []
    while len(active):
        rounds.append((active, moment.astype(np.int64), np.full(len(active), not rounds)))
        count[active] += 1
        stays = random.random(len(active)) >= people["drop_out_chance"][active]
        dropped[active[~stays]] = moment[~stays].astype(np.int64)
        active, moment = active[stays], moment[stays]
        moment = moment + random.exponential(1, len(active)) / people["purchase_rate"][active]
        active, moment = active[moment < world.days], moment[moment < world.days]
    row, day, is_first = (np.concatenate(parts) for parts in zip(*rounds, strict=True))
    return {"row": row, "day": day, "is_first": is_first}, {
        "purchases": count,
        "dropped_day": dropped,
    }


def orders(random: Random, world: World, people: Columns, bought: Columns, first: int) -> Columns:
    """The purchases as orders, numbered from `first`, some of them split into two on one day; among
    them invalid orders and orders of nobody."""
    size, total = len(people["person"]), len(bought["row"])
    split = pick(random, np.arange(total), 0.012)
    extra = {reason: max(1, round(share * total)) for reason, share in INVALID.items()}
    extra_row = random.integers(0, size, sum(extra.values()))
    extra_room = world.days - people["first_day"][extra_row]
    nobodies = max(1, round(0.01 * total))

    # a row of NOBODY points at the last person; what it takes from there is overwritten below
    row = np.concatenate((bought["row"], bought["row"][split], extra_row, np.full(nobodies, -1)))
    day = np.concatenate(
        (
            bought["day"],
            bought["day"][split],
            world.days - 1 - (random.random(len(extra_row)) * extra_room).astype(np.int64),
            random.choice(world.days, nobodies, p=world.arrival_weights),
        )
    )
    is_first = np.concatenate((bought["is_first"], np.zeros(len(row) - total, dtype=bool)))
    reason = np.full(len(row), VALID, dtype="U10")
    reason[total + len(split) : -nobodies] = np.repeat(list(extra), list(extra.values()))
    spend_rate = people["spend_rate"][row]
    spend_rate[row == NOBODY] = world.behaviour.spend_gamma / world.behaviour.spend_q
    euros = random.gamma(world.behaviour.spend_p, 1, len(row)) / spend_rate
    euros[total : total + len(split)] = 0.4 * euros[split]
    euros[split] *= 0.6

    second = draw_seconds(random, len(row))
    second[is_first] = people["first_second"][row[is_first]]
    second[total : total + len(split)] = second[split] + random.integers(600, 7200, len(split))
    on_first_day = ~is_first & (row != NOBODY) & (day == people["first_day"][row])
    earliest = people["first_second"][row] + 60
    second = np.minimum(np.where(on_first_day, np.maximum(second, earliest), second), 86399)
    # a split just before the clock change must not fall into the hour that does not exist
    second = np.where((second >= 7200) & (second < 10800), second + 3600, second)

    order = np.lexsort((row, second, day))
    row, day, is_first, reason, euros = (a[order] for a in (row, day, is_first, reason, euros))
    number, nobody = len(row), row == NOBODY
    placed = world.utc(day, second[order])
    is_gbp = people["is_gbp"][row] & ~nobody
    is_sale = world.is_sale[day]
    value = np.maximum(100, np.rint(euros * 100 / np.where(is_gbp, world.gbp_in_eur[day], 1)))
    value = np.where(reason == "zero_value", 0, value).astype(np.int64)

    percent = np.where(random.random(number) < 0.05, 15, 0)
    percent[is_sale & (random.random(number) < 0.6)] = 20
    percent[is_first & people["is_discount_seeker"][row]] = 10
    percent[nobody | (value == 0)] = 0
    goods = np.rint(value / (1 - percent / 100)).astype(np.int64)
    shipping = np.where((value < 5000) & ~nobody, 490, 0)
    tip = np.where(flag(random, number, 0.01) & (value > 0), 100 * random.integers(1, 4, number), 0)

    is_guest = (people["kind"][row] == GUEST) & ~nobody
    as_guest = people["orders_as_guest"][row] & (random.random(number) < 0.4) & ~nobody & ~is_first
    has_account = ~is_guest & ~as_guest & ~nobody
    sources = labels(("direct", "email", "organic_search"))
    source = np.where(
        is_first, people["channel"][row], draw(random, sources, np.array([5, 3, 2]), number)
    )
    campaign = labels(f"black-friday-{year}" for year in world.years)[day]
    shop_channel = draw(random, labels(("web", "app", "shop")), np.array([72, 24, 4]), number)
    shop_channel[nobody] = draw(random, labels(("phone", "shop")), np.array([1, 1]), nobody.sum())
    device = draw(random, labels(("mobile", "desktop", "tablet")), np.array([60, 33, 7]), number)
    coupons = labels((None, "WELCOME10", "THANKS15", "BLACK20"))
    age = (world.end - placed) / 86400
    changed = placed + (random.random(number) * np.minimum(age, 5) * 86400).astype(np.int64)
    state = np.where(age < 2, "in_progress", "complete").astype(object)
    for name, word in STATES.items():
        state[reason == name] = word
    return {
        "order_index": np.arange(number),
        "order_number": np.arange(first, first + number),
        "row": row,
        "person": np.where(nobody, NOBODY, people["person"][row]),
        "day": day,
        "placed": placed,
        "changed": changed,
        "state": state,
        "reason": reason,
        "is_valid": reason == VALID,
        "has_account": has_account,
        "is_as_guest": as_guest,
        "spelling": np.where(as_guest, random.integers(0, 3, number), 0),
        "uses_second_account": has_account & (placed >= people["second_registered"][row]),
        "is_gbp": is_gbp,
        "country": blank(people["country"][row], nobody),
        "shop_channel": shop_channel,
        "device": blank(device, np.isin(shop_channel.astype(str), ("phone", "shop"))),
        "utm_source": blank(source, nobody),
        "campaign": blank(campaign, nobody | ~is_sale),
        "coupon": coupons[np.maximum(0, percent // 5 - 1)],
        "value": value,
        "goods": goods,
        "coupon_amount": goods - value,
        "shipping": shipping,
        "tax": ((value + shipping) * np.where(nobody, 19, people["tax_percent"][row]) + 50) // 100,
        "tip": tip,
    }


def lines(random: Random, world: World, people: Columns, sold: Columns) -> Columns:
    """Lines of merchandise whose amounts after line discounts sum to the order's goods, and rare
    lines that are no merchandise. Adds what follows from them to the orders."""
    number = len(sold["goods"])
    count = random.choice([1, 2, 3, 4], number, p=[0.55, 0.25, 0.13, 0.07])
    count = np.minimum(count, np.maximum(1, sold["goods"] // 200))
    order = np.repeat(np.arange(number), count)
    start = np.cumsum(count) - count
    position = np.arange(len(order)) - start[order] + 1
    weight = 0.3 + random.random(len(order))
    weight /= np.add.reduceat(weight, start)[order]
    quantity = np.where(position == 1, 1, random.choice([1, 2, 3], len(order), p=[0.8, 0.15, 0.05]))
    net = (sold["goods"][order] * weight).astype(np.int64)
    net = np.where(position == 1, 0, net - net % quantity)
    net[start] = sold["goods"] - np.add.reduceat(net, start)

    percent = np.where(random.random(len(order)) < 0.08, random.choice([10, 20, 30], len(order)), 0)
    discount = net * percent // (100 - percent)
    price = -(-(net + discount) // quantity)
    sold["first_line"], sold["line_count"] = start, count
    sold["goods_gross"] = np.add.reduceat(price * quantity, start)

    is_home = (random.random(len(order)) < 0.5) & (sold["person"][order] != NOBODY)
    category = random.integers(0, len(CATEGORIES), len(order))
    category = np.where(is_home, people["home_category"][sold["row"][order]], category)
    euros = price / 100 * np.where(sold["is_gbp"][order], world.gbp_in_eur[sold["day"][order]], 1)
    steps = np.log(np.maximum(euros, 0.01) / LOWEST_PRICE) / np.log(HIGHEST_PRICE / LOWEST_PRICE)
    tier = np.clip(np.rint(steps * (TIERS - 1)), 0, TIERS - 1).astype(np.int64)

    paid = np.flatnonzero(sold["value"] > 0)
    other = np.sort(np.concatenate((pick(random, paid, 0.01), pick(random, paid, 0.005))))
    other, repeat = np.unique(other, return_counts=True)
    other_kind = np.where((repeat > 1) | (random.random(len(other)) < 0.33), "gift_card", "postage")
    other_price = np.where(other_kind == "gift_card", 2500, 250)
    sold["other_lines"] = np.bincount(other, other_price, number).astype(np.int64)
    added = len(other)
    return {
        "order_index": np.concatenate((order, other)),
        "line": np.concatenate((position, count[other] + 1)),
        "product": np.concatenate((category * TIERS + tier, np.full(added, -1))),
        "kind": np.concatenate((np.full(len(order), "goods", dtype=object), other_kind)),
        "quantity": np.concatenate((quantity, np.ones(added, dtype=np.int64))),
        "price": np.concatenate((price, other_price)),
        "discount": np.concatenate((price * quantity - net, np.zeros(added, dtype=np.int64))),
        "net": np.concatenate((net, np.zeros(added, dtype=np.int64))),
    }


def payments(random: Random, world: World, sold: Columns) -> Columns:
    """What was paid for the orders that were paid, a few in two parts."""
    is_paid = sold["is_valid"] | (sold["reason"] == "fraud")
    order = np.flatnonzero(is_paid)
    parts = ("value", "shipping", "tax", "tip", "other_lines")
    total = np.sum([sold[name][order] for name in parts], axis=0)
    room = np.minimum(7200, world.end - sold["placed"][order])
    paid = sold["placed"][order] + (random.random(len(order)) * room).astype(np.int64)
    methods = labels(("card", "wallet", "invoice", "transfer"))
    method = draw(random, methods, np.array([45, 30, 18, 7]), len(order))
    voucher = np.where(flag(random, len(order), 0.03), np.minimum(1000, total // 2), 0)
    parted = np.flatnonzero(voucher)
    amount = np.concatenate((total - voucher, voucher[parted]))
    method = np.concatenate((method, np.full(len(parted), "voucher", dtype=object)))
    has_fee = np.isin(method.astype(str), ("card", "wallet"))
    return {
        "order_index": np.concatenate((order, order[parted])),
        "part": np.repeat([1, 2], (len(order), len(parted))),
        "method": method,
        "amount": amount,
        "fee": np.where(has_fee, amount * 14 // 1000 + 25, 0),
        "paid": np.concatenate((paid, paid[parted])),
    }


def refunds(random: Random, world: World, sold: Columns, items: Columns) -> Columns:
    """Refunds of whole orders and of single lines, days or weeks after the order."""
    order = pick(random, np.flatnonzero(sold["is_valid"]), 0.05)
    refunded = sold["placed"][order] + random.integers(2 * 86400, 45 * 86400, len(order))
    order, refunded = order[refunded <= world.end], refunded[refunded <= world.end]
    size = len(order)
    is_whole = random.random(size) < 0.5
    line = sold["first_line"][order] + (random.random(size) * sold["line_count"][order]).astype(
        np.int64
    )
    part = items["net"][line] * sold["value"][order] // sold["goods"][order]
    of_account = np.flatnonzero(sold["has_account"][order])
    reasons = labels(("changed_mind", "wrong_size", "defect", "late"))
    return {
        "order_index": order,
        "line": np.where(is_whole, 0, items["line"][line]),
        "refunded": refunded,
        "refund": np.where(is_whole, sold["value"][order], part),
        "why": draw(random, reasons, np.array([40, 30, 18, 12]), size),
        "is_detached": np.isin(np.arange(size), pick(random, of_account, 0.03)),
    }


def dirt(random: Random, world: World, sold: Columns) -> Columns:
    """How the orders arrive: which come late, and which are exported twice with different states.

    `first_*` is the version in the file of the year, `again_*` the one in the late file (state
    None: it is not there again). The later `changed` is the true one, whichever file brings it.
    """
    age = world.days - 1 - sold["day"]
    some_weeks_old = np.flatnonzero((age >= 15) & (age <= 60))
    is_late = np.isin(np.arange(len(age)), pick(random, some_weeks_old, 0.03))
    settled = ~is_late & (age >= 10)
    recent = np.flatnonzero(settled & sold["is_valid"] & (age <= 120))
    moved = pick(random, recent, 0.02)
    stale = pick(random, np.setdiff1d(recent, moved), 0.01)
    cancelled = pick(random, np.flatnonzero(settled & (sold["reason"] == "cancelled")), 0.1)
    early = sold["placed"] + 60
    late_change = np.maximum(sold["changed"], early + 3600)
    first_state, first_changed = sold["state"].copy(), sold["changed"].copy()
    again_state, again_changed = labels([None] * len(age)), np.zeros(len(age), dtype=np.int64)
    newer = np.concatenate((moved, cancelled))
    first_state[newer], first_changed[newer] = "in_progress", early[newer]
    again_state[newer], again_changed[newer] = sold["state"][newer], late_change[newer]
    first_changed[stale] = late_change[stale]
    again_state[stale], again_changed[stale] = "in_progress", early[stale]
    is_year_end = np.append(np.diff(world.years) > 0, False)
    is_last_week = np.convolve(is_year_end, np.ones(7))[6:] > 0
    return {
        "period": np.where(is_late, 0, world.years[sold["day"]]),
        "is_stale": np.isin(np.arange(len(age)), stale),
        "first_state": first_state,
        "first_changed": first_changed,
        "again_state": again_state,
        "again_changed": again_changed,
        "is_repeated": is_last_week[sold["day"]] & ~is_late,
    }

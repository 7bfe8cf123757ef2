"""What people do before, beside and after their orders: visits, mails, experiments, signals.

Everything is drawn for a block of the customers of a chunk, so that memory does not grow with the
shop; orders are read and never changed. A visit is one row; `activity_sql` spells out its events.
"""

import numpy as np

from dagster_project.lib.demo.stages import (
    ACCOUNT,
    GUEST,
    NOBODY,
    VISITOR,
    Columns,
    Random,
    draw,
    draw_seconds,
    pick,
)
from dagster_project.lib.demo.world import (
    CAMPAIGNS,
    CATEGORIES,
    CHANNELS,
    EXPERIMENTS,
    SEARCH_TERMS,
    TIERS,
    Array,
    World,
    labels,
    shares,
)

BLOCK = 20_000  # customers; like CHUNK part of what a seed means
ROOM = 1000  # numbers kept for the visits and cookies of each customer of a block
WEB, SIGN_UP, MAIL = 0, 1, 2  # patterns of a visit
APP = 3  # the fourth device, after mobile, desktop and tablet
DEVICE_SHARES = np.array([60, 33, 7])
TICKS_TO_ORDER = 12
DAY = 86400
ORDER_MEDIA = ("web", "app")


def visit_rows(size: int, **given: Array) -> Columns:
    """Visits with the columns given; nothing happens in them that is not given."""
    nothing = np.full(size, None, dtype=object)
    none = np.zeros(size, dtype=np.int64)
    return {
        "pattern": none,
        "person": none + NOBODY,
        "cookie": none,
        "device": none,
        "start": none,
        "pace": none + 30,
        "order_index": none - 1,
        "lost_order": none,
        "views": none,
        "term": none - 1,
        "product": none,
        "basket": none,
        "is_dropped": none > 0,
        "has_checkout": none > 0,
        "has_share": none > 0,
        "has_click": none > 0,
        "is_logged_in": none > 0,
        "channel": nothing,
        "campaign": nothing,
        "variant": nothing,
    } | given


def campaigns(random: Random, channel: Array) -> Array:
    """A campaign of each channel, None for channels without."""
    pool = {name: labels(CAMPAIGNS.get(name, (None,))) for name in {*channel.tolist()}}
    position = random.random(len(channel))
    chosen = [pool[c][int(p * len(pool[c]))] for c, p in zip(channel, position, strict=True)]
    return np.array(chosen, dtype=object)


def numbers(people: Columns, block: range) -> int:
    """The first of the numbers kept for a block."""
    return int(people["person"][block.start]) * ROOM


def strangers(people: Columns, block: range, group: int, member: Array) -> Array:
    """Cookies of nobody; each group has as many as the block has customers."""
    return np.asarray(-1 - numbers(people, block) - group * len(block) - member)


def own_cookie(people: Columns, row: Array, device: Array) -> Array:
    return np.asarray(4 * people["person"][row] + device)


def wander(random: Random, size: int) -> Columns:
    """What is looked at and searched for in a visit, and how fast."""
    term = random.integers(0, len(SEARCH_TERMS), size)
    return {
        "pace": random.integers(15, 90, size),
        "views": random.integers(0, 3, size),
        "term": np.where(random.random(size) < 0.2, term, -1),
        "product": random.integers(0, len(CATEGORIES) * TIERS, size),
    }


def visits(random: Random, world: World, people: Columns, sold: Columns, block: range) -> Columns:
    """Every visit, sign-up and mail of a block of the chunk's customers, and of nobody."""
    in_block = (
        (sold["person"] != NOBODY) & (sold["row"] >= block.start) & (sold["row"] < block.stop)
    )
    is_online = np.isin(sold["shop_channel"].astype(str), ORDER_MEDIA)
    order = np.flatnonzero(in_block & is_online)
    parts = [
        _order_visits(random, people, sold, order),
        _browsing(random, people, sold, order),
        _abandoned(random, world, people, sold, order, block),
        _sign_ups(random, world, people, block),
        _mails(random, world, people, block),
        _anonymous(random, world, people, block),
    ]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    experiments(random, world, joined, people, block)
    begin = int(world.utc(np.array([0]), np.array([0]))[0])
    last = (
        joined["start"] + np.where(joined["order_index"] < 0, 14, TICKS_TO_ORDER) * joined["pace"]
    )
    kept = np.flatnonzero((joined["start"] >= begin) & (last <= world.end))
    joined = {name: column[kept] for name, column in joined.items()}
    first = numbers(people, block)
    return joined | {"visit": np.arange(first, first + len(kept))}


def _order_visits(random: Random, people: Columns, sold: Columns, order: Array) -> Columns:
    size, row = len(order), sold["row"][order]
    names = labels(("mobile", "desktop", "tablet"))
    device = np.argmax(sold["device"][order][:, None] == names[None, :], axis=1)
    device = np.where(sold["shop_channel"][order] == "app", APP, device)
    seen = wander(random, size)
    source = sold["utm_source"][order]
    campaign = np.where(
        sold["campaign"][order] == None,  # noqa: E711 (element by element)
        campaigns(random, source),
        sold["campaign"][order],
    )
    return visit_rows(
        size,
        **seen | {"views": seen["views"] + 1},
        person=people["person"][row],
        cookie=own_cookie(people, row, device),
        device=device,
        start=sold["placed"][order] - TICKS_TO_ORDER * seen["pace"],
        order_index=order,
        basket=sold["line_count"][order],
        has_checkout=np.full(size, True),
        has_share=random.random(size) < 0.02,
        is_logged_in=sold["has_account"][order] & (random.random(size) < 0.5),
        channel=source,
        campaign=campaign,
    )


def _browsing(random: Random, people: Columns, sold: Columns, order: Array) -> Columns:
    """Visits in the two weeks before an order."""
    of = np.repeat(order, random.poisson(0.9, len(order)))
    size, row = len(of), sold["row"][of]
    device = random.choice(3, size, p=DEVICE_SHARES / DEVICE_SHARES.sum())
    before = (random.random(size) ** 2 * 13 * DAY).astype(np.int64) + 3600
    channel = np.where(random.random(size) < 0.5, sold["utm_source"][of], "direct")
    return visit_rows(
        size,
        **wander(random, size),
        person=people["person"][row],
        cookie=own_cookie(people, row, device),
        device=device,
        start=sold["placed"][of] - before,
        has_share=random.random(size) < 0.01,
        is_logged_in=(people["kind"][row] == ACCOUNT) & (random.random(size) < 0.35),
        channel=channel,
        campaign=campaigns(random, channel),
    )


def _abandoned(
    random: Random, world: World, people: Columns, sold: Columns, order: Array, block: range
) -> Columns:
    """Carts that are left standing: by buyers some days after an order, and by those who have an
    account and never buy. A few end with a purchase event of which the shop knows no order."""
    of = order[random.random(len(order)) < 0.12]
    row = np.arange(block.start, block.stop)
    never = np.repeat(row[people["kind"][row] == VISITOR], 2)
    later = random.integers(2 * DAY, 40 * DAY, len(of) + len(never))
    start = np.concatenate((sold["placed"][of], people["registered"][never])) + later
    row = np.concatenate((sold["row"][of], never))
    size = len(row)
    device = random.choice(3, size, p=DEVICE_SHARES / DEVICE_SHARES.sum())
    channel = draw(random, labels(("direct", "email", "organic_search")), np.array([5, 2, 3]), size)
    lost = np.isin(np.arange(size), pick(random, np.flatnonzero(start < world.end - DAY), 0.01))
    return visit_rows(
        size,
        **wander(random, size),
        person=people["person"][row],
        cookie=own_cookie(people, row, device),
        device=device,
        start=start,
        lost_order=np.where(lost, people["person"][row] + 1, 0),
        basket=random.integers(1, 3, size),
        is_dropped=random.random(size) < 0.2,
        has_checkout=lost | (random.random(size) < 0.3),
        is_logged_in=(people["kind"][row] != GUEST) & (random.random(size) < 0.6),
        channel=channel,
        campaign=campaigns(random, channel),
    )


def _sign_ups(random: Random, world: World, people: Columns, block: range) -> Columns:
    row = np.arange(block.start, block.stop)
    row = row[people["kind"][row] != GUEST]
    again = row[people["is_shared"][row] & (people["second_registered"][row] < world.end)]
    size = len(row) + len(again)
    device = random.choice(3, size, p=DEVICE_SHARES / DEVICE_SHARES.sum())
    both = np.concatenate((row, again))
    start = np.concatenate((people["registered"][row], people["second_registered"][again]))
    return visit_rows(
        size,
        pattern=np.full(size, SIGN_UP),
        pace=np.zeros(size, dtype=np.int64),
        person=people["person"][both],
        cookie=own_cookie(people, both, device),
        device=device,
        start=start,
        is_logged_in=np.full(size, True),
    )


def _mails(random: Random, world: World, people: Columns, block: range) -> Columns:
    """Newsletters that were opened, some of them clicked on."""
    row = np.arange(block.start, block.stop)
    row = row[(people["kind"][row] != GUEST) & people["newsletter"][row]]
    months = np.maximum(0, (world.end - people["registered"][row]) // (30 * DAY))
    of = np.repeat(row, random.binomial(months, 0.16))
    size = len(of)
    room = world.end - people["registered"][of]
    start = people["registered"][of] + (random.random(size) * room).astype(np.int64)
    return visit_rows(
        size,
        pattern=np.full(size, MAIL),
        person=people["person"][of],
        start=start,
        pace=random.integers(20, 300, size),
        has_click=random.random(size) < 0.2,
        channel=np.full(size, "email", dtype=object),
        campaign=np.full(size, "newsletter", dtype=object),
    )


def _anonymous(random: Random, world: World, people: Columns, block: range) -> Columns:
    """Visitors who are never identified, some of whom come twice."""
    size = round(0.7 * len(block))
    day = random.choice(world.days, size, p=world.arrival_weights)
    channel = draw(random, labels(CHANNELS), shares(CHANNELS), size)
    return visit_rows(
        size,
        **wander(random, size),
        cookie=strangers(people, block, 0, random.integers(0, max(1, 3 * size // 4), size)),
        device=random.choice(3, size, p=DEVICE_SHARES / DEVICE_SHARES.sum()),
        start=world.utc(day, draw_seconds(random, size)),
        basket=(random.random(size) < 0.04).astype(np.int64),
        channel=channel,
        campaign=campaigns(random, channel),
    )


def experiments(
    random: Random, world: World, joined: Columns, people: Columns, block: range
) -> None:
    """Adds visitors of campaigns whose variants are compared, and shows a variant to some who buy.

    Of those who buy after seeing it, `converted_b` saw variant b; of all who see one, `exposed_b`.
    Nobody else of them buys.
    """
    taken = np.zeros(len(joined["start"]), dtype=bool)
    parts = [joined]
    for group, (name, plan) in enumerate(EXPERIMENTS.items(), start=1):
        channel, first_ago, last_ago, exposed_b, converted_b = plan
        day_of = (world.end - joined["start"]) // DAY
        candidate = (joined["order_index"] >= 0) & ~taken & (joined["device"] != APP)
        candidate &= (day_of <= first_ago) & (day_of >= last_ago)
        buyer = np.flatnonzero(candidate & (random.random(len(candidate)) < 0.2))
        _, position = np.unique(joined["person"][buyer], return_index=True)
        buyer = buyer[position]
        taken |= np.isin(joined["person"], joined["person"][buyer])
        converted = np.where(random.random(len(buyer)) < converted_b, "b", "a").astype(object)
        joined["channel"][buyer] = channel
        joined["campaign"][buyer], joined["variant"][buyer] = name, converted

        total = max(4, round(0.3 * len(block)))
        in_b = round(exposed_b * total) - int((converted == "b").sum())
        in_a = total - round(exposed_b * total) - int((converted == "a").sum())
        size = max(0, in_a) + max(0, in_b)
        seconds = random.integers(last_ago * DAY, max(last_ago + 1, first_ago) * DAY, size)
        shown = np.repeat(labels(("a", "b")), (max(0, in_a), max(0, in_b)))
        parts.append(
            visit_rows(
                size,
                **wander(random, size),
                cookie=strangers(people, block, group, np.arange(size)),
                device=random.choice(3, size, p=DEVICE_SHARES / DEVICE_SHARES.sum()),
                start=world.end - seconds,
                channel=np.full(size, channel, dtype=object),
                campaign=np.full(size, name, dtype=object),
                variant=shown,
            )
        )
    for column in joined:
        joined[column] = np.concatenate([part[column] for part in parts])


def bots(random: Random, world: World, people: Columns, block: range) -> Columns:
    """Robots: every second one says so, the others are only too fast."""
    size = max(2, len(block) // 1000)
    last = numbers(people, block) + ROOM * len(block) - 20
    day = random.integers(0, world.days, size)
    return {
        "cookie": strangers(people, block, len(EXPERIMENTS) + 1, np.arange(size)),
        "visit": last - 20 * np.arange(size),
        "start": world.utc(day, random.integers(4 * 3600, 20 * 3600, size)),
        "hits": random.integers(120, 200, size),
        "is_honest": np.arange(size) % 2 == 0,
    }


def shipments(random: Random, world: World, sold: Columns, block: range) -> Columns:
    """Parcels of valid orders that were not bought in the shop: most come in time, a few days too
    late, some of them not at all."""
    order = np.flatnonzero(_of_block(sold, block) & (sold["shop_channel"] != "shop"))
    size = len(order)
    promised = random.integers(3, 7, size)
    fate = random.choice(4, size, p=[0.88, 0.06, 0.045, 0.015])
    late = np.where(fate == 1, random.integers(1, 4, size), random.integers(4, 12, size))
    delay = np.where(fate == 0, -random.integers(0, 2, size), late)
    shipped = sold["placed"][order] + random.integers(2 * 3600, 16 * 3600, size)
    day = sold["day"][order] + promised + delay
    is_there = (fate < 3) & (day < world.days)
    arrived = world.utc(np.minimum(day, world.days - 1), random.integers(8 * 3600, 20 * 3600, size))
    is_sent = shipped <= world.end
    is_there &= is_sent
    return {
        "order_index": order,
        "carrier": draw(random, labels(("north", "swift", "round")), np.array([5, 3, 2]), size),
        "cost": random.integers(280, 620, size),
        "promised": sold["day"][order] + promised,
        "shipped": np.where(is_sent, shipped, 0),
        "delivered": np.where(is_there, arrived, 0),
    }


def reviews(random: Random, world: World, sold: Columns, block: range) -> Columns:
    order = np.flatnonzero(_of_block(sold, block) & sold["has_account"])
    order = order[random.random(len(order)) < 0.12]
    written = sold["placed"][order] + random.integers(6 * DAY, 30 * DAY, len(order))
    stars = random.choice([1, 2, 3, 4, 5], len(order), p=[0.05, 0.06, 0.12, 0.27, 0.5])
    columns = {"order_index": order, "line": order * 0 + 1, "named_after": order, "stars": stars}
    return _until(world, "written", columns, written)


def surveys(random: Random, world: World, sold: Columns, block: range) -> Columns:
    """Invitations, two thirds of them without answer."""
    order = np.flatnonzero(_of_block(sold, block))
    order = order[random.random(len(order)) < 0.15]
    size = len(order)
    sent = sold["placed"][order] + 10 * DAY
    answered = sent + random.integers(3600, 4 * DAY, size)
    is_answered = (random.random(size) < 0.34) & (answered <= world.end)
    is_promoter = random.random(size) < 0.8
    weights = np.array([2, 1, 1, 2, 2, 4, 5, 12, 20, 22, 29]) / 100
    recommend = random.choice(11, size, p=weights)
    satisfied = random.choice([1, 2, 3, 4, 5], size, p=[0.04, 0.06, 0.15, 0.4, 0.35])
    score = np.where(is_promoter, recommend, satisfied)
    columns = {
        "order_index": order,
        "person": sold["person"][order],
        "survey": np.where(is_promoter, "recommend", "satisfied").astype(object),
        "score": np.where(is_answered, score, -1),
        "answered": np.where(is_answered, answered, 0),
    }
    return _until(world, "sent", columns, sent)


def tickets(random: Random, world: World, sold: Columns, block: range) -> Columns:
    order = np.flatnonzero(_of_block(sold, block))
    order = order[random.random(len(order)) < 0.05]
    size = len(order)
    opened = sold["placed"][order] + random.integers(DAY, 15 * DAY, size)
    closed = opened + random.integers(3600, 5 * DAY, size)
    is_closed = (random.random(size) < 0.95) & (closed <= world.end)
    is_scored = is_closed & (random.random(size) < 0.5)
    score = random.choice([1, 2, 3, 4, 5], size, p=[0.12, 0.1, 0.13, 0.3, 0.35])
    topics = labels(("where_is_it", "return", "invoice", "product"))
    columns = {
        "order_index": order,
        "person": sold["person"][order],
        "topic": draw(random, topics, np.array([4, 3, 1, 2]), size),
        "score": np.where(is_scored, score, -1),
        "closed": np.where(is_closed, closed, 0),
    }
    return _until(world, "opened", columns, opened)


def spend(random: Random, world: World, customers: int) -> Columns:
    """Cost per day and campaign in cents, following the new customers of the channel."""
    day = np.arange(world.days)
    parts = []
    for channel, names in CAMPAIGNS.items():
        cost = {"paid_search": 1800, "social": 1500, "affiliate": 900, "email": 150}.get(channel, 0)
        per_day = world.arrival_weights * customers * CHANNELS[channel][0] * cost / len(names)
        for name in names if cost else ():
            noise = 0.8 + 0.4 * random.random(world.days)
            amount = np.rint(per_day * noise).astype(np.int64)
            parts.append((day, channel, name, amount))
    for name, (channel, first_ago, last_ago, _, _) in EXPERIMENTS.items():
        on = day[(world.days - 1 - day <= first_ago) & (world.days - 1 - day >= last_ago)]
        parts.append((on, channel, name, np.full(len(on), max(100, customers // 4))))
    return {
        "day": np.concatenate([part[0] for part in parts]),
        "channel": np.concatenate([np.full(len(p[0]), p[1], dtype=object) for p in parts]),
        "campaign": np.concatenate([np.full(len(p[0]), p[2], dtype=object) for p in parts]),
        "amount": np.concatenate([part[3] for part in parts]),
    }


def _of_block(sold: Columns, block: range) -> Array:
    mine = (sold["row"] >= block.start) & (sold["row"] < block.stop)
    return np.asarray(mine & (sold["person"] != NOBODY) & sold["is_valid"])


def _until(world: World, name: str, columns: Columns, moment: Array) -> Columns:
    """The rows whose moment lies in the history."""
    kept = moment <= world.end
    return {key: column[kept] for key, column in (columns | {name: moment}).items()}

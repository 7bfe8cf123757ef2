"""Who invited whom: the customers of the channel `referral`, and invitations that led to nobody."""

import numpy as np

from dagster_project.lib.demo.activity import DAY
from dagster_project.lib.demo.stages import ACCOUNT, GUEST, NOBODY, Columns, Random, pick
from dagster_project.lib.demo.world import Array, World

NO_ORDER = -1
COUNTED_AFTER = 14 * DAY  # the first order, when the shop pays the reward
BY_ACCOUNT, BY_EMAIL, BY_BOTH = 0, 1, 2  # how the shop knows who was invited


def referrals(
    random: Random, world: World, people: Columns, sold: Columns, block: range
) -> Columns:
    """The invitations of a block in the order of their sending, all of them valid.

    A fifth of the account holders invite. Who was invited came after the invitation, and who
    invited had an account before it, so that no chain comes back to its beginning.
    """
    row = np.arange(block.start, block.stop)
    begin = int(world.utc(np.array([0]), np.array([0]))[0])
    host = pick(random, row[people["kind"][row] == ACCOUNT], 0.2)
    host = host[np.argsort(people["registered"][host], kind="stable")]

    first = _first_orders(people, sold, block)
    came = np.where(people["kind"] == GUEST, sold["placed"][first], people["registered"])
    friend = row[(people["channel"][row] == "referral") & (came[row] > begin)]
    hosts_before = np.searchsorted(people["registered"][host], came[friend])
    friend, hosts_before = friend[hosts_before > 0], hosts_before[hosts_before > 0]
    inviter = host[(random.random(len(friend)) * hosts_before).astype(np.int64)]
    earliest = np.maximum(begin, people["registered"][inviter] + 1)
    wait = 3600 + (random.random(len(friend)) ** 2 * 14 * DAY).astype(np.int64)
    sent = np.maximum(earliest, came[friend] - wait)
    way = random.choice([BY_ACCOUNT, BY_EMAIL, BY_BOTH], len(friend), p=[0.6, 0.15, 0.25])
    way[people["kind"][friend] == GUEST] = BY_EMAIL
    placed = sold["placed"][first[friend]]
    counted = np.where(first[friend] == NO_ORDER, 0, placed + COUNTED_AFTER)

    lost = random.choice(host, round(0.6 * len(friend)))
    room = world.end - np.maximum(begin, people["registered"][lost])
    lost_sent = world.end - (random.random(len(lost)) * room).astype(np.int64)
    nothing = np.zeros(len(lost), dtype=np.int64)
    both = np.concatenate((inviter, lost))
    columns = {
        "inviter": people["person"][both],
        "friend": np.concatenate((people["person"][friend], nothing + NOBODY)),
        "is_known_by_account": np.concatenate((way != BY_EMAIL, nothing > 0)),
        "is_known_by_email": np.concatenate((way != BY_ACCOUNT, random.random(len(lost)) < 0.7)),
        "sent": np.concatenate((sent, lost_sent)),
        "counted": np.concatenate((np.where(counted <= world.end, counted, 0), nothing)),
        "is_gbp": people["is_gbp"][both],
        "first_order": np.concatenate((_numbers(sold, first[friend]), nothing + NO_ORDER)),
        "generation": 1 + _generations(people, friend, inviter)[both],
    }
    order = np.argsort(columns["sent"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    size = len(order)
    return columns | {
        "invite": 2 * people["person"][block.start] + np.arange(size),
        "referrer": columns["inviter"],
        "referred": columns["friend"],
        "reason": np.full(size, "", dtype=object),
        "is_planted": np.zeros(size, dtype=bool),
    }


def _first_orders(people: Columns, sold: Columns, block: range) -> Array:
    """Per person of the chunk the index of the first valid order, orders being sorted by time."""
    mine = (sold["row"] >= block.start) & (sold["row"] < block.stop)
    order = np.flatnonzero(mine & (sold["person"] != NOBODY) & sold["is_valid"])
    owner, position = np.unique(sold["row"][order], return_index=True)
    first = np.full(len(people["person"]), NO_ORDER)
    first[owner] = order[position]
    return first


def _numbers(sold: Columns, order: Array) -> Array:
    return np.where(order == NO_ORDER, NO_ORDER, sold["order_number"][order])


def _generations(people: Columns, friend: Array, inviter: Array) -> Array:
    """Per person of the chunk how many referrals lie behind them."""
    generation = np.zeros(len(people["person"]), dtype=np.int64)
    while (generation[friend] != generation[inviter] + 1).any():
        generation[friend] = generation[inviter] + 1
    return generation

"""What customers say of themselves: why they came, what they like, how to reach them."""

import numpy as np

from dagster_project.lib.demo.activity import DAY
from dagster_project.lib.demo.stages import GUEST, Columns, Random, draw, pick
from dagster_project.lib.demo.world import CATEGORIES, Array, World, labels

# attribute: share asked of those who answer at all
ASKED = {"motive": 0.8, "interest": 0.6, "channel": 0.5, "persona": 0.4}
CHANNELS_OF_CONTACT = ("email", "social", "sms", "post")
PERSONAS = ("planner", "collector", "browser")
CHANGED_AFTER = 2 * DAY  # at least, so that no day holds two answers


def preferences(random: Random, world: World, people: Columns, block: range) -> Columns:
    """The answers of two fifths of those who have an account, soon after they opened it; some
    change their mind later. Who stays mostly came for quality, who drops out for the price or a
    gift, and half of all say what they mostly buy."""
    row = np.arange(block.start, block.stop)
    asked = pick(random, row[people["kind"][row] != GUEST], 0.4)
    parts = []
    for attribute, share in ASKED.items():
        own = asked[random.random(len(asked)) < share]
        first = people["registered"][own] + (random.random(len(own)) * 30 * DAY).astype(np.int64)
        again = np.flatnonzero(random.random(len(own)) < 0.25)
        room = np.maximum(1, world.end - first[again] - CHANGED_AFTER)
        later = first[again] + CHANGED_AFTER + (random.random(len(again)) * room).astype(np.int64)
        answered = np.concatenate((first, later))
        own = np.concatenate((own, own[again]))
        size = len(own)
        origin = draw(random, labels(("profile", "survey")), np.array([1, 1]), size)
        origin[: len(first)] = "sign_up"
        parts.append(
            {
                "person": people["person"][own],
                "attribute": np.full(size, attribute, dtype=object),
                "answer": _answers(random, attribute, people, own),
                "origin": origin,
                "answered": answered,
            }
        )
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    kept = joined["answered"] <= world.end
    return {name: column[kept] for name, column in joined.items()}


def _answers(random: Random, attribute: str, people: Columns, row: Array) -> Array:
    size = len(row)
    if attribute == "motive":
        stays = 1 - people["drop_out_chance"][row]
        rest = draw(random, labels(("price", "gifts")), np.ones(2), size)
        return np.where(random.random(size) < stays, "quality", rest)
    if attribute == "interest":
        other = random.integers(0, len(CATEGORIES), size)
        mostly = random.random(size) < 0.5
        return labels(CATEGORIES)[np.where(mostly, people["home_category"][row], other)]
    names = CHANNELS_OF_CONTACT if attribute == "channel" else PERSONAS
    return draw(random, labels(names), np.ones(len(names)), size)

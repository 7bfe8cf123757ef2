"""Paths to nested values, as SQL over JSON.

`context.page.url` goes from key to key; `items[0].item_id` takes an element of a list by its place,
counted from 0, `event_params[key=term].value.string_value` the first one that holds this text.
"""

import re
from collections.abc import Iterable

from dagster_project.lib.intake.sql import literal

STEP = re.compile(r"\.?(?P<key>\w+)|\[(?P<at>\d+)\]|\[(?P<name>\w+)=(?P<text>[^\]]+)\]")
PATH = re.compile(r"\w+(\.\w+|\[\d+\]|\[\w+=[^\]]+\])*")


def root_of(path: str) -> str:
    """The column or key that holds the nested value."""
    return re.split(r"[.\[]", path)[0]


def value_at(json: str, path: str) -> str:
    """The text at a path, null where there is none. `json` is the SQL of its root's value."""
    place = "$"
    for step in _steps(path):
        if step["key"]:
            place += f'."{step["key"]}"'
        elif step["at"]:
            place += f"[{step['at']}]"
        else:
            held = f"json_extract_string(element, {literal('$.' + step['name'])})"
            elements = f"json_extract({json}, {literal(place + '[*]')})"
            json = f"list_filter({elements}, lambda element: {held} = {literal(step['text'])})[1]"
            place = "$"
    return f"json_extract_string({json}, {literal(place)})"


def faults(json: str, paths: Iterable[str]) -> dict[str, str]:
    """What can be wrong on the way to these paths of one root: a condition by its reason."""
    found = {}
    for path in paths:
        place, named = "$", root_of(path)
        for step in _steps(path):
            kind, noun = ("OBJECT", "object") if step["key"] else ("ARRAY", "list")
            is_other = f"json_type({json}, {literal(place)}) not in ('{kind}', 'NULL')"
            found[f"{named} is not {'an' if step['key'] else 'a'} {noun}"] = is_other
            if not step["key"]:
                break
            keys = f"json_keys({json}, {literal(place)})"
            found[f"{named} has a key twice"] = f"len({keys}) <> len(list_distinct({keys}))"
            place, named = f'{place}."{step["key"]}"', f"{named}.{step['key']}"
    return found


def _steps(path: str) -> Iterable[re.Match[str]]:
    return STEP.finditer(path, len(root_of(path)))

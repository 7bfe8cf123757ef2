"""How marts belong together, by their names, grains and columns: docs/entities.md and its picture.

A key `<entity>_id` is at home in `dim_<entity>s` or `fct_<entity>s`, of which it is the grain; a
column that is called so, or ends so, points there. A test looks whether what it holds is there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from dagster_project.lib.dbt import read_manifest
from dagster_project.lib.settings import PROJECT_ROOT

ENTITIES_FILE = PROJECT_ROOT / "docs" / "entities.md"
PICTURE_FILE = PROJECT_ROOT / "docs" / "pictures" / "entities.svg"
MARKER = "<!-- From here on written by `make docs` from the dbt files. -->"
HEADINGS = {  # by the folder of a mart, in the order of the page
    "customers": "Customers and products",
    "sales": "Sales",
    "lifecycle": "Lifecycle, visits and campaigns",
    "ltv": "Lifetime value",
    "repeat": "Repeat purchases",
    "advocacy": "Advocacy and referrals",
    "experience": "Experience and health",
    "activation": "Preferences, offers and audiences",
    "quality": "Quality",
}


@dataclass(frozen=True)
class Mart:
    """`key` tells its rows apart; `columns` holds the data type of each column."""

    name: str
    domain: str
    description: str
    key: tuple[str, ...]
    columns: dict[str, str]

    @property
    def one_row_per(self) -> str:
        sentence = re.split(r"[.:;]\s|\.$", self.description)[1]
        return sentence.removeprefix("one row per ")


@dataclass(frozen=True)
class Reference:
    mart: str
    column: str
    home: str


def marts() -> dict[str, Mart]:
    """All marts by name, in the order of the page."""
    nodes = read_manifest()["nodes"].values()
    keys = {
        node["attached_node"]: tuple(node["test_metadata"]["kwargs"]["columns"])
        for node in nodes
        if node.get("test_metadata", {}).get("name") == "grain"
    }
    found = [
        Mart(
            name=node["name"],
            domain=node["fqn"][2],
            description=" ".join(node["description"].split()),
            key=keys.get(node["unique_id"], ()),
            columns={name: column["data_type"] for name, column in node["columns"].items()},
        )
        for node in nodes
        if node["resource_type"] == "model" and node["schema"] == "marts"
    ]
    order = list(HEADINGS)
    found.sort(key=lambda mart: (order.index(mart.domain), mart.name))
    return {mart.name: mart for mart in found}


def homes(known: dict[str, Mart]) -> dict[str, str]:
    """The mart at which each key is at home."""
    found = {}
    for mart in known.values():
        if len(mart.key) == 1 and mart.key[0].endswith("_id"):
            entity = mart.key[0].removesuffix("_id")
            if mart.name in (f"dim_{entity}s", f"fct_{entity}s"):
                found[mart.key[0]] = mart.name
    return found


def references(known: dict[str, Mart]) -> list[Reference]:
    """Columns that point to another mart; those of the quality marts speak of the run."""
    at_home = homes(known)
    return [
        Reference(mart.name, column, home)
        for mart in known.values()
        if mart.domain != "quality"
        for column in mart.columns
        for key, home in at_home.items()
        if mart.name != home and (column == key or column.endswith(f"_{key}"))
    ]


def render() -> str:
    """docs/entities.md: what is written there by hand, then a table for each domain."""
    introduction = ENTITIES_FILE.read_text(encoding="utf-8").partition(MARKER)[0].rstrip()
    known = marts()
    pointing = references(known)
    parts = [introduction, MARKER]
    for domain, heading in HEADINGS.items():
        lines = ["| table | one row per | key | points to |", "|---|---|---|---|"]
        for mart in known.values():
            if mart.domain == domain:
                points = ", ".join(
                    f"`{reference.home}` by `{reference.column}`"
                    for reference in pointing
                    if reference.mart == mart.name
                )
                key = ", ".join(f"`{column}`" for column in mart.key)
                lines.append(f"| `{mart.name}` | {mart.one_row_per} | {key} | {points} |")
        parts.append(f"## {heading}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


# The picture: in the middle what others belong to, on the left what belongs to customers alone.
MIDDLE = {"dim_customers": "customer", "fct_orders": "order", "dim_products": "product"}
STYLE = """
svg { --page: #fff; --text: #24292f; --quiet: #57606a; --head: #4a4f57; --name: #fff;
  --customer: #1f5fa8; --order: #8f5200; --product: #26713a }
@media (prefers-color-scheme: dark) {
  svg { --page: #15181c; --text: #e6e9ed; --quiet: #9aa4af; --head: #c3c9d1; --name: #15181c;
    --customer: #79b8ff; --order: #f0b35e; --product: #7fd08f }
}
text { fill: var(--text) } .key { font-weight: 600 } .name { fill: var(--name); font-weight: 600 }
.mark { fill: var(--quiet); font-size: 11px } .page { fill: var(--page) }
.other { --own: var(--head) } .customer { --own: var(--customer) } .order { --own: var(--order) }
.product { --own: var(--product) }
.box { fill: none; stroke: var(--own) } .head { fill: var(--own) } .points { fill: var(--own) }
.line { fill: none; stroke: var(--own); stroke-width: 1.6 }
"""
WIDTH, LINE, HEAD, GAP, PAD = 236, 17, 26, 14, 24
LEFT, CENTRE, RIGHT = PAD, PAD + WIDTH + 64, PAD + 2 * WIDTH + 188


@dataclass(frozen=True)
class Box:
    mart: Mart
    rows: tuple[tuple[str, str | None], ...]  # a column, and the mart it points to
    x: int
    y: int

    @property
    def height(self) -> int:
        return HEAD + LINE * len(self.rows) + 7

    def row_y(self, index: int) -> int:
        return self.y + HEAD + LINE * index + 9


def draw() -> str:
    """docs/pictures/entities.svg."""
    known = marts()
    pointing = [reference for reference in references(known) if reference.home in MIDDLE]
    targets: dict[str, dict[str, str]] = {}
    for reference in pointing:
        targets.setdefault(reference.mart, {})[reference.column] = reference.home
    left = [name for name, to in targets.items() if set(to.values()) == {"dim_customers"}]
    right = [name for name in targets if name not in left]
    boxes = [
        *_column(known, targets, [name for name in left if name not in MIDDLE], LEFT, PAD, GAP),
        *_column(known, targets, MIDDLE, CENTRE, PAD + 60, 120),
        *_column(known, targets, [name for name in right if name not in MIDDLE], RIGHT, PAD, GAP),
    ]
    place = {box.mart.name: box for box in boxes}
    width = RIGHT + WIDTH + PAD
    height = max(box.y + box.height for box in boxes) + PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12.5">',
        "<title>Which marts belong to customers, orders and products, and by which columns</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
        *_lines(place),
        *(part for box in boxes for part in _box(box)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _column(
    known: dict[str, Mart],
    targets: dict[str, dict[str, str]],
    names: Iterable[str],
    x: int,
    y: int,
    gap: int,
) -> Iterator[Box]:
    for name in names:
        to = targets.get(name, {})
        columns = dict.fromkeys((*known[name].key, *to))
        box = Box(known[name], tuple((column, to.get(column)) for column in columns), x, y)
        yield box
        y += box.height + gap


def _lines(place: dict[str, Box]) -> Iterator[str]:
    """From each column to the key that it points to, along one upright line per key and side."""
    for number, (home, entity) in enumerate(MIDDLE.items()):
        to_y = place[home].row_y(0)
        for is_left in (True, False):
            start = LEFT + WIDTH if is_left else RIGHT
            end = CENTRE if is_left else CENTRE + WIDTH
            bus = start + 32 if is_left else start - 24 - 28 * number
            heights = [
                box.row_y(index)
                for box in place.values()
                if (box.x == LEFT) == is_left and box.x != CENTRE
                for index, (_, target) in enumerate(box.rows)
                if target == home
            ]
            if heights:
                path = "".join(f"M{start} {y}H{bus}" for y in heights)
                path += f"M{bus} {min(*heights, to_y)}V{max(*heights, to_y)}M{bus} {to_y}H{end}"
                yield f'<path class="line {entity}" d="{path}"/>'
        for box in place.values():
            for index, (_, target) in enumerate(box.rows):
                if box.x == CENTRE and target == home:
                    bus = CENTRE - 16
                    path = f"M{CENTRE} {box.row_y(index)}H{bus}V{to_y + 8}H{CENTRE}"
                    yield f'<path class="line {entity}" d="{path}"/>'


def _box(box: Box) -> Iterator[str]:
    x, y, end = box.x, box.y, box.x + WIDTH
    yield f'<g class="{MIDDLE.get(box.mart.name, "other")}">'
    head = f"M{x} {y + HEAD - 4}V{y + 5}q0 -5 5 -5H{end - 5}q5 0 5 5V{y + HEAD - 4}z"
    yield f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{box.height}" rx="5"/>'
    yield f'<path class="head" d="{head}"/>'
    yield f'<text class="name" x="{x + 9}" y="{y + 15}">{escape(box.mart.name)}</text></g>'
    for index, (column, target) in enumerate(box.rows):
        y = box.row_y(index) + 4
        is_key = column in box.mart.key
        classes = [*(["key"] if is_key else []), *(["points", MIDDLE[target]] if target else [])]
        of = f' class="{" ".join(classes)}"' if classes else ""
        yield f'<text{of} x="{x + 9}" y="{y}">{escape(column)}</text>'
        if is_key:
            yield f'<text class="mark" x="{end - 9}" y="{y}" text-anchor="end">key</text>'

"""HTML and SVG that escape by construction: what is no element is text, and nothing else is."""

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Union

TAGS = frozenset(
    (
        *("a", "caption", "code", "dd", "details", "div", "dl", "dt", "footer", "h1", "h2"),
        *("h3", "header", "li", "main", "nav", "ol", "p", "section", "span", "summary"),
        *("table", "tbody", "td", "th", "thead", "tr", "ul", "svg", "circle", "desc"),
        *("line", "polygon", "polyline", "rect", "text", "title"),
    )
)
ATTRIBUTES = frozenset(
    (
        *("aria-hidden", "aria-label", "aria-labelledby", "class", "download", "focusable"),
        *("href", "id", "role", "scope", "tabindex", "cx", "cy", "dx", "dy", "height"),
        *("points", "preserveAspectRatio", "r", "rx", "text-anchor", "viewBox", "width"),
        *("x", "x1", "x2", "y", "y1", "y2"),
    )
)
LINKS = ("#", "data:text/csv;charset=utf-8,")

Child = Union["Element", str, None, Iterable["Child"]]


@dataclass(frozen=True)
class Element:
    """A tag with what is in it; texts and values of attributes are escaped when written."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Child, ...]

    def __str__(self) -> str:
        return "".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield f"<{self.tag}"
        for name, value in self.attributes:
            yield f' {name}="{html.escape(_printable(value))}"'
        yield ">"
        yield from _written(self.children)
        yield f"</{self.tag}>"


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """`class_` stands for class, `aria_label` for aria-label; what is None is left out.

    Raises ValueError for what the report has no use for: other tags and attributes (those that run
    code among them), and links to anywhere.
    """
    given = tuple(
        (_name(name), str(value)) for name, value in attributes.items() if value is not None
    )
    if tag not in TAGS:
        raise ValueError(f"no tag of the report: {tag}")
    for name, value in given:
        if name not in ATTRIBUTES:
            raise ValueError(f"no attribute of the report: {name}")
        if name == "href" and not value.startswith(LINKS):
            raise ValueError(f"no link of the report: {value[:40]}")
    return Element(tag, given, children)


def _name(python_name: str) -> str:
    return python_name.rstrip("_").replace("_", "-")


def _written(children: Iterable[Child]) -> Iterator[str]:
    for child in children:
        if isinstance(child, Element):
            yield from child._parts()
        elif isinstance(child, str):
            yield html.escape(_printable(child))
        elif child is not None:
            yield from _written(child)


def _printable(text: str) -> str:
    """Nor does text turn the direction of what is around it, or hide in it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\N{NO-BREAK SPACE}" else " " for letter in text
    )

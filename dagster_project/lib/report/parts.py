"""What a report is made of: sections of charts, each with a sentence, a drawing and its data."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from dagster_project.lib.activation.export import neutralised
from dagster_project.lib.report.markup import Element, element
from dagster_project.lib.report.wording import text

LONG = 40  # letters of a text that gets a column it can be read in


@dataclass(frozen=True)
class Column:
    """Of the data behind a chart: its name in the file, its heading, how its values are written."""

    name: str
    heading: str
    written: Callable[[Any], str] = text

    def style(self, values: Sequence[Any]) -> str | None:
        given = [value for value in values if value is not None]
        if given and all(isinstance(value, int | float | Decimal) for value in given):
            return "number"
        return "long" if any(len(str(value)) > LONG for value in given) else None


@dataclass(frozen=True)
class Data:
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    def table(self, caption: str, *, is_headed: bool = False) -> Element:
        """`is_headed`: a heading says already what the caption would."""
        values = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        classes = [column.style(given) for column, given in zip(self.columns, values, strict=True)]
        head = [
            element("th", column.heading, scope="col", class_=style)
            for column, style in zip(self.columns, classes, strict=True)
        ]
        body = []
        for row in self.rows:
            cells = [
                element(
                    "td" if position else "th",
                    column.written(value),
                    class_=style,
                    scope=None if position else "row",
                )
                for position, (column, value, style) in enumerate(
                    zip(self.columns, row, classes, strict=True)
                )
            ]
            body.append(element("tr", cells))
        return element(
            "div",
            element(
                "table",
                element("caption", caption, class_="unseen" if is_headed else None),
                element("thead", element("tr", head)),
                element("tbody", body),
            ),
            class_="scroll",
            tabindex="0",
            role="group",
            aria_label=caption,
        )

    def link(self) -> str:
        """The same as a file: CSV in UTF-8 that no spreadsheet takes formulas from."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([column.name for column in self.columns])
        for row in self.rows:
            writer.writerow([neutralised(_plain(value)) for value in row])
        return "data:text/csv;charset=utf-8," + quote("\N{BYTE ORDER MARK}" + out.getvalue())


@dataclass(frozen=True)
class Chart:
    """`sentence` answers the heading; `drawing` is missing where there is nothing to draw.
    `columns` are those of the marts whose descriptions say what is shown."""

    name: str
    heading: str
    sentence: str
    drawing: Element | None = None
    data: Data | None = None
    note: str = ""
    columns: Sequence[str] = ()
    is_wide: bool = False

    @property
    def is_missing(self) -> bool:
        return self.drawing is None and self.data is None


@dataclass(frozen=True)
class Section:
    name: str
    heading: str
    charts: Sequence[Chart] = field(default_factory=tuple)


def not_available(name: str, heading: str, because: str, columns: Sequence[str] = ()) -> Chart:
    return Chart(name, heading, f"Not available, because {because}.", columns=columns)


def tiles(*figures: tuple[str, str, Sequence[str]]) -> Element:
    """Figures with what they are, and lines on each."""
    return element(
        "dl",
        [
            element(
                "div",
                element("dt", label),
                element("dd", written, class_="big"),
                [element("dd", line, class_="small") for line in lines],
            )
            for label, written, lines in figures
        ],
        class_="tiles",
    )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value

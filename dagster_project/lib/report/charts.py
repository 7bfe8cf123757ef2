"""Drawings: SVG whose widths are percentages and whose texts keep their size on every screen.

Lines and areas are in an inner picture that stretches; their strokes do not. Colours are classes,
so that the style sheet gives each its tone on light and dark ground and on paper.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dagster_project.lib.report.markup import Child, Element, element

HEIGHT = 220
ROW = 46
WIDEST = 2  # times the longest bar; what an interval goes on beyond that is cut off, without an end
MOST_DOTS = 26  # of a curve; where there are more they only answer the pointer
Format = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """`values` by position on the axis, None where there is none; `lower` and `upper` are bounds;
    the values from position `expected_from` on are expectations."""

    name: str
    values: Sequence[float | None]
    style: str
    lower: Sequence[float | None] = ()
    upper: Sequence[float | None] = ()
    expected_from: int | None = None


@dataclass(frozen=True)
class Mark:
    """A row of `rows`: a value with bounds, and a benchmark to compare it with."""

    label: str
    value: float | None
    written: str
    style: str = "s1"
    lower: float | None = None
    upper: float | None = None
    benchmark: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A value across the whole chart, or a band of them."""

    name: str
    lower: float
    upper: float


def columns(
    name: str,
    description: str,
    labels: Sequence[str],
    series: Sequence[Series],
    written: Format,
    axis: Format,
) -> Element:
    """One column per label, made of the values of all series on top of each other."""
    sums = [sum(values) for values in _by_label(series)]
    ticks = _ticks(0, max(sums, default=0))
    width = 100 / max(len(labels), 1)
    bars: list[Child] = []
    for position, label in enumerate(labels):
        top = 0.0
        for each in series:
            value = max(each.values[position] or 0.0, 0.0)
            bars.append(
                element(
                    "rect",
                    element("title", f"{label}: {each.name} {written(value)}"),
                    class_=f"bar {each.style}",
                    x=_share(position * width + width * 0.14),
                    y=_y(top + value, ticks),
                    width=_share(width * 0.72),
                    height=f"{_height(value, ticks):.1f}",
                )
            )
            top += value
    middles = [position * width + width / 2 for position in range(len(labels))]
    return _plot(name, description, [*_grid(ticks, axis), bars, _labels(labels, middles)])


def lines(
    name: str,
    description: str,
    labels: Sequence[str],
    series: Sequence[Series],
    written: Format,
    axis: Format,
    across: Sequence[Line] = (),
    at: Sequence[float] = (),
    from_zero: bool = True,
) -> Element:
    """Curves over labels that stand at equal distances, or at the places given by `at`."""
    places = at or range(len(labels))
    last = max(places, default=0) or 1
    middles = [100 * place / last for place in places]
    shown = [
        value
        for each in series
        for values in (each.values, each.lower, each.upper)
        for value in values
        if value is not None
    ]
    shown += [value for line in across for value in (line.lower, line.upper)]
    ticks = _ticks(0 if from_zero else min(shown, default=0), max(shown, default=0))
    drawn: list[Child] = [
        element(
            "rect",
            element("title", line.name),
            class_="benchmark",
            x="0",
            width="100%",
            y=_y(line.upper, ticks),
            height=f"{max(_height(line.upper, ticks) - _height(line.lower, ticks), 1.5):.1f}",
        )
        for line in across
    ]
    curves: list[Child] = []
    dots: list[Child] = []
    for each in series:
        for run in _runs([*zip(each.lower, each.upper, strict=True)]):
            points = [(middles[place], each.upper[place]) for place in run]
            points += [(middles[place], each.lower[place]) for place in reversed(run)]
            curves.append(
                element("polygon", points=_points(points, ticks), class_=f"band {each.style}")
            )
        until = len(each.values) if each.expected_from is None else each.expected_from
        for run in _runs([(value,) for value in each.values]):
            known = [place for place in run if place < until]
            expected = [place for place in run if place >= until - 1]
            for part, style in ((known, "curve"), (expected, "curve expected")):
                if len(part) > 1:
                    points = [(middles[place], each.values[place]) for place in part]
                    curves.append(
                        element(
                            "polyline",
                            points=_points(points, ticks),
                            class_=f"{style} {each.style}",
                        )
                    )
        for place, value in enumerate(each.values):
            if value is not None:
                low = each.lower[place] if each.lower else None
                high = each.upper[place] if each.upper else None
                bounds = (
                    "" if low is None or high is None else f" ({written(low)} to {written(high)})"
                )
                style = "dot hidden" if len(labels) > MOST_DOTS else "dot"
                dots.append(
                    element(
                        "circle",
                        element("title", f"{each.name}, {labels[place]}: {written(value)}{bounds}"),
                        class_=f"{style} {each.style}",
                        cx=_share(middles[place]),
                        cy=_y(value, ticks),
                        r="3",
                    )
                )
    picture = element(
        "svg",
        curves,
        viewBox=f"0 0 100 {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=str(HEIGHT),
        class_="stretched",
    )
    return _plot(
        name, description, [*_grid(ticks, axis), drawn, picture, dots, _labels(labels, middles)]
    )


def rows(name: str, description: str, marks: Sequence[Mark], full: float | None = None) -> Element:
    """A bar for each mark, with label and value above it; `full` is what fills the width."""
    ends = [mark.upper if mark.upper is not None else mark.value for mark in marks]
    ends += [mark.benchmark[1] for mark in marks if mark.benchmark]
    limit = full or max((end for end in ends if end is not None), default=0) or 1
    if not full and (longest := max((mark.value or 0 for mark in marks), default=0)):
        limit = min(limit, WIDEST * longest)
    drawn: list[Child] = []
    for position, mark in enumerate(marks):
        top = position * ROW
        drawn += [
            element("text", mark.label, class_="label", x="0", y=str(top + 14)),
            element(
                "text", mark.written, class_="value", x="100%", y=str(top + 14), text_anchor="end"
            ),
            element(
                "rect", class_="track", x="0", y=str(top + 22), width="100%", height="12", rx="2"
            ),
        ]
        if mark.value is not None:
            drawn.append(
                element(
                    "rect",
                    class_=f"bar {mark.style}",
                    x="0",
                    y=str(top + 22),
                    width=_share(100 * max(mark.value, 0) / limit),
                    height="12",
                    rx="2",
                )
            )
        if mark.benchmark:
            low, high = (100 * bound / limit for bound in mark.benchmark)
            drawn.append(
                element(
                    "rect",
                    class_="benchmark",
                    x=_share(low),
                    y=str(top + 19),
                    width=_share(max(high - low, 0.5)),
                    height="18",
                )
            )
        if mark.lower is not None and mark.upper is not None:
            low, high = (100 * bound / limit for bound in (mark.lower, mark.upper))
            middle = str(top + 28)
            drawn.append(
                element(
                    "line",
                    class_="whisker",
                    x1=_share(low),
                    x2=_share(min(high, 100)),
                    y1=middle,
                    y2=middle,
                )
            )
            for end in (bound for bound in (low, high) if bound <= 100):
                drawn.append(
                    element(
                        "line",
                        class_="whisker",
                        x1=_share(end),
                        x2=_share(end),
                        y1=str(top + 24),
                        y2=str(top + 32),
                    )
                )
    return _drawing(name, description, drawn, len(marks) * ROW, "rows")


def flows(
    name: str, description: str, flowing: Sequence[tuple[str, int, int, int]], written: Format
) -> Element:
    """Label, how many are there, how many came and how many left: bars from the middle."""
    limit = max((max(came, left) for _, _, came, left in flowing), default=0) or 1
    drawn: list[Child] = []
    for position, (label, stock, came, left) in enumerate(flowing):
        top = position * ROW
        drawn += [
            element("text", label, class_="label", x="0", y=str(top + 14)),
            element(
                "text",
                f"{written(stock)} now",
                class_="value",
                x="100%",
                y=str(top + 14),
                text_anchor="end",
            ),
            element(
                "rect", class_="track", x="0", y=str(top + 22), width="100%", height="14", rx="2"
            ),
        ]
        for amount, style, start, anchor in (
            (left, "s2", 50 - 34 * left / limit, "end"),
            (came, "s3", 50.0, "start"),
        ):
            share = 34 * amount / limit
            drawn.append(
                element(
                    "rect",
                    class_=f"bar {style}",
                    x=_share(start),
                    y=str(top + 22),
                    width=_share(share),
                    height="14",
                )
            )
            drawn.append(
                element(
                    "text",
                    written(amount),
                    class_="small",
                    x=_share(50 + share if anchor == "start" else 50 - share),
                    dx="5" if anchor == "start" else "-5",
                    y=str(top + 33),
                    text_anchor=anchor,
                )
            )
    drawn.append(
        element("line", class_="axis", x1="50%", x2="50%", y1="20", y2=str(len(flowing) * ROW - 8))
    )
    return _drawing(name, description, drawn, len(flowing) * ROW, "rows")


def pyramid(name: str, description: str, tiers: Sequence[tuple[str, str, float, str]]) -> Element:
    """Label, what is written beside it, share and style of each tier, the narrowest on top."""
    drawn: list[Child] = []
    for position, (label, written, share, style) in enumerate(tiers):
        top = position * 58
        width = max(100 * share, 0.4)
        drawn += [
            element("text", label, class_="label", x="50%", y=str(top + 14), text_anchor="middle"),
            element(
                "text", written, class_="small", x="50%", y=str(top + 50), text_anchor="middle"
            ),
            element(
                "rect",
                class_=f"bar {style}",
                x=_share(50 - width / 2),
                y=str(top + 20),
                width=_share(width),
                height="16",
                rx="2",
            ),
        ]
    return _drawing(name, description, drawn, len(tiers) * 58, "rows")


def quadrants(name: str, description: str, cells: Sequence[tuple[str, str, str]]) -> Element:
    """Label, share and count of four cells: above the silent, below those who speak."""
    drawn: list[Child] = []
    for position, (label, share, number) in enumerate(cells):
        left, top = 51 * (position % 2), 98 * (position // 2)
        drawn += [
            element(
                "rect",
                class_=f"cell q{position + 1}",
                x=f"{left}%",
                y=str(top),
                width="49%",
                height="90",
                rx="4",
            ),
            element("text", label, class_="label", x=f"{left + 3}%", y=str(top + 24)),
            element("text", share, class_="big", x=f"{left + 3}%", y=str(top + 56)),
            element("text", number, class_="small", x=f"{left + 3}%", y=str(top + 76)),
        ]
    return _drawing(name, description, drawn, 188, "rows")


def legend(entries: Sequence[tuple[str, str]]) -> Element:
    """Names with the style that shows each: a curve's colour, `bar` and a colour, or a mark."""
    items = []
    for name, style in entries:
        if style == "whisker":
            sign = element("line", class_=style, x1="0", x2="16", y1="8", y2="8")
        elif style.startswith(("benchmark", "bar")):
            sign = element("rect", class_=style, x="0", y="3", width="16", height="10", rx="2")
        else:
            sign = element("line", class_=f"curve {style}", x1="0", x2="16", y1="8", y2="8")
        picture = element(
            "svg", sign, width="16", height="16", aria_hidden="true", focusable="false"
        )
        items.append(element("li", picture, name))
    return element("ul", items, class_="legend")


def _plot(name: str, description: str, drawn: Sequence[Child]) -> Element:
    return _drawing(name, description, drawn, HEIGHT + 26, "plot")


def _drawing(
    name: str, description: str, drawn: Sequence[Child], height: int, style: str
) -> Element:
    return element(
        "svg",
        element("title", name),
        element("desc", description),
        drawn,
        role="img",
        aria_label=f"{name}. {description}",
        class_=style,
        width="100%",
        height=str(height),
    )


def _grid(ticks: Sequence[float], axis: Format) -> list[Element]:
    drawn = []
    for tick in ticks:
        y = _y(tick, ticks)
        style = "axis" if tick == 0 else "grid"
        drawn.append(element("line", class_=style, x1="0", x2="100%", y1=y, y2=y))
        drawn.append(
            element("text", axis(tick), class_="tick", x="-8", y=y, dy="4", text_anchor="end")
        )
    return drawn


def _labels(labels: Sequence[str], middles: Sequence[float]) -> list[Element]:
    """As many as there is room for; on a narrow screen the style sheet leaves out most."""
    wide = max(math.ceil(len(labels) / 12), 1)
    longest = max(map(len, labels), default=0)
    fitting = 5 if longest < 5 else 4
    narrow = wide * max(math.ceil(len(labels) / wide / fitting), 1)
    start = 0 if labels and labels[0] == "0" else (len(labels) - 1) % narrow
    drawn = []
    for position, (label, middle) in enumerate(zip(labels, middles, strict=True)):
        if (position - start) % wide == 0:
            drawn.append(
                element(
                    "text",
                    label,
                    class_="tick" if (position - start) % narrow == 0 else "tick spare",
                    x=_share(middle),
                    y=str(HEIGHT + 20),
                    text_anchor="middle",
                )
            )
    return drawn


def _by_label(series: Sequence[Series]) -> list[tuple[float, ...]]:
    return [
        tuple(max(value or 0.0, 0.0) for value in values)
        for values in zip(*(each.values for each in series), strict=True)
    ]


def _runs(values: Sequence[Sequence[float | None]]) -> list[list[int]]:
    """Positions without a gap between them."""
    found: list[list[int]] = []
    for position, value in enumerate(values):
        if any(part is None for part in value):
            continue
        if found and found[-1][-1] == position - 1:
            found[-1].append(position)
        else:
            found.append([position])
    return found


def _ticks(low: float, high: float) -> list[float]:
    """Round values from at most `low` to at least `high`, four or five of them."""
    if high <= low:
        high = low + 1
    rough = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(position * step, 10) for position in range(first, last + 1)]


def _height(value: float, ticks: Sequence[float]) -> float:
    return HEIGHT * (value - ticks[0]) / (ticks[-1] - ticks[0])


def _y(value: float, ticks: Sequence[float]) -> str:
    return f"{HEIGHT - _height(value, ticks):.1f}"


def _points(points: Sequence[tuple[float, float | None]], ticks: Sequence[float]) -> str:
    return " ".join(f"{x:.2f},{_y(y, ticks)}" for x, y in points if y is not None)


def _share(value: float) -> str:
    return f"{value:.2f}%"

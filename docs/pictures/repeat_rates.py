"""Draws repeat-rates.svg: what fct_repurchase_rates says of a shop whose customers never change.

Usage, from the root of the project: python -m docs.pictures.repeat_rates
"""

import tempfile
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from dagster_project.lib.settings import Settings
from tests.constant_shop import build, true_rate, truth
from tests.shops import rows

PICTURE = Path(__file__).with_name("repeat-rates.svg")
WINDOW, YEARS = 180, 2
WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM, HIGHEST = 64, 836, 92, 384, 0.6  # of the plot
INK, QUIET, FAINT, SHADE = "#24292f", "#6e7781", "#dde2e7", "#f3f5f7"
TRUTH, NAIVE, CORRECTED = "#57606a", "#c2542d", "#2f6db5"
TITLE = "Recent customers come back as ever. The naive rate says they do not."
SUBTITLE = (
    f"Share who buy again within {WINDOW} days, by month of the first purchase;"
    " a simulated shop that never changes"
)


class Cohort(NamedTuple):
    """Of one month."""

    month: date
    naive: float
    rate: float | None
    lower: float | None
    upper: float | None


def cohorts(settings: Settings) -> list[Cohort]:
    found = rows(
        settings,
        f"""
        select cohort_month, naive_repurchase_rate, km_repurchase_rate, km_repurchase_rate_lower,
            km_repurchase_rate_upper
        from fct_repurchase_rates
        where dimension_name = 'all' and window_days = {WINDOW} and cohort_month is not null
        order by cohort_month
        """,
    )
    return [Cohort(*row) for row in found]


def drawn(cohorts: list[Cohort], true: float) -> str:
    """The picture as SVG, on a ground of its own: readers' pages are light or dark."""
    step = (RIGHT - LEFT) / len(cohorts)
    at = [LEFT + (number + 0.5) * step for number in range(len(cohorts))]
    known = [(x, cohort) for x, cohort in zip(at, cohorts, strict=True) if cohort.rate is not None]
    end = known[-1][0] + step / 2
    naive = [(x, cohort.naive) for x, cohort in zip(at, cohorts, strict=True)]
    band = [(x, cohort.upper) for x, cohort in known]
    band += [(x, cohort.lower) for x, cohort in reversed(known)]

    parts = [
        tag("rect", width=WIDTH, height=HEIGHT, rx=10, fill="#ffffff"),
        text(24, 38, TITLE, INK, font_size=19, font_weight=600),
        text(24, 62, SUBTITLE, QUIET),
        tag("rect", x=end, y=TOP, width=RIGHT - end, height=BOTTOM - TOP, fill=SHADE),
    ]
    for percent in (0, 20, 40, 60):
        y = height(percent / 100)
        parts.append(tag("path", d=f"M{LEFT},{y} H{RIGHT}", stroke=FAINT))
        parts.append(text(LEFT - 10, y + 4, f"{percent} %", QUIET, text_anchor="end"))
    for x, cohort in zip(at, cohorts, strict=True):
        if cohort.month.month % 3 == 1:
            name = f"{cohort.month:%b}" + f" {cohort.month.year}" * (cohort.month.month == 1)
            parts.append(text(x, BOTTOM + 22, name, QUIET, text_anchor="middle"))
    parts += [
        tag("path", d=line(band) + "Z", fill=CORRECTED, opacity=0.16),
        tag("path", d=line([(LEFT, true), (RIGHT, true)]), stroke=TRUTH, stroke_dasharray="5 4"),
        tag("path", d=line(naive), fill="none", stroke=NAIVE, stroke_width=2.2),
        tag(
            "path",
            d=line([(x, cohort.rate) for x, cohort in known]),
            fill="none",
            stroke=CORRECTED,
            stroke_width=2.2,
        ),
    ]
    parts += [tag("circle", cx=x, cy=height(rate), r=3, fill=NAIVE) for x, rate in naive]
    parts += [tag("circle", cx=x, cy=height(c.rate), r=3, fill=CORRECTED) for x, c in known]
    parts += [
        text(RIGHT, height(true) - 9, f"truth {100 * true:.1f} %", TRUTH, text_anchor="end"),
        text(at[1], height(true) - 52, "corrected rate, with its 95 % interval", CORRECTED),
        text(at[-3] - 10, height(naive[-3][1]) + 16, "naive rate", NAIVE, text_anchor="end"),
        text((end + RIGHT) / 2, TOP + 24, "nobody has had", QUIET, text_anchor="middle"),
        text((end + RIGHT) / 2, TOP + 42, f"{WINDOW} days: no rate", QUIET, text_anchor="middle"),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
            ' font-size="13" role="img">',
            f"<title>{TITLE}</title>",
            *parts,
            "</svg>\n",
        ]
    )


def height(rate: float | None) -> float:
    assert rate is not None
    return round(BOTTOM - (BOTTOM - TOP) * rate / HIGHEST, 1)


def line(points: list[tuple[float, Any]]) -> str:
    return "M" + " L".join(f"{x:.1f},{height(rate)}" for x, rate in points)


def text(x: float, y: float, words: str, color: str, **given: Any) -> str:
    return tag("text", words, x=x, y=y, fill=color, **given)


def tag(name: str, content: str = "", **given: Any) -> str:
    attributes = " ".join(
        f'{key.replace("_", "-")}="{round(value, 2) if isinstance(value, float) else value}"'
        for key, value in given.items()
    )
    return f"<{name} {attributes}>{content}</{name}>"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = cohorts(build(Path(folder), YEARS))
    PICTURE.write_text(drawn(found, true_rate(truth(), 1, WINDOW)[0]), encoding="utf-8")

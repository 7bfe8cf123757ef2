"""The page: one HTML file without scripts, which asks nobody for anything."""

import base64
import hashlib
from importlib.resources import files

from dagster_project.lib.report.markup import Element, element
from dagster_project.lib.report.parts import Chart, Section
from dagster_project.lib.report.sections.activity import experience, funnel
from dagster_project.lib.report.sections.advocacy import advocacy
from dagster_project.lib.report.sections.lifecycle import at_risk, lifecycle
from dagster_project.lib.report.sections.overview import overview
from dagster_project.lib.report.sections.predictions import predictions
from dagster_project.lib.report.sections.quality import quality
from dagster_project.lib.report.sections.repeat import repeat
from dagster_project.lib.report.sections.value import concentration, value
from dagster_project.lib.report.snapshot import Snapshot
from dagster_project.lib.report.wording import day

STYLE = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'"

# Nothing but constants stands outside elements.
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Regulars: customer report</title>
<style>{STYLE}</style>
</head>
<body>
%s
</body>
</html>
"""


def page(snapshot: Snapshot, before: Snapshot | None) -> str:
    """The report on a published version, and what changed since the one before."""
    sections = [
        overview(snapshot, before),
        lifecycle(snapshot),
        value(snapshot),
        repeat(snapshot),
        concentration(snapshot),
        advocacy(snapshot),
        experience(snapshot),
        funnel(snapshot),
        at_risk(snapshot),
        predictions(snapshot),
        quality(snapshot),
    ]
    parts = [
        element("a", "Skip to the figures", href="#figures", class_="skip"),
        element(
            "header",
            element("h1", "Your customers"),
            element("p", f"As of {day(snapshot.as_of)}", class_="as-of"),
        ),
        element(
            "nav",
            element("h2", "In this report", id="contents"),
            element(
                "ol",
                [
                    element("li", element("a", section.heading, href=f"#{section.name}"))
                    for section in sections
                ],
            ),
            aria_labelledby="contents",
        ),
        element(
            "main",
            [_section(section, snapshot) for section in sections],
            id="figures",
            tabindex="-1",
        ),
        element(
            "footer",
            element(
                "p",
                f"Version {snapshot.generation}, published on {day(snapshot.published_at)} at"
                f" {snapshot.published_at:%H:%M} UTC. Every figure is one of the published tables;"
                " what it means stands below its chart. This page has no script and loads nothing.",
            ),
        ),
    ]
    return PAGE.replace("%s", "\n".join(map(str, parts)))


def _section(section: Section, snapshot: Snapshot) -> Element:
    halves = [chart for chart in section.charts if not chart.is_wide and not chart.is_missing]
    alone = halves[-1] if len(halves) % 2 else None
    return element(
        "section",
        element("h2", section.heading, id=section.name),
        [_chart(chart, snapshot, chart is alone) for chart in section.charts],
        aria_labelledby=section.name,
    )


def _chart(chart: Chart, snapshot: Snapshot, is_alone: bool) -> Element:
    more = [_meaning(chart, snapshot)]
    if chart.data is not None and chart.data.rows:
        more.append(
            element(
                "details",
                element(
                    "summary",
                    "The figures",
                    element("span", f" of: {chart.heading}", class_="unseen"),
                ),
                chart.data.table(chart.heading, is_headed=True),
                element(
                    "p",
                    element(
                        "a",
                        "Download as CSV",
                        _unseen(f": {chart.heading}"),
                        href=chart.data.link(),
                        download=f"{chart.name}.csv",
                    ),
                ),
            )
        )
    is_wide = chart.is_wide or is_alone
    return element(
        "div",
        element("h3", chart.heading, id=f"{chart.name}-chart"),
        element("p", chart.sentence, class_="sentence"),
        chart.drawing,
        element("p", chart.note, class_="note") if chart.note else None,
        element("div", more, class_="more"),
        class_="chart" + (" missing" if chart.is_missing else " wide" if is_wide else ""),
    )


def _unseen(text: str) -> Element:
    """What tells links of the same words apart for those who hear them."""
    return element("span", text, class_="unseen")


def _meaning(chart: Chart, snapshot: Snapshot) -> Element | None:
    """The descriptions that the published tables carry."""
    described = [
        (name, snapshot.comments[name]) for name in chart.columns if name in snapshot.comments
    ]
    if not described:
        return None
    return element(
        "details",
        element("summary", "What this says", _unseen(f": {chart.heading}")),
        element(
            "dl",
            [
                [element("dt", element("code", name)), element("dd", comment)]
                for name, comment in described
            ],
        ),
    )

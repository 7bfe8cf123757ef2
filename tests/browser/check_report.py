"""The report in a real browser: `make report-check` prints the table that docs/report.md keeps.

python -m tests.browser.check_report AXE PICTURES [NAME=REPORT ...]: with reports given, of these;
else of the synthetic shop, Olist and CDNOW (REGULARS_REAL_DATA), which are built first.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from dagster_project.lib.dbt import as_of_date, mart_descriptions
from dagster_project.lib.demo.shop import write_shop
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.report.write import write_report
from tests.browser.chromium import Tab, chromium
from tests.shops import REAL_DATA, rebuild, refresh, settings_of

SCREENS = {"phone": (390, 844), "laptop": (1440, 900)}
LARGEST = 3_000_000

# What is wider than the screen, and text of a drawing that is too small or lies outside of it.
MISFITS = """
(() => {
  const found = [];
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) found.push("page is wider than the screen");
  for (const text of document.querySelectorAll("svg text")) {
    const box = text.getBoundingClientRect();
    if (!box.width) continue;
    if (parseFloat(getComputedStyle(text).fontSize) < 12) found.push("small: " + text.textContent);
    if (box.left < 0 || box.right > wide) found.push("outside: " + text.textContent);
  }
  for (const svg of document.querySelectorAll("svg.plot, svg.rows")) {
    const boxes = [...svg.querySelectorAll(":scope > text")]
      .map(text => [text.getBoundingClientRect(), text.textContent]).filter(([box]) => box.width);
    for (const [position, [one, name]] of boxes.entries())
      for (const [other, label] of boxes.slice(position + 1))
        if (one.left < other.right && other.left < one.right
            && one.top + 3 < other.bottom && other.top + 3 < one.bottom)
          found.push("overlap: " + name + " / " + label);
  }
  return found;
})()
"""


def reports(folder: Path) -> dict[str, Path]:
    """The reports of the three shops, each of its second version."""
    found = {}
    landing, warehouse = folder / "landing", folder / "demo"
    write_shop(landing, customers=5000, seed=1)
    refresh(landing, warehouse, "--as-of", "2025-11-30")
    refresh(landing, warehouse)
    found["synthetic shop"] = warehouse / "report.html"
    for name in ("olist", "cdnow"):
        if not REAL_DATA:
            print(f"{name}: left out, REGULARS_REAL_DATA names no folder", file=sys.stderr)
            continue
        settings = rebuild(settings_of(Path(REAL_DATA) / name, folder / name, connectors=name))
        publish(
            settings, run_id="report", as_of=as_of_date(settings), descriptions=mart_descriptions()
        )
        found[name] = write_report(settings)
    return found


def check(tab: Tab, name: str, report: Path, axe: str, pictures: Path) -> list[str]:
    """Prints a line per screen and scheme; returns what is wrong."""
    wrong: list[str] = []
    label = name.replace(" ", "-")
    if report.stat().st_size > LARGEST:
        wrong.append(f"{name}: {report.stat().st_size:,} bytes")
    for screen, (width, height) in SCREENS.items():
        for scheme in ("light", "dark"):
            tab.screen(width, height, scheme, is_phone=screen == "phone")
            tab.open(report)
            outside = tab.outside()
            misfits = tab.evaluate(MISFITS)
            tab.picture(pictures / f"{label}-{screen}-{scheme}.png")
            tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            tab.evaluate(axe)
            answer = json.loads(
                tab.evaluate("axe.run().then(result => JSON.stringify(result.violations))")
            )
            violations = [
                f"{item['id']}: {node['html'][:160]} {node['failureSummary']}"
                for item in answer
                for node in item["nodes"]
            ]
            print(
                f"| {name} | {screen} | {scheme} | {report.stat().st_size / 1e3:,.0f} kB"
                f" | {len(tab.complaints)} | {len(outside)} | {len(violations)} | {len(misfits)} |"
            )
            for problem in (*tab.complaints, *outside, *violations, *misfits):
                wrong.append(f"{name}, {screen}, {scheme}: {problem}")
    tab.open(report)
    tab.paper(pictures / f"{label}.pdf")
    print(f"| {name} | print | light | | {len(tab.complaints)} | {len(tab.outside())} | | |")
    wrong += [f"{name}, print: {problem}" for problem in (*tab.complaints, *tab.outside())]
    return wrong


def main(axe_file: str, picture_folder: str, *given: str) -> int:
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if not program:
        print("Chromium is needed; name it: CHROMIUM=/path/to/chromium", file=sys.stderr)
        return 2
    pictures = Path(picture_folder)
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        named = dict(item.split("=", 1) for item in given)
        found = {name: Path(file).absolute() for name, file in named.items()}
        found = found or reports(Path(folder))
        print("| shop | screen | scheme | size | console | requests outside | axe | misfits |")
        print("|---|---|---|---|---|---|---|---|")
        with chromium(program) as tab:
            axe = Path(axe_file).read_text(encoding="utf-8")
            wrong = [
                problem
                for name, report in found.items()
                for problem in check(tab, name, report, axe, pictures)
            ]
    print("\n".join(["", *wrong]) if wrong else f"\nall well; pictures are in {pictures}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

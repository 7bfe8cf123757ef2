"""dbt's documentation of the published warehouse as one file, which `make site` writes.

What dbt makes asks for icons that are not there and, where its settings say so, for a tracker. Here
the page's own policy forbids all requests, and descriptions of columns are told whole. The glossary
stands below the overview, each table in it a link.
"""

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from dagster_project.lib.errors import InputError, RegularsError
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT, Settings, load_settings

GLOSSARY_FILE = PROJECT_ROOT / "docs" / "glossary.md"
OVERVIEW = "doc.regulars.__overview__"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src data:; font-src data:; base-uri 'none'; form-action 'none'"
)
ICON = """<link rel="shortcut icon" href="${require('./assets/favicons/favicon.ico')}"/>"""
CUT_OFF = "text-overflow: ellipsis; overflow-x: hidden; white-space: nowrap; max-width: 1px;"


def write_site(settings: Settings) -> Path:
    """Write `docs.html` into the warehouse; returns where it is.

    Raises InputError where nothing is published, RegularsError where dbt fails.
    """
    if not settings.published_file.exists():
        raise InputError(f"nothing is published in {settings.warehouse}: run `regulars run` first")
    os.environ.update(settings.environment())
    with tempfile.TemporaryDirectory() as own:
        where = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)]
        where += ["--target", "published", "--target-path", own, "--log-path", own]
        parsed = _dbt(dbtRunner(), ["parse", *where])
        _dbt(dbtRunner(parsed), ["docs", "generate", "--no-compile", *where])
        manifest, catalog = (
            json.loads((Path(own) / name).read_text(encoding="utf-8"))
            for name in ("manifest.json", "catalog.json")
        )
        text = page((Path(own) / "index.html").read_text(encoding="utf-8"), manifest, catalog)
    file = settings.warehouse / "docs.html"
    file.write_text(text, encoding="utf-8")
    return file


def _dbt(runner: dbtRunner, arguments: list[str]) -> Any:
    outcome = runner.invoke(["--quiet", *arguments])
    if not outcome.success:
        raise RegularsError(f"dbt cannot document the project: {outcome.exception}")
    return outcome.result


def page(html: str, manifest: dict[str, Any], catalog: dict[str, Any]) -> str:
    """The page of dbt with all that it would ask for within it."""
    manifest["docs"][OVERVIEW]["block_contents"] += "\n\n" + glossary()
    describe_inputs(manifest)
    changes = {
        '<meta charset="utf-8">': '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        ' ng-app="dbt"': ' ng-app="dbt" ng-csp="no-unsafe-eval"',
        "<title>dbt Docs</title>": "<title>Regulars: tables and columns</title>",
        '<link rel="canonical" href="/overview/"/>': "",
        ICON: "",
        'xlink:href="{{': 'ng-attr-href="{{',  # asked for before Angular has filled it in
        CUT_OFF: "width: 60%",
        '"MANIFEST.JSON INLINE DATA"': inline(manifest),
        '"CATALOG.JSON INLINE DATA"': inline(catalog),
    }
    for old, new in changes.items():
        if old not in html:
            raise RegularsError(f"the page of dbt has changed: {old} is not in it")
        html = html.replace(old, new)
    return html


def describe_inputs(manifest: dict[str, Any]) -> None:
    """Say of files and of what is made of them by name alone what that is."""
    for table in manifest.get("sources", {}).values():
        files = ", ".join(f"`{pattern}`" for pattern in table["config"]["meta"].get("files", []))
        table["description"] = table["description"] or f"The records of the files {files}."
    for model in manifest.get("nodes", {}).values():
        connector, _, entity = model["name"].removeprefix("base_").partition("__")
        if model["name"].startswith("base_"):
            model["description"] = model["description"] or (
                f"{connector}: what it has of {entity.replace('_', ' ')}, in the columns of the"
                " contract (docs/contract.md); its SQL says from which of the source."
            )


def inline(content: dict[str, Any]) -> str:
    """JSON that no text in it can end the script of."""
    return json.dumps(content).replace("<", "\\u003c")


def glossary() -> str:
    """The glossary with links to tables instead of files."""
    text = re.sub(r"\[([^]]+)\]\([\w.-]+\.md[^)]*\)", r"\1", GLOSSARY_FILE.read_text("utf-8"))
    table = r"`((?:dim|fct)_\w+)(\.\w+)?`"
    return re.sub(table, r"[\1\2](#!/model/model.regulars.\1)", text)


if __name__ == "__main__":
    try:
        print(write_site(load_settings()))
    except RegularsError as error:
        sys.exit(str(error))

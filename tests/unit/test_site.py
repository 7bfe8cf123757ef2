"""The page of tables and columns that `make site` writes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dbt.task.docs
import pytest

from dagster_project.lib.dbt import mart_descriptions, read_manifest
from dagster_project.lib.docs.site import OVERVIEW, POLICY, glossary, page, write_site
from dagster_project.lib.errors import InputError
from tests.browser.chromium import chromium
from tests.shops import environment, settings_of

TEMPLATE = Path(dbt.task.docs.__file__).with_name("index.html").read_text(encoding="utf-8")
CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))


def content(html: str, name: str) -> dict[str, Any]:
    """What the page says of itself where dbt would ask for a file."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(
        html, html.index(f"{name}:{{") + 1 + len(name)
    )[0]
    return found


def test_the_page_asks_for_nothing_and_nobody_is_told_of_it() -> None:
    made = page(TEMPLATE, read_manifest(), {"nodes": {}})
    assert (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        in made
    )
    assert "http" not in POLICY and "connect-src" not in POLICY  # so that default-src forbids it
    assert "<link" not in made.partition("<script")[0]
    assert 'href="{{' not in made.replace('ng-attr-href="{{', "").replace('ng-href="{{', "")
    assert content(made, "manifest")["metadata"]["send_anonymous_usage_stats"] is False
    assert content(made, "catalog") == {"nodes": {}}


def test_every_source_and_model_is_described() -> None:
    manifest = content(page(TEMPLATE, read_manifest(), {}), "manifest")
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert [
        one["name"] for one in (*models, *manifest["sources"].values()) if not one["description"]
    ] == []


def test_a_text_cannot_end_the_script_that_it_stands_in() -> None:
    manifest = {"docs": {OVERVIEW: {"block_contents": "</script><script>alert(1)</script>"}}}
    made = page(TEMPLATE, manifest, {})
    assert "alert(1)</script>" not in made
    text = content(made, "manifest")["docs"][OVERVIEW]["block_contents"]
    assert text.startswith("</script><script>alert(1)</script>\n\n# What each figure means")


def test_overview_and_glossary_lead_to_models_that_exist() -> None:
    manifest = read_manifest()
    text = manifest["docs"][OVERVIEW]["block_contents"] + glossary()
    links = re.findall(r"\]\((.*?)\)", text)
    assert len(links) > 100
    for link in links:
        assert link.removeprefix("#!/model/") in manifest["nodes"], link


def test_a_page_of_dbt_that_has_changed_is_noticed() -> None:
    with pytest.raises(Exception, match="the page of dbt has changed: <title>dbt Docs"):
        page(TEMPLATE.replace("<title>dbt", "<title>new"), read_manifest(), {})


def test_without_a_published_version_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is published"):
        write_site(settings_of(tmp_path / "landing", tmp_path / "warehouse"))


@pytest.mark.long
def test_the_page_describes_what_is_published_and_opens_without_a_network(demo: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "dagster_project.lib.docs.site"],
        env=environment(REGULARS_WAREHOUSE=str(demo)),
        capture_output=True,
        text=True,
    )
    file = demo / "docs.html"
    assert (made.returncode, made.stdout) == (0, f"{file}\n"), made.stderr
    catalog = content(file.read_text(encoding="utf-8"), "catalog")["nodes"]
    marts = mart_descriptions()
    assert catalog.keys() == {f"model.regulars.{name}" for name in marts}
    for name, described in marts.items():
        columns = catalog[f"model.regulars.{name}"]["columns"].values()
        told = {column["name"]: column["comment"].split() for column in columns}
        assert told == {column: text.split() for column, text in described.columns.items()}

    if not CHROMIUM:
        pytest.skip("Chromium is not there")
    with chromium(CHROMIUM) as tab:
        tab.open(file)
        for place, text in {
            "overview": "What merchandise has brought.",
            "model/model.regulars.fct_orders": "Why the order does not count",
            "source_list/demo": "demo",
            "metric/metric.regulars.nps": "promoters",
        }.items():
            tab.evaluate(f"location.hash = '#!/{place}'; new Promise(go => setTimeout(go, 2000))")
            assert text in tab.evaluate("document.body.innerText"), place
        asked = {url for url in tab.requests if not url.startswith("data:")}
        assert asked == {file.as_uri()}
        assert tab.complaints == []

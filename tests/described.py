"""A shop whose files are described here, and a landing folder and a warehouse to take them in."""

from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.intake import doctor, intake
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.intake import IntakeReport, run_intake
from dagster_project.lib.intake.ledger import LedgerRow
from dagster_project.lib.intake.worker import Worker
from dagster_project.lib.settings import load_settings

SHOP = """
sources:
  - name: shop
    config: {meta: {title: A shop, external_location: x}}
    tables:
      - name: orders
        config: {meta: {files: ["orders", "orders[-_.]*", "orders/*"]}}
        columns:
          - {name: order_id, data_type: varchar, config: {meta: {required: true, key: true}}}
          - {name: email, data_type: varchar, config: {meta: {personal: email}}}
          - {name: status, data_type: varchar, config: {meta: {one_of: [paid, cancelled]}}}
          - {name: currency, data_type: varchar, config: {meta: {currency: true}}}
          - name: amount
            data_type: decimal(18,6)
            config: {meta: {minimum: 0, aliases: [Total]}}
          - {name: rate, data_type: "decimal(18,8)", config: {meta: {above: 0}}}
          - {name: quantity, data_type: bigint}
          - {name: is_gift, data_type: boolean}
          - {name: shipped_on, data_type: date}
          - {name: ordered_at, data_type: timestamp, config: {meta: {event_time: true}}}
      - name: visits
        config: {meta: {files: ["visits*.txt"], format: whitespace, header: false}}
        columns:
          - {name: visitor, data_type: varchar, config: {meta: {required: true}}}
          - {name: day, data_type: date, config: {meta: {date_format: "%Y%m%d"}}}
          - {name: amount, data_type: "decimal(18,6)"}
      - name: notes
        config: {meta: {files: ["notes*"], encoding: latin-1, delimiter: ";"}}
        columns:
          - {name: note, data_type: varchar}
          - {name: author, data_type: varchar}
      - name: letters
        config: {meta: {files: ["letters*"], encoding: [utf-8, windows-1252]}}
        columns:
          - {name: letter, data_type: varchar}
"""
OTHER = SHOP[: SHOP.index("      - name: visits")].replace("shop", "other")


class Shop:
    """A landing folder and a warehouse, and what a run makes of them."""

    def __init__(self, root: Path) -> None:
        self.root, self.landing, self.warehouse = root, root / "landing", root / "warehouse"
        (self.landing / "shop").mkdir(parents=True)
        self.options: dict[str, Any] = {"hash_key": "key"}

    def land(self, name: str, data: bytes | str, folder: str = "shop") -> Path:
        path = self.landing / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    @property
    def settings(self) -> Any:
        return load_settings(landing=self.landing, warehouse=self.warehouse, **self.options)

    def run(self) -> IntakeReport:
        return run_intake(self.settings, as_of=None, run_id="run")

    def file(self, report: IntakeReport, name: str) -> LedgerRow:
        return next(row for row in report.files if row.file == f"shop/{name}")

    def take(self, name: str, data: bytes | str) -> LedgerRow:
        self.land(name, data)
        return self.file(self.run(), name)

    def raw(self, columns: str, entity: str = "orders") -> list[tuple[Any, ...]]:
        folder = self.warehouse / "raw" / "shop" / entity
        query = f"select {columns} from read_parquet('{folder}/*.parquet') order by _file, _row"
        return duckdb.sql(query).fetchall()

    def rejects(self, columns: str = "line, row_number, column_name") -> list[tuple[Any, ...]]:
        folder = self.warehouse / "raw" / "intake" / "rejected_rows"
        query = (
            f"select {columns} from read_parquet('{folder}/*.parquet') order by file, row_number"
        )
        return duckdb.sql(query).fetchall()

    def snapshot(self) -> dict[str, bytes]:
        raw = self.warehouse / "raw"
        return {
            str(path.relative_to(raw)): path.read_bytes()
            for path in raw.rglob("*.parquet")
            if path.parent.name != "settings"
        }


def described_shop(root: Path, patch: pytest.MonkeyPatch, worker: Worker) -> Shop:
    """The intake knows the descriptions above only, and reads with this worker."""
    for name, text in (("shop", SHOP), ("other", OTHER)):
        folder = root / "connectors" / name
        folder.mkdir(parents=True)
        (folder / f"_{name}__sources.yml").write_text(text)
    described = partial(load_connectors, root / "connectors")
    for module in (intake, doctor):
        patch.setattr(module, "load_connectors", described)
        patch.setattr(module, "Worker", lambda: worker)
    return Shop(root)

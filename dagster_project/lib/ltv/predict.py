"""From the histories of a build to its predictions: graded, chosen, fitted, written down."""

from collections.abc import Mapping
from typing import Any

from dagster_project.lib.engine import Engine
from dagster_project.lib.ltv import tables
from dagster_project.lib.ltv.choice import DEFAULT, incumbents
from dagster_project.lib.ltv.inputs import read
from dagster_project.lib.ltv.past import fingerprint, graded, kept
from dagster_project.lib.ltv.today import predicted
from dagster_project.lib.ltv.value_auc import read_value_counts, value_aucs
from dagster_project.lib.progress import say
from dagster_project.lib.settings import Settings


def predict(settings: Settings, engine: Engine = Engine.duckdb) -> dict[str, int]:
    """Writes the tables of raw/ltv anew from the build; returns the rows of each, by name.

    They are backtests and gains, of past cut-offs; purchases, values and totals, of today;
    value_auc, of all months; and models.

    Past cut-offs that are as they were are not graded again. The table of models is emptied first
    and written last: without it, what a killed run has left counts as nothing.
    """
    limits, histories, customers = read(settings, engine)
    known, past = kept(settings), []
    enough = [one for one in histories if one.repeat_customers >= limits.min_repeat_customers]
    for number, history in enumerate(enough, start=1):
        if (key := fingerprint(history)) not in known:
            say(f"grading forecasts from {history.cut_off} ({number} of {len(enough)})")
            known[key] = graded(history)
        past.append(known[key])
    served = incumbents([one.by_pair() for one in past])
    for one, name in zip(past, served, strict=True):
        for row in one.models:
            row["is_chosen"] = row["model_name"] == name
    today = predicted(limits, customers, [DEFAULT, *served][-1], past[-1] if past else None)
    tables.write(settings, "models", tables.columns("models", []))
    written = {
        "backtests": tables.columns("backtests", [row for one in past for row in one.backtests]),
        "gains": tables.columns("gains", [row for one in past for row in one.gains]),
        "purchases": _stamped(limits.run_id, today.purchases),
        "values": _stamped(limits.run_id, today.values),
        "totals": _stamped(limits.run_id, today.totals),
        "value_auc": _stamped(limits.run_id, value_aucs(read_value_counts(settings, engine))),
        "models": tables.columns(
            "models", [row for one in past for row in one.models] + today.models
        ),
    }
    return {name: tables.write(settings, name, table) for name, table in written.items()}


def _stamped(run_id: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """With the intake that the predictions belong to, for the models ask for those of their own."""
    rows = max(map(len, table.values()))
    return {**table, "run_id": [run_id] * rows}

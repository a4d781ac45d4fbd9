"""A week of a tea shop: SQL where the rows are, Python where the thinking is.

DuckDB makes the sales up, so nothing needs to be installed or filled first. Run it:

    alula run examples/shop/pipeline.py main
    alula run examples/shop/pipeline.py main --days 30 --items '["oolong", "assam"]'
"""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from alula import StructuredDataset, kwtypes, task, workflow
from alula.tasks.databases import DuckDBTask

sales = DuckDBTask(
    query_template="""
        -- One row per day and item; a parameter is bound, so any date and any name will do.
        select {{ .inputs.start }}::timestamp + to_days(day::int) as day, item,
               (20 + 7 * sin(day + ascii(item)))::decimal(10, 2) as takings
        from range({{ .inputs.days }}) t(day), (select unnest({{ .inputs.items }}) as item)
    """,
    inputs=kwtypes(start=datetime, days=int, items=list[str]),
    output_schema_type=StructuredDataset,
)


@task
def best(sold: pd.DataFrame) -> str:
    """The item that sold best, and how well."""
    totals = sold.groupby("item")["takings"].sum().sort_values(ascending=False)
    return f"{totals.index[0]}: {totals.iloc[0]}"


@workflow
def main(days: int = 7, items: list[str] = ["green", "oolong", "earl grey"]) -> str:  # noqa: B006 - never changed
    sold = sales(start=datetime(2024, 1, 1, tzinfo=UTC), days=days, items=items)
    return best(sold=sold)

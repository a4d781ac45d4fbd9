"""Statements as text: fresh, and answered by the indexes that are meant to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest

from alula.store.sql import COMPILED, WHERE, Statement, statements
from alula.store.statements import DIALECTS, rendered

LISTED = statements("sqlite")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_kept_is_what_the_statements_make(dialect: str) -> None:
    kept = (COMPILED / f"{dialect}.json").read_text()
    assert kept == rendered(dialect), "run python -m alula.store.statements"


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for statement in LISTED.schema:
        connection.execute(statement)
    yield connection
    connection.close()


def names() -> list[str]:
    return list(json.loads((COMPILED / "sqlite.json").read_text())["statements"])


def plan(database: sqlite3.Connection, statement: Statement) -> list[str]:
    given = ["[1]" if name in ("ids", "phases") else 1 for name in statement.names]
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement.text}", given)]


WHOLE = {
    "owners": "engines are few",
    "cache_sizes": "what may go is looked for among all entries",
    "cached": "all entries are wanted, page by page",
    "executions": "a page, newest first",
    "entities": "a page, newest first",
    "entity_names": "for a message about what is not there",
    "execution_names": "for a message about what is not there",
    "pools": "all are wanted",
    "lease_before": "what is scanned was found by an index, as far as the limit",
    "open_count": "as far as the limit, in an index of open ones",
    "lease_pools": "for a list of all pools",
    "knobs": "all are wanted",
    "projects": "all are wanted, and they are few",
    "attributes": "few, and asked for by operators",
    "plans": "those of a place, or all that have a schedule",
    "ending": "what is scanned was given with it",
    "name_lock": "no table is looked at",
    "name_try": "no table is looked at",
    "stuck_all": "all are wanted, and they are few",
}
"""Statements that may look at all rows of a table, and why."""


@pytest.mark.parametrize("name", [name for name in names() if "{" not in name])
def test_no_statement_looks_at_a_whole_table_without_a_reason(database: sqlite3.Connection, name: str) -> None:
    steps = plan(database, LISTED[name])
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert not scans or name in WHOLE


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("had", "executions_open"),
        ("owned", "executions_open"),
        ("owned_of", "executions_open"),
        ("owner_forget", "executions_open"),
        ("execution_named", "executions_name"),
        ("commands", "commands_execution"),
        ("closure_delete", "executions_closure"),
        ("lease_at", "leases_attempt"),
        ("lease_free", "leases_attempt"),
        ("leases_of", "leases_attempt"),
        ("delete_leases", "leases_attempt"),
        ("lease_held", "leases_line"),
        ("lease_project", "leases_line"),
        ("lease_line", "leases_line"),
        ("lease_count", "leases_line"),
        ("page_executions.created_at.desc", "executions_told"),
        ("page_executions.started_at.desc", "executions_started"),
        ("page_executions.updated_at.asc", "executions_updated"),
        ("page_executions.duration.desc", "executions_took"),
        ("page_executions.name.asc", "executions_name"),
        ("page_executions.phase.asc", "executions_phased"),
        ("page_executions.duration.asc{any}", "executions_told"),
        ("page_executions.duration.asc{phased}", "executions_phased"),
    ],
)
def test_a_statement_uses_its_index(database: sqlite3.Connection, name: str, index: str) -> None:
    assert any(index in step for step in plan(database, LISTED[name]))


@pytest.mark.parametrize(
    ("condition", "index"),
    [("phases", "executions_phase"), ("parent", "executions_parent"), ("before", "INTEGER PRIMARY KEY")],
)
def test_a_filter_uses_its_index(database: sqlite3.Connection, condition: str, index: str) -> None:
    listing = LISTED["executions"].where([LISTED[f"executions{{{condition}}}"]])
    assert any(index in step for step in plan(database, listing))


def test_conditions_take_their_place_and_their_parameters_too() -> None:
    listing = Statement(f"SELECT x FROM t WHERE a = ? AND {WHERE} LIMIT ?", ("a", "limit"))
    narrow = listing.where([Statement("b = ? OR c = ?", ("b", "c")), Statement("d", ())])
    assert narrow.text == "SELECT x FROM t WHERE a = ? AND (b = ? OR c = ?) AND (d) LIMIT ?"
    assert narrow.names == ("a", "b", "c", "limit")
    assert listing.where([]) == listing


def test_an_insertion_takes_many_rows() -> None:
    one = Statement("INSERT INTO t (a, b) VALUES (%s, %s) ON CONFLICT (a) DO NOTHING", ("a", "b"))
    assert one.times(3).text == ("INSERT INTO t (a, b) VALUES (%s, %s), (%s, %s), (%s, %s) ON CONFLICT (a) DO NOTHING")
    assert not one.answers

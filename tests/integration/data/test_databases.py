"""Statements on real databases: parameters, types, stopping, and what goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula.data.sql.driver import Source
from alula.data.sql.drivers import DRIVERS
from alula.data.sql.work import Order, Outcome, perform
from alula.errors import Rejected, RemoteError, TaskFailure
from alula.idl import LiteralType, SimpleType, StructuredDatasetType
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres

KINDS = ["postgres", "mysql", "duckdb", "sqlite"]
ANY = StructuredDatasetType()


@pytest.fixture(scope="module")
def sources(postgres: Postgres, mariadb: MariaDB) -> Mapping[str, Source]:
    name = postgres.database().rpartition("/")[2]
    return {
        "postgres": Source("postgres", "127.0.0.1", postgres.port, "postgres", name),
        "mysql": Source("mysql", "127.0.0.1", mariadb.port, "root", mariadb.database()),
        "duckdb": Source("duckdb"),
        "sqlite": Source("sqlite"),
    }


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, sources: Mapping[str, Source]) -> Source:
    return sources[request.param]


@pytest.fixture
def server(request: pytest.FixtureRequest, sources: Mapping[str, Source]) -> Source:
    """One that goes on when this process dies."""
    return sources[request.param]


def new_name() -> str:
    return f"a{uuid4().hex}{uuid4().hex[:8]}"


def sent(source: Source, folder: Path, text: str, name: str = "", wanted: Any = ANY, **values: object) -> Outcome:
    folder.mkdir(exist_ok=True)
    return perform(DRIVERS[source.kind], source, Order(name or new_name(), text, values, wanted), folder)


def table(source: Source, folder: Path, text: str, **values: object) -> pa.Table:
    outcome = sent(source, folder / uuid4().hex, text, **values)
    assert outcome.table is not None
    return pq.read_table(outcome.table)


def cell(source: Source, folder: Path, text: str, **values: object) -> Any:
    [[value]] = [list(row.values()) for row in table(source, folder, text, **values).to_pylist()]
    return value


HOSTILE = [
    "'; drop table x; --",
    '"',
    "\\",
    "\\'",
    "{{ .inputs.b }}",
    "%s",
    "%(a)s",
    "?",
    "$1",
    ":a",
    "€ \U0001f600",
    "",
]


def test_hostile_text_comes_back_as_it_was(source: Source, tmp_path: Path) -> None:
    for text in HOSTILE:
        assert cell(source, tmp_path, "select {{ .inputs.a }} as a", a=text) == text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    number=st.integers(-(2**63), 2**63 - 1),
)
def test_any_text_and_number_come_back(
    kind: str, sources: Mapping[str, Source], tmp_path: Path, text: str, number: int
) -> None:
    source = sources[kind]
    [row] = table(source, tmp_path, "select {{ .inputs.t }} as t, {{ .inputs.n }} as n", t=text, n=number).to_pylist()
    assert row == {"t": text, "n": number}


MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_times_none_and_bytes_come_back(source: Source, tmp_path: Path) -> None:
    naive, span = MOMENT.replace(tzinfo=None), timedelta(hours=30, microseconds=5)
    found = table(
        source,
        tmp_path,
        "select {{ .inputs.m }} as m, {{ .inputs.s }} as s, {{ .inputs.n }} as n, {{ .inputs.b }} as b,"
        " {{ .inputs.d }} as d",
        m=MOMENT,
        s=span,
        n=None,
        b=b"\0'\xff",
        d=date(2024, 2, 29),
    )
    [row] = found.to_pylist()
    assert (row["n"], row["b"]) == (None, b"\0'\xff")
    assert str(row["d"]) == "2024-02-29"
    assert row["m"] == {"postgres": MOMENT, "duckdb": MOMENT}.get(source.kind, str(naive))
    texts = {"mysql": "30:00:00.000005", "sqlite": span.total_seconds()}
    assert row["s"] == texts.get(source.kind, span)


def test_lists_follow_in(source: Source, tmp_path: Path) -> None:
    assert cell(source, tmp_path, "select 2 in {{ .inputs.l }} as a", l=[1, 2]) in (True, 1)
    assert cell(source, tmp_path, "select 'b''' in ({{ .inputs.l }}) as a", l=["a", "b'"]) in (True, 1)
    if source.kind == "postgres":
        with pytest.raises(Rejected, match=r"empty list for 'l' after IN"):
            cell(source, tmp_path, "select 2 in {{ .inputs.l }} as a", l=[])
        assert cell(source, tmp_path, "select 2 <> all({{ .inputs.l }}) as a", l=[]) is True
    else:
        assert cell(source, tmp_path, "select 2 not in {{ .inputs.l }} as a", l=[]) in (True, 1)


def test_an_empty_result_keeps_its_columns(source: Source, tmp_path: Path) -> None:
    found = table(source, tmp_path, "select 1 as a, 'x' as b where 1 = 0")
    assert (found.num_rows, found.column_names) == (0, ["a", "b"])


def test_names_that_are_there_twice_are_told_apart(source: Source, tmp_path: Path) -> None:
    names = table(source, tmp_path, "select 1 as a, 2 as a").column_names
    assert len(set(names)) == 2


def test_several_statements_are_refused(source: Source, tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        sent(source, tmp_path, "select 1; select 2")


def test_a_fault_is_told_with_the_databases_words(source: Source, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"the database refuses the statement: .*nothing_there") as raised:
        sent(source, tmp_path, "select * from nothing_there")
    assert raised.value.code == "QueryFailed"


def test_declared_columns_are_checked(source: Source, tmp_path: Path) -> None:
    def declared(**types: SimpleType) -> StructuredDatasetType:
        columns = [
            StructuredDatasetType.DatasetColumn(name=name, literal_type=LiteralType(simple=kind))
            for name, kind in types.items()
        ]
        return StructuredDatasetType(columns=columns)

    text = "select 1 as n, 'x' as s"
    fits = declared(n=SimpleType.INTEGER, s=SimpleType.STRING)
    assert sent(source, tmp_path / "1", text, wanted=fits).rows == 1
    with pytest.raises(Rejected, match="has no column 'm' and has string in column 's', which is declared as integer"):
        sent(source, tmp_path / "2", text, wanted=declared(m=SimpleType.INTEGER, s=SimpleType.INTEGER))


def test_a_statement_without_an_output_writes_nothing(source: Source, tmp_path: Path) -> None:
    outcome = sent(source, tmp_path, "create temporary table t (a int)", wanted=None)
    assert outcome.table is None
    assert not list(tmp_path.iterdir())
    with pytest.raises(Rejected, match="has no columns"):
        sent(source, tmp_path, "create temporary table t (a int)")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("postgres", "select n as n, repeat('x', 100) as s from generate_series(1, 300000) n"),
        ("mysql", "select seq as n, repeat('x', 100) as s from seq_1_to_300000"),
        ("duckdb", "select range + 1 as n, repeat('x', 100) as s from range(300000)"),
        (
            "sqlite",
            "with recursive t(n) as (select 1 union all select n + 1 from t where n < 300000)"
            " select n, printf('%.100c', 'x') as s from t",
        ),
    ],
)
def test_many_rows_come_in_pieces(kind: str, text: str, sources: Mapping[str, Source], tmp_path: Path) -> None:
    seen: list[int] = []
    outcome = perform(
        DRIVERS[kind],
        sources[kind],
        Order(new_name(), text, {}, ANY),
        tmp_path,
        progress=lambda rows, size: seen.append(rows),
    )
    assert outcome.rows == 300_000
    steps = [after - before for before, after in zip([0, *seen], seen, strict=False)]
    assert max(steps) <= 20_000
    assert outcome.table is not None
    file = pq.ParquetFile(outcome.table)
    assert sum(batch.column("n").to_numpy().sum() for batch in file.iter_batches()) == 300_000 * 300_001 // 2


def test_types_of_postgres_are_kept(sources: Mapping[str, Source], tmp_path: Path) -> None:
    found = table(
        sources["postgres"],
        tmp_path,
        "select 1::int2 as i2, 2::int8 as i8, 1.5::float4 as f4, 1.25::numeric(20, 5) as d, 1.0/3 as n, true as b,"
        " '2024-01-02 03:04:05+02'::timestamptz as tz, '2024-01-02 03:04:05'::timestamp as ts,"
        " '2024-01-02'::date as day,"
        " '01:02:03'::time as t, '26 hours'::interval as i, '{\"a\": [1]}'::jsonb as j, '\\x00ff'::bytea as by,"
        " array['a', null] as l, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as u, '10.0.0.1'::inet as net,"
        " null::int as x",
    )
    assert {one.name: str(one.type) for one in found.schema} == {
        "i2": "int16",
        "i8": "int64",
        "f4": "float",
        "d": "decimal128(20, 5)",
        "n": "decimal128(38, 20)",
        "b": "bool",
        "tz": "timestamp[us, tz=UTC]",
        "ts": "timestamp[us]",
        "day": "date32[day]",
        "t": "time64[us]",
        "i": "duration[us]",
        "j": "string",
        "by": "binary",
        "l": "list<element: string>",
        "u": "string",
        "net": "string",
        "x": "int32",
    }
    [row] = found.to_pylist()
    assert (row["d"], row["n"]) == (Decimal("1.25"), Decimal("0.33333333333333333333"))
    assert row["tz"] == datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert (row["j"], row["by"], row["l"], row["x"]) == ('{"a": [1]}', b"\0\xff", ["a", None], None)


def test_types_of_mariadb_are_kept(sources: Mapping[str, Source], tmp_path: Path) -> None:
    source = sources["mysql"]
    sent(
        source,
        tmp_path,
        "create table kept (i tinyint, u bigint unsigned, d decimal(20, 5), e decimal(50, 10), f float,"
        " ts timestamp(6), dt datetime(6), day date, t time(6), j json, bl blob, tx text, y year, x int)",
        wanted=None,
    )
    sent(
        source,
        tmp_path,
        "insert into kept values (1, 18446744073709551615, 1.25, 1.5, 1.5, {{ .inputs.m }}, {{ .inputs.m }},"
        " '2024-01-02', '-26:00:00.5', '{\"a\": 1}', x'00ff', 'é', 2024, null)",
        wanted=None,
        m=MOMENT,
    )
    found = table(source, tmp_path, "select * from kept")
    assert {one.name: str(one.type) for one in found.schema} == {
        "i": "int8",
        "u": "uint64",
        "d": "decimal128(20, 5)",
        "e": "decimal256(50, 10)",
        "f": "float",
        "ts": "timestamp[us, tz=UTC]",
        "dt": "timestamp[us]",
        "day": "date32[day]",
        "t": "duration[us]",
        "j": "string",
        "bl": "binary",
        "tx": "string",
        "y": "int16",
        "x": "int32",
    }
    [row] = found.to_pylist()
    assert (row["u"], row["ts"], row["dt"]) == (2**64 - 1, MOMENT, MOMENT.replace(tzinfo=None))
    assert (row["t"], row["bl"], row["tx"], row["x"]) == (-timedelta(hours=26, seconds=0.5), b"\0\xff", "é", None)


def test_columns_of_sqlite_widen_as_values_come(sources: Mapping[str, Source], tmp_path: Path) -> None:
    text = (
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 200000)"
        " select case when n < 150000 then null when n < 180000 then n when n < 190000 then n + 0.5 else 'x' end as a"
        " from t"
    )
    found = table(sources["sqlite"], tmp_path, text)
    assert str(found.schema.field("a").type) == "string"
    values = found.column("a").to_pylist()
    assert (values[0], values[149_999], values[-1], len(values)) == (None, "150000", "x", 200_000)


def test_files_stay_within(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for kind, text in (
        ("duckdb", f"select * from '{secret}'"),
        ("duckdb", f"copy (select 1) to '{tmp_path / 'out.csv'}'"),
        ("sqlite", f"attach '{tmp_path / 'x.db'}' as x"),
    ):
        with pytest.raises(Rejected):
            sent(Source(kind), tmp_path, text, wanted=None)
    assert [one.name for one in tmp_path.iterdir()] == ["secret.csv"]
    assert cell(Source("duckdb", outside=True), tmp_path, f"select a from '{secret}'") == 1


def test_a_file_is_read_only_unless_told_otherwise(tmp_path: Path) -> None:
    for kind in ("duckdb", "sqlite"):
        path = str(tmp_path / f"{kind}.db")
        if kind == "sqlite":
            Path(path).touch()
        sent(Source(kind, database=path, read_only=False), tmp_path, "create table t as select 7 as a", wanted=None)
        assert cell(Source(kind, database=path), tmp_path, "select a from t") == 7
        with pytest.raises(Rejected):
            sent(Source(kind, database=path), tmp_path, "insert into t values (8)", wanted=None)


SLEEPS = {"postgres": "select pg_sleep(600)", "mysql": "select sleep(600)"}


@pytest.mark.parametrize("server", SLEEPS, indirect=True)
def test_a_statement_is_found_and_stopped_from_another_process(server: Source, tmp_path: Path) -> None:
    driver, name, ended = DRIVERS[server.kind], new_name(), threading.Event()
    raised: list[BaseException] = []

    def sleeper() -> None:
        try:
            sent(server, tmp_path, SLEEPS[server.kind], name=name)
        except RemoteError as exc:
            raised.append(exc)
        ended.set()

    threading.Thread(target=sleeper, daemon=True).start()
    _until(lambda: name in driver.names(server))
    with pytest.raises(RemoteError, match="another session still has the name"):
        driver.open(server, name)
    assert driver.stop(server, name) is True
    assert name not in driver.names(server)
    assert ended.wait(10)
    assert len(raised) == 1
    assert driver.stop(server, name) is False


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_statement_in_this_process_is_interrupted(kind: str, tmp_path: Path) -> None:
    text = {
        "duckdb": "select sum(a.range * b.range) as s from range(1000000) a, range(1000000) b",
        "sqlite": "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) as c from t",
    }
    order = Order(new_name(), text[kind], {}, ANY)
    timer: list[threading.Timer] = []

    def opened(session: Any) -> None:
        timer.append(threading.Timer(0.5, session.interrupt))
        timer[0].start()

    with pytest.raises(RemoteError, match="cancelled"):
        perform(DRIVERS[kind], Source(kind), order, tmp_path, opened=opened)


def test_a_deadlock_may_be_tried_again(sources: Mapping[str, Source], tmp_path: Path) -> None:
    source = sources["postgres"]
    text = "do $$ begin raise exception 'they wait for each other' using errcode = '40P01'; end $$"
    with pytest.raises(TaskFailure, match="they wait for each other") as raised:
        sent(source, tmp_path, text, wanted=None)
    assert raised.value.recoverable


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_server_that_is_not_there_is_nobodys_fault(kind: str, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="the database does not answer") as raised:
        sent(Source(kind, "127.0.0.1", 1, "u", "d"), tmp_path, "select 1")
    assert not isinstance(raised.value, Rejected)


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_time_limit_of_the_server_is_the_statements_end(
    kind: str, sources: Mapping[str, Source], tmp_path: Path
) -> None:
    limits = {
        "postgres": {"options": "-c statement_timeout=200"},
        "mysql": {"init_command": "set max_statement_time=0.2"},
    }
    source = replace(sources[kind], options=limits[kind])
    endless = "select sum(a.seq + b.seq) from seq_1_to_100000000 a, seq_1_to_1000 b"  # `sleep` would just end sooner
    with pytest.raises(Rejected, match="the database refuses the statement"):
        sent(source, tmp_path, endless if kind == "mysql" else SLEEPS[kind])


def test_passwords_are_not_shown() -> None:
    assert "hunter2" not in repr(Source("postgres", password="hunter2"))


def test_a_session_that_dies_is_noticed(sources: Mapping[str, Source], postgres: Postgres, tmp_path: Path) -> None:
    source, name = sources["postgres"], new_name()
    session = DRIVERS["postgres"].open(source, name)
    with psycopg.connect(postgres.url(), autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", [name])
    with pytest.raises(RemoteError):
        list(session.run("select 1", []))
    session.close()


def _until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        pause.wait(0.02)

"""The schema through the versions: fresh is the same as upgraded, and every database that was ever released opens.

`released/` holds a database of each version of the schema, as `make_release` below wrote it (run this file as a
program) when the version was new. Such a file is never changed.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from alula.store.opening import open_store
from alula.store.records import Changes, EntityRecord, ExecutionKey
from alula.store.sql import statements
from alula.store.upgrading import config, upgrade
from alula.store.versions import HEAD, REVISIONS
from tests.integration.store.rows import CLOSING, claimed, node, paths, step
from tests.servers.postgres import Postgres, binaries

RELEASED = Path(__file__).parent / "released"


def test_all_versions_are_known_in_their_order() -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]
    assert tuple(reversed(revisions)) == REVISIONS


def schema(file: Path) -> list[tuple[str, str]]:
    database = sqlite3.connect(file)
    found = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    database.close()
    # A column that is added to a table stands in its text without the spaces that others have.
    return [(name, re.sub(r"\s*([,()])\s*", r"\1", " ".join(sql.split()))) for name, sql in found]


async def test_an_upgraded_file_is_like_a_fresh_one(tmp_path: Path) -> None:
    fresh, upgraded = tmp_path / "fresh.db", tmp_path / "upgraded.db"
    await open_store(str(fresh)).aclose()
    raw = sqlite3.connect(upgraded, isolation_level=None)
    raw.execute("BEGIN")
    upgrade(raw, "sqlite://")
    raw.close()
    assert schema(upgraded) == schema(fresh)
    await use(str(upgraded))


async def test_an_upgraded_server_is_like_a_fresh_one(postgres: Postgres) -> None:
    fresh, upgraded = postgres.database(), postgres.database()
    await open_store(fresh).aclose()
    with psycopg.connect(upgraded) as raw:
        upgrade(raw, "postgresql+psycopg://")
    assert dump(upgraded) == dump(fresh)
    await use(upgraded)


def dump(url: str) -> list[str]:
    """What `pg_dump` says of a schema; its tables and columns, not the order of what it says."""
    command = [str(binaries() / "pg_dump"), "--schema-only", "--no-owner", url]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted(line for line in lines if line and not line.startswith(("--", "\\")))


async def test_an_upgrade_that_was_broken_off_is_made_good(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with sqlite3.connect(file) as raw:
        raw.execute(next(sql for sql in statements("sqlite").schema if "alula_version" in sql))
    await use(str(file))
    with sqlite3.connect(file) as raw:
        assert raw.execute("SELECT version_num FROM alula_version").fetchall() == [(HEAD,)]


async def test_an_upgrade_that_was_broken_off_on_a_server_is_made_good(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as raw:
        raw.execute(next(sql for sql in statements("postgresql").schema if "alula_version" in sql).encode())
    await use(postgres_url)


def test_a_file_of_the_present_version_opens_without_the_libraries_of_upgrades(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from alula.store.opening import open_store\n"
        "for _ in range(2): asyncio.run(open_store(sys.argv[1]).aclose())\n"
        "print(sorted({'sqlalchemy', 'alembic', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store.db")], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


async def use(url: str) -> None:
    store = open_store(url)
    claim = await claimed(store)
    await store.commit(claim, step("n0"))
    assert await paths(store, claim.execution) == ["n0"]
    await store.aclose()


# Releases


def test_there_is_a_database_of_each_version() -> None:
    assert sorted(file.stem for file in RELEASED.iterdir()) == sorted(REVISIONS)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_released_database_opens_and_has_what_it_had(tmp_path: Path, revision: str) -> None:
    file, fresh = tmp_path / "store.db", tmp_path / "fresh.db"
    old = sqlite3.connect(file)
    old.executescript((RELEASED / f"{revision}.sql").read_text())
    old.close()
    store = open_store(str(file))
    done = await store.execution(ExecutionKey("p", "d", "done"))
    assert (done.phase, done.open, done.outputs) == ("succeeded", False, b"outputs")
    going = await store.execution(ExecutionKey("p", "d", "going"))
    (claim,) = await store.claim("b", limit=1, only=[going.id])
    assert (await store.load(claim)).nodes == (node("n0"),)
    assert (await store.entity("task", "p", "d", "t")).spec == b"spec"
    await store.aclose()
    await open_store(str(fresh)).aclose()
    assert schema(file) == schema(fresh)


async def make_release() -> None:
    """Write a database of the present version, with something in it."""
    file = RELEASED / "made.db"
    store = open_store(str(file))
    await store.commit(await claimed(store, "done"), CLOSING)
    await store.commit(await claimed(store, "going"), Changes(nodes=(node("n0"),)))
    await store.register([EntityRecord("task", "p", "d", "t", "v", "digest", b"spec")])
    await store.retire("a")
    await store.aclose()
    database = sqlite3.connect(file)
    (RELEASED / f"{HEAD}.sql").write_text("\n".join(database.iterdump()) + "\n")
    database.close()
    file.unlink()


if __name__ == "__main__":
    asyncio.run(make_release())

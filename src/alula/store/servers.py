"""Postgres databases that are opened: checked, filled with the schema, upgraded."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

from alula._kits import lazy
from alula.config import Durability
from alula.errors import ConfigError, StoreError
from alula.store.postgres import Postgres, Session, connect, failure, place
from alula.store.sql import statements
from alula.store.versions import HEAD, VERSION_TABLE, check, foreign

if TYPE_CHECKING:
    from alula.store import upgrading
else:
    upgrading = lazy.module("alula.store.upgrading")

OLDEST = 15
_QUOTED = re.compile('"([^"]*)"')
_LOCK = 0x616C756C61
"""Of the server, taken by whoever makes or upgrades a schema."""


def open_server(url: str, *, durability: Durability, busy_timeout: timedelta) -> Postgres:
    """The database at a URL, with the schema in it."""
    user = url.partition("://")[2].partition("?")[0].rpartition("@")[0]
    if "@" in user or "/" in user:  # psycopg would take a part of the password for the host, and say so
        raise _no_url("a sign in the user or the password divides it")
    try:
        with connect(url, busy_timeout=busy_timeout) as session:
            _prepare(session, url)
    except psycopg.ProgrammingError as exc:
        if exc.sqlstate is not None:
            raise failure(exc, url) from exc
        if any(said in url.rpartition("@")[0] or "@" in said for said in _QUOTED.findall(str(exc))):
            raise _no_url("a sign in the user or the password means something else") from None
        raise _no_url(" ".join(str(exc).split())) from exc
    except psycopg.Error as exc:
        raise failure(exc, url) from exc
    return Postgres(url, durability=durability, busy_timeout=busy_timeout)


def _no_url(why: str) -> ConfigError:
    """Never with a part of the password."""
    return ConfigError(
        f"this is no URL of a Postgres database: {why}",
        where="store.url",
        fix="postgresql://user:password@host:5432/database; in a password write % as %25, @ as %40, / as %2F",
    )


def _prepare(session: Session, url: str) -> None:
    """See to it that a database has the present schema."""
    if session.info.server_version < OLDEST * 10_000:
        raise StoreError(
            f"Postgres {session.info.server_version // 10_000} is too old",
            where=place(url),
            fix=f"upgrade the server to Postgres {OLDEST} or newer",
        )
    encoding = session.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database has the encoding {encoding}, which does not hold every text",
            where=place(url),
            fix="make one that does: CREATE DATABASE alula ENCODING 'UTF8' TEMPLATE template0; pg_dump moves rows",
        )
    if not _behind(session, url):
        return
    session.autocommit = False
    session.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    if not _ours(session):
        for statement in statements("postgresql").schema:
            session.execute(statement.encode())
        session.execute(f"INSERT INTO {VERSION_TABLE} VALUES (%s)".encode(), (HEAD,))
    elif _behind(session, url):  # nobody else was faster
        upgrading.upgrade(session, "postgresql+psycopg://")
    session.commit()


def _behind(session: Session, url: str) -> bool:
    """Whether there is something to make or to upgrade."""
    if _ours(session):
        found = session.execute(f"SELECT version_num FROM {VERSION_TABLE}".encode()).fetchall()
        return check([version for (version,) in found], where=place(url))
    if _there(session, "executions"):
        raise foreign(["executions"], where=place(url))
    return True


def _ours(session: Session) -> bool:
    return _there(session, VERSION_TABLE)


def _there(session: Session, table: str) -> bool:
    # Not to_regclass, which goes by what its session remembers, and may not hear of what another one just made.
    found = session.execute(
        "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = %s", (table,)
    )
    return found.fetchone() is not None

"""The kinds of databases."""

from __future__ import annotations

from collections.abc import Mapping

from alula.data.sql.driver import Driver
from alula.data.sql.duck import DuckDB
from alula.data.sql.mysql import MySQL
from alula.data.sql.postgres import Postgres
from alula.data.sql.sqlite import SQLite

DRIVERS: Mapping[str, Driver] = {one.kind: one for one in (Postgres(), MySQL(), DuckDB(), SQLite())}

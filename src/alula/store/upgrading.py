"""Upgrades of a database to the present schema, by Alembic. Imported only when there is one to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

MIGRATIONS = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings for our migrations."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def upgrade(raw: Any, url: str, *, to: str = "head") -> None:
    """Bring a database to a version of the schema, and end the transaction that has begun on `raw`.

    Args:
        raw: The driver's connection.
        url: `sqlite://` or `postgresql+psycopg://`: which of the two it is.
        to: The version.
    """
    engine = create_engine(url, creator=lambda: raw, poolclass=StaticPool)
    with engine.connect() as connection:
        command.upgrade(config(connection), to)
        connection.commit()

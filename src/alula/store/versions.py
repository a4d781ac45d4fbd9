"""Which version of the schema a database has, and what is done about it. Alembic is imported only to upgrade."""

from __future__ import annotations

from collections.abc import Sequence

from alula.errors import StoreDamaged

REVISIONS = ("0001", "0002", "0003")
"""All versions of the schema, oldest first, as in `migrations/versions`."""
HEAD = REVISIONS[-1]
VERSION_TABLE = "alula_version"


def check(found: Sequence[str], *, where: str) -> bool:
    """Whether a database that has the version table must be upgraded.

    Raises:
        StoreDamaged: Its version is none that this program knows.
    """
    if list(found) == [HEAD]:
        return False
    if not found:  # what an upgrade leaves that was broken off at its very beginning
        return True
    if len(found) == 1 and found[0] in REVISIONS:
        return True
    version = ", ".join(found)
    raise StoreDamaged(
        f"the database has version {version} of the schema, and this Alula knows {REVISIONS[0]} to {HEAD}",
        where=where,
        fix="upgrade Alula (pip install --upgrade alula): the database was written by a newer one",
    )


def foreign(tables: Sequence[str], *, where: str) -> StoreDamaged:
    """What is wrong with a database that holds tables of somebody else, and none of ours."""
    return StoreDamaged(
        f"this database holds something else: {', '.join(sorted(tables)[:5])}",
        where=where,
        fix="give Alula a database of its own (store.url)",
    )

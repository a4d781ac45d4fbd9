"""A whole store on a database, SQLite or Postgres."""

from __future__ import annotations

from alula.store.cached import Cache
from alula.store.documents import Documents
from alula.store.engines import Engines
from alula.store.entities import Entities
from alula.store.pages import Pages
from alula.store.plans import Plans
from alula.store.pooled import Pools
from alula.store.queries import Queries


class SqlStore(Engines, Pools, Queries, Pages, Entities, Plans, Documents, Cache):
    """A whole store.

    Args:
        database: Where it is. It has the present schema, and is closed with the store.
    """

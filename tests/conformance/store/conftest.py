"""The databases behind stores."""

from __future__ import annotations

from tests.servers.fixtures import postgres as postgres
from tests.servers.fixtures import postgres_url as postgres_url

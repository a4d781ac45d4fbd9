"""Fixtures of these tests."""

from tests.servers.fixtures import postgres as postgres
from tests.servers.fixtures import postgres_url as postgres_url

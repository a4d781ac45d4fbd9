"""Servers that plugins are verified on."""

from __future__ import annotations

from tests.servers.fixtures import mariadb as mariadb
from tests.servers.fixtures import postgres as postgres

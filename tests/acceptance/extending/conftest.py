"""The five ways to extend: each case is a program, run by commands with real containers."""

from __future__ import annotations

from tests.integration.images.conftest import engine as engine
from tests.integration.images.conftest import place as place
from tests.servers.fixtures import docker as docker

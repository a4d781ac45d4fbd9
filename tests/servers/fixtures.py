"""Fixtures of servers, for the `conftest.py` of a folder to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.servers.control_plane import ControlPlane
from tests.servers.control_plane import control_plane as served
from tests.servers.docker import Docker, NoDocker, docker_engine
from tests.servers.mariadb import MariaDB, NoMariaDB, mariadb_server
from tests.servers.postgres import NoPostgres, Postgres, postgres_server
from tests.servers.slurm import NoSlurm, Slurm, slurm_cluster


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres for all tests, in which nothing is to be broken."""
    try:
        with postgres_server() as server:
            yield server
    except NoPostgres as exc:
        needs("Postgres", str(exc))


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """A new, empty database."""
    return postgres.database()


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm cluster for all tests; who stops a part of it starts that again."""
    try:
        with slurm_cluster() as cluster:
            yield cluster
    except NoSlurm as exc:
        needs("Slurm", str(exc))


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """A Docker engine for all tests, with the image `tests.servers.docker.BUSYBOX`; who stops it starts it again."""
    try:
        with docker_engine() as engine:
            engine.busybox()
            yield engine
    except NoDocker as exc:
        needs("Docker", str(exc))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB for all tests, in which nothing is to be broken."""
    try:
        with mariadb_server() as server:
            yield server
    except NoMariaDB as exc:
        needs("MariaDB", str(exc))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, flytekit_python: Path) -> Iterator[ControlPlane]:
    """`alula serve` for all tests, each of which works in a project or under versions of its own."""
    environ = {"ALULA__WORKERS__PYTHON": str(flytekit_python)}
    with served(tmp_path_factory.mktemp("control-plane"), environ=environ) as server:
        yield server

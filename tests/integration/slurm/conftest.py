"""A cluster, and engines that hand jobs to it."""

from __future__ import annotations

from tests.servers.fixtures import slurm as slurm

"""The plugin `slurm` on a real cluster, with everything that can go wrong at each of its calls."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from alula import kwtypes
from alula.backends.slurm import Slurm
from alula.backends.slurm.config import SlurmSettings
from alula.tasks.slurm import SlurmTask
from alula.testing.kit import Case, Grade, Harness, Remote, verify
from tests.servers import slurm as servers
from tests.servers.fixtures import slurm as slurm
from tests.unit.backends.lending import template_of

JOB = SlurmTask(
    name="job",
    script='while [ ! -e "$PWD/finish" ]; do [ -e "$PWD/fail" ] && exit 7; sleep 0.05; done; echo 4 > {{.outputs.y}}',
    inputs=kwtypes(x=int),
    outputs=kwtypes(y=int),
)


class Cluster(Remote):
    """The jobs of one run, on a cluster that has those of others, too."""

    def __init__(self, cluster: servers.Slurm) -> None:
        self.cluster = cluster
        self.home = Path(tempfile.mkdtemp(prefix="alula-slurm-kit-"))
        self.before = {line.split()[0] for line in self._jobs()}

    def _jobs(self) -> list[str]:
        return self.cluster.run("squeue", "--noheader", "--format=%i %j %T").splitlines()

    def live(self) -> Sequence[str]:
        rows = [line.split() for line in self._jobs()]
        return [name for id, name, state in rows if id not in self.before and state != "COMPLETING"]

    def finish(self, name: str) -> None:
        self._touch(name, "finish")

    def fail(self, name: str) -> None:
        self._touch(name, "fail")

    def _touch(self, name: str, what: str) -> None:
        if (self.home / name).is_dir():
            (self.home / name / what).touch()

    def close(self) -> None:
        for line in self._jobs():
            if line.split()[0] not in self.before:
                self.cluster.run("scancel", "--full", line.split()[0])
        shutil.rmtree(self.home, ignore_errors=True)


class SlurmHarness(Harness):
    pace = 60
    seconds = 60
    aborts_within = timedelta(seconds=10)

    def __init__(self, cluster: servers.Slurm) -> None:
        self.cluster = cluster

    def remote(self) -> Cluster:
        return Cluster(self.cluster)

    def plugin(self, remote: Cluster) -> Slurm:
        return Slurm(SlurmSettings(conf=str(self.cluster.conf), directory=str(remote.home)))

    def cases(self) -> Sequence[Case]:
        return [Case(template=template_of(JOB), inputs={"x": 2}, outputs={"y": 4})]


@pytest.mark.timeout(300)
def test_no_fault_leaves_a_job_running_or_starts_it_twice(slurm: servers.Slurm) -> None:
    report = verify(SlurmHarness(slurm))
    print(report.text())
    assert report.grade is Grade.A, report.text()

"""What the plugin concludes from what a cluster says, and from what it does not say any more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from alula.backends.slurm.plugin import Slurm, SlurmKey
from alula.backends.slurm.states import SlurmView
from alula.backends.slurm.transport import SlurmState, refused
from alula.errors import Rejected, RemoteError, RemoteNotFound, Throttled

NAME = "a" + "0" * 40


class Controller:
    """A cluster's answers, written down beforehand."""

    def __init__(self, *jobs: SlurmState) -> None:
        self.jobs, self.cancelled = list(jobs), list[int]()

    async def submit(self, job: object) -> int:
        raise AssertionError("nothing is submitted here")

    async def named(self, name: str) -> list[SlurmState]:
        return [job for job in self.jobs if job.name == name]

    async def states(self, ids: Sequence[int]) -> list[SlurmState]:
        return [job for job in self.jobs if job.id in ids]

    async def live(self) -> list[SlurmState]:
        return [job for job in self.jobs if job.live]

    async def cancel(self, ids: Sequence[int]) -> None:
        self.cancelled += ids
        self.jobs = [job for job in self.jobs if job.id not in ids]

    async def aclose(self) -> None: ...


def plugin(controller: Controller) -> Slurm:
    made = Slurm()
    made._transport = controller
    return made


async def test_a_number_that_was_given_to_another_job_is_not_taken_for_ours() -> None:
    other = Controller(SlurmState(1, "somebody-elses", "RUNNING"))
    made = plugin(other)
    [found] = await made.get([SlurmKey(1, NAME)])
    assert isinstance(found, RemoteNotFound)
    await made.delete(SlurmKey(1, NAME))
    assert other.cancelled == []


async def test_a_job_that_slurm_has_forgotten_is_known_by_the_exit_code_that_it_left(tmp_path: Path) -> None:
    made, keys = plugin(Controller()), []
    for number, code in enumerate(("0\n", "7\n", "")):
        home = tmp_path / str(number)
        home.mkdir()
        if code:
            (home / "slurm-exit").write_text(code)
        keys.append(SlurmKey(number, NAME, str(home)))
    done, failed, gone = await made.get(keys)
    assert isinstance(done, SlurmView)
    assert isinstance(failed, SlurmView)
    assert (done.rows[0].state, failed.rows[0].state, failed.rows[0].exit_code) == ("COMPLETED", "FAILED", 7)
    assert isinstance(gone, RemoteNotFound)


async def test_only_jobs_that_are_named_by_us_are_owned_and_all_of_a_name_are_reclaimed() -> None:
    controller = Controller(
        SlurmState(1, NAME, "RUNNING"), SlurmState(2, NAME, "PENDING"), SlurmState(3, "training", "RUNNING")
    )
    made = plugin(controller)
    owned = await made.owned()
    assert [(one.name, one.what) for one in owned] == [(NAME, "Slurm job 1"), (NAME, "Slurm job 2")]
    await made.reclaim(owned[0])
    assert controller.cancelled == [1, 2]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", Rejected),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not available", Rejected),
        ("sbatch: error: Invalid generic resource (gres) specification", Rejected),
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            RemoteError,
        ),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", RemoteError),
        (
            "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's "
            "size and/or time limits)",
            Throttled,
        ),
        ("Slurm temporarily unable to accept job, sleeping and retrying", Throttled),
        (
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\nsbatch: error: Batch job "
            "submission failed: Socket timed out on send/recv operation",
            RemoteError,
        ),
        ("", RemoteError),
    ],
)
def test_what_a_cluster_says_decides_whether_it_is_asked_again(said: str, kind: type[Exception]) -> None:
    assert type(refused(said, "sbatch")) is kind

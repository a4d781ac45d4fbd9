"""What happens to the tasks of a run: they succeed, fail, are tried again, aborted, or take too long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alula.testing.kit.harness import Harness, Nowhere, Remote


class Abort(StrEnum):
    """When somebody aborts the execution."""

    AT_ONCE = "before it begins"
    CREATING = "while its first call to the plugin is under way"
    RUNNING = "while the job runs"
    ENDING = "at the moment at which the job ends"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run: what the jobs of its attempts come to, and what people do meanwhile."""

    name: str
    ends: str = "succeeded"
    """How the execution must end."""
    fates: tuple[str, ...] = ("finish",)
    """Of the jobs of its attempts, the last one for all that follow: `finish`, `fail`, `hang`."""
    retries: int = 0
    timeout: float = 0.0
    """Seconds, for an attempt; 0: none."""
    abort: Abort | None = None
    executions: int = 1
    """How many of the same run at the same time."""
    lasts: float = 4.0
    """Seconds that a job takes."""
    outages: tuple[float, ...] = ()
    """Seconds at which an outage of six minutes begins."""
    faults: bool = True
    """Whether faults are tried in it."""

    def fate(self, attempt: int) -> str:
        return self.fates[min(attempt, len(self.fates) - 1)]


SCENARIOS = (
    Scenario("succeeds"),
    Scenario("three at once", executions=3),
    Scenario("fails", ends="failed", fates=("fail",)),
    Scenario("is tried again", fates=("fail", "finish"), retries=1),
    Scenario("takes too long", ends="failed", fates=("hang",), timeout=20.0),
    Scenario("is aborted before it begins", ends="aborted", fates=("hang",), abort=Abort.AT_ONCE),
    Scenario("is aborted while it is made", ends="aborted", fates=("hang",), abort=Abort.CREATING),
    Scenario("is aborted while it runs", ends="aborted", fates=("hang",), abort=Abort.RUNNING),
    Scenario("is aborted as it ends", ends="aborted", abort=Abort.ENDING),
    Scenario("goes on through three outages", lasts=2_000.0, outages=(2.0, 700.0, 1_400.0), faults=False),
)


def scenarios_of(harness: Harness, remote: Remote) -> list[Scenario]:
    """Those that can be had with a remote."""
    found = []
    for scenario in SCENARIOS:
        if "fail" in scenario.fates and type(remote).fail is Remote.fail:
            continue
        if "hang" in scenario.fates and harness.ends_by_itself and scenario.abort is not Abort.AT_ONCE:
            continue
        if scenario.outages and harness.pace:
            continue
        if isinstance(remote, Nowhere) and (
            scenario.timeout or scenario.outages or scenario.abort in (Abort.RUNNING, Abort.ENDING)
        ):
            continue
        found.append(scenario)
    return found

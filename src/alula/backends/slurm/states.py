"""What the states of Slurm jobs mean for an attempt; pure."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from alula.backends.slurm.transport import SlurmState
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Json, Phase, PhaseInfo

_WHY = {
    "Resources": "nodes are busy",
    "Priority": "other jobs come first",
    "Dependency": "another job has to end first",
    "BeginTime": "its time has not come",
    "JobHeldUser": "it is held: scontrol release",
    "JobHeldAdmin": "an administrator holds it",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition takes no jobs now",
    "PartitionNodeLimit": "it asks for more nodes than the partition allows",
    "PartitionTimeLimit": "it asks for more time than the partition allows",
    "PartitionConfig": "it asks for more than the partition has",
    "ReqNodeNotAvail": "a node that it asks for is not available",
    "BadConstraints": "no node satisfies its constraints",
    "Licenses": "licenses are taken",
    "Reservation": "its reservation has not begun",
    "AssociationJobLimit": "the account runs as many jobs as it may",
    "JobArrayTaskLimit": "the array runs as many at once as it may",
    "launch_failed_requeued_held": "it could not be launched, and is held",
}
"""Reasons of Slurm in plain words. Source: squeue(1), JOB REASON CODES."""

_LOST = {
    "NODE_FAIL": "a node of the job failed",
    "BOOT_FAIL": "a node of the job did not boot",
    "REVOKED": "another cluster of the federation took the job",
}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SlurmView:
    """All that is known of one attempt's job: its elements, or that one if it is no array."""

    rows: tuple[SlurmState, ...]

    @property
    def live(self) -> bool:
        return any(row.live for row in self.rows)


def phase_of(view: SlurmView) -> PhaseInfo:
    """Where the attempt stands. An array is over when all its elements are; the worst of them decides."""
    rows = view.rows
    infos = [_phase(row) for row in rows]
    if len(infos) == 1:
        return infos[0]
    over = [info for info in infos if info.phase.terminal]
    if len(over) < len(infos):
        running = any(info.phase is not Phase.QUEUED for info in infos)
        reason = f"{len(over)} of {len(infos)} elements of the array are over"
        return PhaseInfo(
            Phase.RUNNING if running else Phase.QUEUED, reason, progress=len(over) / len(infos), custom=_facts(rows)
        )
    failed = [(row, info) for row, info in zip(rows, infos, strict=True) if info.phase is not Phase.SUCCEEDED]
    if not failed:
        return PhaseInfo(Phase.SUCCEEDED, progress=1.0, custom=_facts(rows))
    _, worst = failed[0]
    assert worst.failure is not None or worst.phase is Phase.ABORTED
    if worst.failure is None:
        return worst
    said = "; ".join(dict.fromkeys(info.reason for _, info in failed[:_SHOWN]))
    text = f"{len(failed)} of {len(rows)} elements of the array failed: {said}"
    failure = worst.failure
    return PhaseInfo.failed(failure.code, text, kind=failure.kind, recoverable=failure.recoverable)


def _phase(row: SlurmState) -> PhaseInfo:
    facts = _facts((row,))
    match row.state:
        case "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT" | "RESV_DEL_HOLD":
            return PhaseInfo(Phase.QUEUED, _waits(row), custom=facts)
        case "CONFIGURING" | "POWER_UP_NODE":
            return PhaseInfo(Phase.STARTING, f"Slurm job {row.id}: its nodes come up", custom=facts)
        case "SUSPENDED" | "STOPPED":
            return PhaseInfo(Phase.RUNNING, f"Slurm job {row.id} is {row.state.lower()}", custom=facts)
        case "COMPLETING" | "STAGE_OUT" | "SIGNALING":
            return PhaseInfo(Phase.RUNNING, f"Slurm job {row.id} is ending", custom=facts)
        case "RUNNING" | "RESIZING":
            where = f" on {row.nodes}" if row.nodes else ""
            return PhaseInfo(Phase.RUNNING, f"Slurm job {row.id} runs{where}", custom=facts)
        case "COMPLETED":
            return PhaseInfo(Phase.SUCCEEDED, progress=1.0, custom=facts)
        case "CANCELLED":
            return PhaseInfo(Phase.ABORTED, f"somebody cancelled Slurm job {row.id}", custom=facts)
    return _failed(row)


def _failed(row: SlurmState) -> PhaseInfo:
    what = f"Slurm job {row.id}"
    match row.state:
        case "FAILED":
            if row.reason in ("JobLaunchFailure", "SystemFailure"):
                return _system("SlurmLaunchFailed", f"{what} could not be launched: {row.reason}")
            if row.signal and not row.exit_code:
                name = _signal(row.signal)
                return PhaseInfo.failed(f"USER:{name}", f"{what} was ended by {name}", recoverable=True)
            code = f"USER:Exit{row.exit_code}" if row.exit_code else "USER:SlurmFailed"
            ended = f"ended with exit code {row.exit_code}" if row.exit_code else f"failed: {row.reason or 'no reason'}"
            return PhaseInfo.failed(code, f"{what} {ended}", recoverable=True)
        case "TIMEOUT":
            text = f"{what} ran longer than its time limit; give it more: Slurm(time_limit=...)"
            return PhaseInfo.failed("SlurmTimeLimit", text, recoverable=True)
        case "DEADLINE":
            return PhaseInfo.failed("SlurmDeadline", f"{what} could not end before its deadline")
        case "OUT_OF_MEMORY":
            text = f"{what} took more memory than it asked for; give it more: Slurm(memory=...)"
            return PhaseInfo.failed("OutOfMemory", text, recoverable=True)
        case "PREEMPTED":
            kind = FailureKind.INTERRUPTED
            return PhaseInfo.failed("SlurmPreempted", f"{what} was preempted", kind=kind, recoverable=True)
    return _system(f"Slurm{row.state.title().replace('_', '')}", f"{what}: {_LOST.get(row.state, row.state)}")


def _system(code: str, text: str) -> PhaseInfo:
    return PhaseInfo.failed(code, text, kind=FailureKind.SYSTEM, recoverable=True)


def _waits(row: SlurmState) -> str:
    if not row.reason:
        return f"Slurm job {row.id} waits to be looked at"
    why = _WHY.get(row.reason) or _WHY.get(row.reason.split(",")[0])
    if why is None and row.reason.startswith(("QOS", "Assoc")):
        why = "a limit of the account or its quality of service"
    return f"Slurm job {row.id} waits: {why} ({row.reason})" if why else f"Slurm job {row.id} waits: {row.reason}"


def _facts(rows: Sequence[SlurmState]) -> dict[str, Json]:
    states: dict[str, Json] = {"job": rows[0].id}
    if len(rows) == 1:
        return {**states, "state": rows[0].state, "nodes": rows[0].nodes}
    for row in rows:
        count = states.get(row.state, 0)
        states[row.state] = (count if isinstance(count, int) else 0) + 1
    return states


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

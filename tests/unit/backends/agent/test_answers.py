"""What agents say, as the engine reads it: phases, errors and who pays (M35, P10), answers in parts (S9)."""

from __future__ import annotations

import pytest

from alula.backends.agent.answers import Gathered, info_of, said
from alula.errors import Rejected, RemoteError
from alula.idl import ExecutionError, TaskExecution, literals
from alula.idl.agent import AgentError, ExecuteTaskSyncResponse, ExecuteTaskSyncResponseHeader, Resource, State, TaskLog
from alula.plugin.failure import FailureKind
from alula.plugin.phase import LogLink, Phase

WHERE = "agent a at b:1"


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        (TaskExecution.QUEUED, Phase.QUEUED),
        (TaskExecution.WAITING_FOR_RESOURCES, Phase.WAITING),
        (TaskExecution.INITIALIZING, Phase.STARTING),
        (TaskExecution.RUNNING, Phase.RUNNING),
        (TaskExecution.SUCCEEDED, Phase.SUCCEEDED),
        (TaskExecution.ABORTED, Phase.ABORTED),
        (TaskExecution.FAILED, Phase.FAILED),
        (TaskExecution.RETRYABLE_FAILED, Phase.FAILED),
    ],
)
def test_every_phase_has_its_meaning(said: TaskExecution.Phase, phase: Phase) -> None:
    assert info_of(Resource(phase=said), where=WHERE).phase is phase


def test_no_phase_of_flyteidl_is_missing() -> None:
    for name, number in TaskExecution.Phase.items():
        if name != "UNDEFINED":
            info_of(Resource(phase=number), where=WHERE)


def test_a_phase_that_there_is_not_is_an_error_that_names_it() -> None:
    strange = Resource.FromString(b"\x28\x63")  # field 5, 99
    with pytest.raises(RemoteError, match="99 is no phase"):
        info_of(strange, where=WHERE)


@pytest.mark.parametrize(
    ("state", "phase", "again"),
    [
        (State.RETRYABLE_FAILURE, Phase.FAILED, True),
        (State.PERMANENT_FAILURE, Phase.FAILED, False),
        (State.PENDING, Phase.QUEUED, None),
        (State.RUNNING, Phase.RUNNING, None),
        (State.SUCCEEDED, Phase.SUCCEEDED, None),
    ],
)
def test_the_deprecated_state_counts_where_there_is_no_phase(state: State, phase: Phase, again: bool | None) -> None:
    info = info_of(Resource(state=state), where=WHERE)
    assert (info.phase, info.failure.recoverable if info.failure else None) == (phase, again)


@pytest.mark.parametrize("origin", [ExecutionError.UNKNOWN, ExecutionError.USER, ExecutionError.SYSTEM])
@pytest.mark.parametrize("kind", [AgentError.RECOVERABLE, AgentError.NON_RECOVERABLE])
@pytest.mark.parametrize("phase", [TaskExecution.FAILED, TaskExecution.RETRYABLE_FAILED])
def test_the_error_says_whether_to_try_again_and_who_pays(
    phase: TaskExecution.Phase, kind: AgentError.Kind, origin: ExecutionError.ErrorKind
) -> None:
    error = AgentError(code="C", kind=kind, origin=origin)
    failure = info_of(Resource(phase=phase, message="m", agent_error=error), where=WHERE).failure
    assert failure is not None
    assert (failure.code, failure.message) == ("C", "m")
    assert failure.recoverable is (phase == TaskExecution.RETRYABLE_FAILED or kind == AgentError.RECOVERABLE)
    assert failure.kind is (FailureKind.SYSTEM if origin == ExecutionError.SYSTEM else FailureKind.USER)


def test_links_and_facts_are_shown_in_every_phase() -> None:
    for phase in (TaskExecution.RUNNING, TaskExecution.FAILED, TaskExecution.SUCCEEDED):
        resource = Resource(phase=phase, log_links=[TaskLog(name="log", uri="http://x"), TaskLog(name="none")])
        resource.custom_info["rows"] = 7
        info = info_of(resource, where=WHERE)
        assert info.links == (LogLink("log", "http://x"),)
        assert info.custom == {"rows": 7}


def part(**outputs: int) -> ExecuteTaskSyncResponse:
    values = literals.literal_map({name: literals.integer(value) for name, value in outputs.items()})
    return ExecuteTaskSyncResponse(outputs=values)


HEAD = ExecuteTaskSyncResponse(header=ExecuteTaskSyncResponseHeader(resource=Resource(phase=TaskExecution.SUCCEEDED)))


def test_an_answer_is_put_together_from_its_parts() -> None:
    gathered = Gathered(limit=1_000)
    for one in (HEAD, part(a=1), part(b=2)):
        gathered.add(one)
    assert sorted(gathered.done().outputs.literals) == ["a", "b"]


def test_too_much_is_the_tasks_fault() -> None:
    limit = part(a=1).outputs.ByteSize()
    gathered = Gathered(limit)
    gathered.add(HEAD)
    gathered.add(part(a=1))
    with pytest.raises(Rejected, match=f"more than {limit} bytes") as refused:
        gathered.add(part(b=2))
    assert refused.value.code == "OutputSizeExceeded"


@pytest.mark.parametrize("parts", [[part(a=1)], [HEAD, HEAD], [ExecuteTaskSyncResponse()]])
def test_parts_that_have_no_place_are_the_agents_fault(parts: list[ExecuteTaskSyncResponse]) -> None:
    gathered = Gathered(limit=1_000)
    for one in parts[:-1]:
        gathered.add(one)
    with pytest.raises(RemoteError, match="the agent sent"):
        gathered.add(parts[-1])


def test_no_answer_is_the_agents_fault() -> None:
    with pytest.raises(RemoteError, match="before it gave one"):
        Gathered(limit=1).done()


def test_what_a_connector_of_flytekit_raised_comes_first() -> None:
    assert said("failed\nTrace:\n  line 1\nMessage:\n\n    ValueError: no.").startswith("ValueError: no.\nfailed")
    assert said("plain") == "plain"

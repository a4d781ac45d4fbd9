"""What fails, fails with the author's own error; policies and handlers decide what still runs."""

import dataclasses
import traceback

import pytest

import alula
from alula import TaskError, Workflow, WorkflowFailurePolicy, conditional, dynamic, map_task, task, workflow
from alula.errors import AlulaError, CompileError, ConversionError

RAN: list[object] = []
PATIENT = WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


class Odd(Exception):
    """Cannot be made again from its `args`."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__()
        self.code, self.reason = code, reason


class Slotted(Exception):
    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        self.code = code


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


class Closed(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError("nothing may be set")


class OwnNotes(Exception):
    __notes__ = ("mine",)


ODD = {
    "odd": lambda: Odd(3, reason="why"),
    "slotted": lambda: Slotted(3),
    "frozen": lambda: Frozen(3),
    "closed": lambda: Closed("x"),
    "own notes": lambda: OwnNotes("x"),
    "group": lambda: ExceptionGroup("several", [ValueError("a"), KeyError("b")]),
    "keyboard": lambda: KeyboardInterrupt(),
    "exit": lambda: SystemExit(4),
    "stop": lambda: StopIteration(5),
    "unicode": lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
}


@task
def plain(kind: str) -> int:
    raise ODD[kind]()


@task(retries=1)
def retried(kind: str) -> int:
    raise ODD[kind]()


@task(retries=1)
async def awaited(kind: str) -> int:
    raise ODD[kind]()


@dynamic
def in_dynamic(kind: str) -> int:
    return plain(kind=kind)


@workflow
def in_workflow(kind: str) -> int:
    return plain(kind=kind)


@task(timeout=10)
def timed(kind: str) -> int:
    raise ODD[kind]()


@workflow
def retried_in_workflow(kind: str) -> int:
    return retried(kind=kind)


@workflow
def awaited_in_workflow(kind: str) -> int:
    return awaited(kind=kind)


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    "entity", [plain, retried, timed, in_workflow, retried_in_workflow, awaited_in_workflow, in_dynamic], ids=repr
)
def test_the_author_gets_his_own_exception_back(entity: object, kind: str) -> None:
    expected = ODD[kind]()
    if kind == "stop" and entity is awaited_in_workflow:
        expected = RuntimeError()  # Python itself turns it into one in a coroutine
    with pytest.raises(type(expected)) as caught:
        entity(kind=kind)  # type: ignore[operator]
    assert type(caught.value) is type(expected)
    assert getattr(caught.value, "code", None) == getattr(expected, "code", None)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert kind == "stop" or names[-1] in ("plain", "retried", "awaited", "timed")


def test_the_error_names_the_task_its_line_and_each_workflow_once() -> None:
    with pytest.raises(Odd) as caught:
        in_workflow(kind="odd")
    notes = "\n".join(caught.value.__notes__)
    assert notes.count("test_failures.plain") == 1
    assert "test_failures.py:" in notes


def test_a_cause_is_kept() -> None:
    @task
    def chained() -> int:
        try:
            return 1 // 0
        except ZeroDivisionError as exc:
            raise Odd(1, reason="x") from exc

    @workflow
    def wf() -> int:
        return chained()

    with pytest.raises(Odd) as caught:
        wf()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


SHARED = ValueError("raised again and again")


@task
def raises_shared(x: int) -> int:
    raise SHARED


def test_one_exception_object_raised_many_times_does_not_grow() -> None:
    for _ in range(5):
        with pytest.raises(ValueError):
            raises_shared(x=1)
        with pytest.raises(ValueError):
            map_task(raises_shared)(x=[1])
    assert len(SHARED.__notes__) <= 3


# policies


@task
def ok(x: int) -> int:
    RAN.append(x)
    return x


@task
def bad(x: int) -> int:
    RAN.append(f"bad {x}")
    raise ValueError(f"bad {x}")


@task
def void_after(x: int) -> None:
    RAN.append(f"void {x}")


@workflow
def at_once() -> int:
    ok(x=1)
    bad(x=2)
    return ok(x=3)


@workflow(failure_policy=PATIENT)
def patient() -> int:
    first = ok(x=1)
    broken = bad(x=2)
    ok(x=broken)
    bad(x=3)
    after = ok(x=4)
    ordered = ok(x=5)
    broken >> ordered
    first >> after
    return ok(x=6)


def test_a_failure_ends_the_workflow_at_once() -> None:
    with pytest.raises(ValueError, match="bad 2"):
        at_once()
    assert RAN == [1, "bad 2"]


def test_a_patient_workflow_runs_what_does_not_need_the_failed_and_raises_the_first_error() -> None:
    with pytest.raises(ValueError, match="bad 2"):
        patient()
    assert RAN == [1, "bad 2", "bad 3", 4, 6]


@workflow(failure_policy=PATIENT)
def patient_branches(x: int) -> int:
    broken = bad(x=x)
    conditional("needs").if_(broken > 0).then(ok(x=1)).else_().then(ok(x=2))
    conditional("inside").if_(x > 0).then(ok(x=broken)).else_().then(ok(x=3))
    conditional("free").if_(x > 0).then(ok(x=4)).else_().then(ok(x=5))
    return ok(x=6)


def test_a_patient_workflow_skips_branches_that_need_the_failed() -> None:
    with pytest.raises(ValueError, match="bad 1"):
        patient_branches(x=1)
    assert RAN == ["bad 1", 4, 6]


@workflow
def inner_at_once(x: int) -> int:
    bad(x=x)
    return ok(x=10)


@workflow(failure_policy=PATIENT)
def outer_patient() -> int:
    inner_at_once(x=1)
    return ok(x=20)


def test_each_workflow_has_its_own_policy() -> None:
    with pytest.raises(ValueError, match="bad 1"):
        outer_patient()
    assert RAN == ["bad 1", 20]


# handlers


@task
def handler(x: int, err: TaskError | None = None) -> None:
    assert err is not None
    RAN.append(("handled", x, err.message, err.failed_node_id))


@task
def plain_handler(x: int) -> None:
    RAN.append(("plain", x))


@task
def broken_handler(x: int) -> None:
    raise KeyError("the handler is broken too")


@workflow(on_failure=handler)
def handled(x: int) -> int:
    ok(x=x)
    return bad(x=x)


@workflow(on_failure=handler)
def handled_well(x: int) -> int:
    return ok(x=x)


def test_the_handler_gets_the_inputs_and_the_error_and_the_error_stays() -> None:
    with pytest.raises(ValueError, match="bad 7") as caught:
        handled(x=7)
    assert RAN == [7, "bad 7", ("handled", 7, "bad 7", "n1")]
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "bad"


def test_the_handler_does_not_run_without_a_failure() -> None:
    assert handled_well(x=1) == 1
    assert RAN == [1]


def test_a_handler_that_fails_is_a_note_on_the_error() -> None:
    @workflow(on_failure=broken_handler)
    def wf(x: int) -> int:
        return bad(x=x)

    with pytest.raises(ValueError, match="bad 1") as caught:
        wf(x=1)
    assert any("broken_handler" in note and "KeyError" in note for note in caught.value.__notes__)


@workflow
def cleaning(x: int, err: TaskError | None = None) -> None:
    handler(x=x, err=err)
    plain_handler(x=x)


@workflow(on_failure=cleaning)
def handled_by_workflow(x: int) -> int:
    return bad(x=x)


def test_a_workflow_may_be_the_handler() -> None:
    with pytest.raises(ValueError, match="bad 2"):
        handled_by_workflow(x=2)
    assert [each[:2] for each in RAN[1:]] == [("handled", 2), ("plain", 2)]  # type: ignore[index]


@workflow(on_failure=plain_handler, failure_policy=PATIENT)
def handled_later(x: int) -> int:
    bad(x=x)
    return ok(x=x)


def test_the_handler_runs_after_everything_else() -> None:
    with pytest.raises(ValueError, match="bad 1"):
        handled_later(x=1)
    assert RAN == ["bad 1", 1, ("plain", 1)]


@workflow(on_failure=plain_handler)
def outer_handled(x: int) -> int:
    return handled(x=x)


def test_handlers_run_from_the_inside_out() -> None:
    with pytest.raises(ValueError, match="bad 1"):
        outer_handled(x=1)
    assert [each[0] for each in RAN[2:]] == ["handled", "plain"]  # type: ignore[index]


def test_an_imperative_workflow_has_a_handler_too() -> None:
    wf = Workflow(name="failures.imperative")
    x = wf.add_workflow_input("x", int)
    wf.add_entity(bad, x=x)
    wf.add_on_failure_handler(handler)
    with pytest.raises(ValueError, match="bad 3"):
        wf(x=3)
    assert RAN[-1] == ("handled", 3, "bad 3", "n0")


@dataclasses.dataclass
class MyTaskErrorReport:
    text: str = "own"


@task
def similar(x: int, report: MyTaskErrorReport | None = None) -> None:
    RAN.append(report)


@task
def with_defaults(x: int, note: str = "none", err: TaskError | None = None, err2: str | None = None) -> None:
    RAN.append((note, type(err).__name__, err2))


def test_only_an_input_of_the_error_type_gets_the_error() -> None:
    @workflow(on_failure=similar)
    def one(x: int) -> int:
        return bad(x=x)

    @workflow(on_failure=with_defaults)
    def other(x: int) -> int:
        return bad(x=x)

    for wf in (one, other):
        with pytest.raises(ValueError, match="bad 1") as caught:
            wf(x=1)
        assert not any("failed too" in note for note in caught.value.__notes__)
    assert RAN == ["bad 1", None, "bad 1", ("none", "TaskError", None)]


def test_a_handler_that_does_not_fit_is_refused_when_compiling() -> None:
    @workflow(on_failure=plain_handler)
    def other_inputs(y: int) -> int:
        return bad(x=y)

    with pytest.raises(CompileError, match=r"(?s)plain_handler.*'y'.*'x'"):
        other_inputs(y=1)
    assert RAN == []


def test_a_handler_of_a_workflow_without_inputs_gets_the_error() -> None:
    @task
    def lone(err: TaskError | None = None) -> None:
        RAN.append(err.message if err else None)

    @workflow(on_failure=lone)
    def wf() -> int:
        return bad(x=1)

    with pytest.raises(ValueError, match="bad 1"):
        wf()
    assert RAN == ["bad 1", "bad 1"]


# after an error


def test_an_error_leaves_no_context_behind() -> None:
    before = alula.current_context()
    for entity in (plain, retried, in_workflow, in_dynamic):
        with pytest.raises(Odd):
            entity(kind="odd")
        assert alula.current_context() is before
    assert ok(x=1) == 1


def test_an_error_while_reading_a_workflow_leaves_tasks_callable() -> None:
    @workflow
    def broken() -> int:
        raise RuntimeError("in the body")

    with pytest.raises(RuntimeError, match="in the body"):
        broken()
    assert ok(x=1) == 1


def test_a_wrong_output_is_named_with_the_task_and_the_line() -> None:
    @task
    def wrong() -> dict[str, list[int]]:
        return {"k": [1, "x"]}  # type: ignore[list-item]

    @workflow
    def wf() -> dict[str, list[int]]:
        return wrong()

    with pytest.raises(ConversionError, match=r"(?s)output 'o0' of 'wrong'.*k.*1.*'x'.*test_failures\.py:\d+"):
        wf()


@dataclasses.dataclass
class Picky:
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise RuntimeError("too picky")


def test_an_error_of_the_authors_own_class_while_a_result_is_taken_names_the_task() -> None:
    @task
    def spoilt() -> Picky:
        made = Picky(1)
        made.x = -1
        return made

    with pytest.raises(RuntimeError, match="too picky") as caught:
        spoilt()
    assert any("spoilt" in note for note in caught.value.__notes__)


def test_a_wrong_input_of_a_workflow_is_named_with_its_path() -> None:
    @workflow
    def wf(d: dict[str, list[int]]) -> int:
        return ok(x=1)

    with pytest.raises(AlulaError, match=r"(?s)input 'd' of 'wf'.*k.*1.*'x'"):
        wf(d={"k": [1, "x"]})  # type: ignore[list-item]

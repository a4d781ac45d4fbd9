"""Gates with answers, references with stand-ins, patched tasks, new contexts."""

import contextlib
import datetime
import io
from typing import List
from unittest.mock import patch as patch_object

from flytekit import (
    FlyteContextManager,
    approve,
    get_reference_entity,
    reference_launch_plan,
    reference_task,
    reference_workflow,
    sleep,
    task,
    wait_for_input,
    workflow,
)
from flytekit.exceptions.user import FlyteDisapprovalException
from flytekit.models.core.identifier import ResourceType
from flytekit.testing import patch, task_mock


@task
def produce(a: int) -> int:
    return a + 3


@task
def consume(a: int, b: int) -> str:
    return f"{a} {b}"


@workflow
def sleeper(a: int) -> int:
    s = sleep(datetime.timedelta(seconds=10))
    p = produce(a=a)
    s >> p
    return p


@workflow
def asks(a: int) -> str:
    x = produce(a=a)
    number = wait_for_input("number", timeout=datetime.timedelta(hours=1), expected_type=int)
    return consume(a=x, b=number)


@workflow
def approves(a: int) -> str:
    x = produce(a=a)
    ok = approve(x, "ok?", timeout=datetime.timedelta(hours=1))
    return consume(a=ok, b=x)


@reference_task(project="shared", domain="production", name="models.train", version="v7")
def train(data: List[str], epochs: int) -> float:
    return 0.0


@reference_workflow(project="shared", domain="production", name="models.pipeline", version="v7")
def pipeline(epochs: int) -> float:
    return 0.0


@reference_launch_plan(project="shared", domain="production", name="models.plan", version="v7")
def plan(epochs: int) -> float:
    return 0.0


other = get_reference_entity(ResourceType.TASK, "p", "d", "n", "v", inputs={"a": int}, outputs={"o0": int})


@workflow
def uses(epochs: int) -> float:
    train(data=["x"], epochs=epochs)
    return train(data=["a"], epochs=epochs)


@workflow
def uses_wf(epochs: int) -> float:
    return pipeline(epochs=epochs)


@task
def t1(a: int) -> int:
    return a


@workflow
def plain(a: int) -> int:
    return t1(a=a)


@patch(t1)
def patched(mocked):
    mocked.return_value = 9
    return plain(a=1)


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):  # flytekit says that it does not sleep
        slept = sleeper(a=1)
    print(slept)
    with patch_object("sys.stdin", io.StringIO("4\n")), contextlib.redirect_stdout(io.StringIO()):
        asked = asks(a=1)
    print(asked)
    with patch_object("sys.stdin", io.StringIO("y\n")), contextlib.redirect_stdout(io.StringIO()):
        approved = approves(a=1)
    print(approved)
    with patch_object("sys.stdin", io.StringIO("n\n")), contextlib.redirect_stdout(io.StringIO()):
        try:
            approves(a=1)
            approved = "approved"
        except FlyteDisapprovalException:
            approved = "disapproved"
    print(approved)
    with task_mock(train) as m:
        m.side_effect = lambda data, epochs: len(data) * epochs / 2
        print(uses(epochs=4), m.call_count)
    with task_mock(pipeline) as m:
        m.return_value = 2.5
        print(uses_wf(epochs=1))
    for f in (uses, train):
        try:
            f(epochs=1) if f is uses else f(data=["a"], epochs=1)
            print("no error")
        except Exception as e:
            print("refused", type(e).__name__ != "")
    print(train.id.name, train.reference.id.version, other.name, list(plan.python_interface.inputs), pipeline.name)
    print(patched(), plain(a=1))
    with FlyteContextManager.with_context(FlyteContextManager.current_context().new_builder()) as ctx:
        print(ctx.level > 0, FlyteContextManager.current_context().file_access is not None)
    try:
        raise FlyteDisapprovalException("no")
    except AssertionError as e:
        print(e)
    print([n.id for n in approves.nodes], [n.id for n in asks.nodes])

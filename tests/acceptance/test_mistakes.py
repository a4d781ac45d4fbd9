"""Scripted mistakes: each message names task, parameter, the user's file and line, and a fix, and comes early."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from alula.errors import AlulaError

PRELUDE = """
import dataclasses
from typing import Union
from alula import conditional, create_node, dynamic, task, workflow

RAN = []

@dataclasses.dataclass
class Point:
    x: int
    name: str = "a"

@task
def add(a: int, b: int) -> int:
    RAN.append("add")
    return a + b

@task
def half(x: float) -> float:
    return x / 2

@task
def point(x: int) -> Point:
    RAN.append("point")
    return Point(x)

@task
def say(text: str) -> None:
    RAN.append("say")

@task
def pair(a: int) -> tuple[int, int]:
    return a, a
"""

WORKFLOW = "@workflow\ndef wf(a: int) -> int:\n{body}\n\ndef go():\n    wf(a=1)\n"


def in_workflow(*lines: str) -> str:
    return WORKFLOW.format(body="\n".join(f"    {line}" for line in lines))


# name -> (program, what the message must hold); the line that is to blame is marked with `# here`
COMPILE_TIME: dict[str, tuple[str, list[str]]] = {
    "promise in if": (
        in_workflow("if a > 1:  # here", "    return add(a=a, b=1)", "return add(a=a, b=2)"),
        ["comparison", "conditional"],
    ),
    "bare promise in if": (
        in_workflow("if a:  # here", "    return add(a=a, b=1)", "return add(a=a, b=2)"),
        ["input 'a' of 'wf'", "`if`", "conditional"],
    ),
    "promise in range": (
        in_workflow("for i in range(a):  # here", "    add(a=i, b=1)", "return add(a=a, b=2)"),
        ["input 'a' of 'wf'", "range()", "map_task", "@dynamic"],
    ),
    "promise in f-string": (
        in_workflow("say(text=f'value {a}')  # here", "return add(a=a, b=2)"),
        ["input 'a' of 'wf'", "f-string", "@task"],
    ),
    "promise as text": (
        in_workflow("say(text='value %s' % a)  # here", "return add(a=a, b=2)"),
        ["input 'text' of 'say'", "promise", "@task"],
    ),
    "arithmetic on a promise": (
        in_workflow("x = add(a=a, b=1)", "return add(a=x + 1, b=2)  # here"),
        ["output 'o0' of 'add'", "arithmetic", "@task"],
    ),
    "wrong attribute": (
        in_workflow("p = point(x=a)", "return add(a=p.nane, b=2)  # here"),
        ["output 'o0' of 'point'", "no field 'nane'", "x, name"],
    ),
    "missing input": (in_workflow("return add(a=a)  # here"), ["'add'", "'b' is missing", "a: int, b: int"]),
    "extra input": (in_workflow("return add(a=a, b=1, c=2)  # here"), ["'add'", "no input 'c'", "a: int, b: int"]),
    "too many positional inputs": (
        in_workflow("return add(a, 1, 2)  # here"),
        ["'add'", "2 positional", "3 given", "a: int, b: int"],
    ),
    "positional input to create_node": (in_workflow("return create_node(add, a, 1).o0  # here"), ["add", "name"]),
    "tuple passed on": (
        in_workflow("return add(a=pair(a=a), b=1)  # here"),
        ["input 'a' of 'add'", "tuple", "unpack"],
    ),
    "void result used": (
        in_workflow("return add(a=say(text='x'), b=1)  # here"),
        ["input 'a' of 'add'", "'say'", "returns nothing", "return annotation"],
    ),
    "int where float, constant": (
        in_workflow("half(x=1)  # here", "return add(a=a, b=1)"),
        ["input 'x' of 'half'", "expected float, got int: 1", "1.0"],
    ),
    "int where float, between tasks": (
        in_workflow("half(x=add(a=a, b=1))  # here", "return add(a=a, b=1)"),
        ["input 'x' of 'half'", "float", "output 'o0' of 'add' is int", "return a float"],
    ),
    "unknown type": (
        "class Odd: ...\n\n@task\ndef use(thing: Odd) -> int:  # decorated\n    return 1\n",
        ["'use'", "parameter 'thing'", "Odd", "no transformer", "TypeTransformer", "Pickle"],
    ),
    "missing hint": ("@task\ndef use(thing) -> int:\n    return 1\n", ["'use'", "parameter 'thing'", "no type hint"]),
    "ambiguous union": (
        "@task\ndef use(thing: Union[tuple[int, str], list[Union[int, str]]]) -> int:\n    return 1\n\n"
        "def go():\n    use(thing={1, 2})  # here\n",
        ["input 'thing' of 'use'", "set"],
    ),
    "missing else": (
        in_workflow("return conditional('c').if_(a == 1).then(add(a=a, b=1))  # here"),
        ['conditional("c")', "else_()", ".fail("],
    ),
    "void result returned": (
        "@workflow  # here\ndef wf(a: int) -> int:\n    return say(text='x')\n\ndef go():\n    wf(a=1)\n",
        ["output 'o0' of workflow 'wf'", "'say'", "returns nothing"],
    ),
    "another type returned from a workflow": (
        "@workflow  # here\ndef wf(a: int) -> float:\n    return add(a=a, b=1)\n\ndef go():\n    wf(a=1)\n",
        ["output 'o0' of workflow 'wf'", "expects float", "is int"],
    ),
    "nothing returned from a workflow": (in_workflow("add(a=a, b=1)"), ["'wf'", "None", "o0: int", "return"]),
    "wrong number of outputs of a workflow": (
        "@workflow\ndef wf(a: int) -> tuple[int, int]:\n    return add(a=a, b=1)\n\ndef go():\n    wf(a=1)\n",
        ["'wf'", "1 value", "2 output", "o1: int"],
    ),
    "bad default": (
        "@task\ndef use(n: int = 'x') -> int:\n    return n\n",
        ["'use'", "parameter 'n'", "expected int, got str: 'x'", "default"],
    ),
    "cycle": (
        in_workflow("x = add(a=a, b=1)  # here", "y = add(a=x, b=1)", "y >> x", "return y"),
        ["'wf'", "cycle", "n0", "n1", ">>"],
    ),
    "one id for two nodes": (
        in_workflow(
            "x = add(a=a, b=1).with_overrides(node_name='sum')",
            "return add(a=x, b=1).with_overrides(node_name='sum')  # here",
        ),
        ["'wf'", "two nodes with the id 'sum'", "before at", "node_name"],
    ),
    "one id in two arms": (
        in_workflow(
            "c = conditional('c').if_(a > 1).then(add(a=a, b=1).with_overrides(node_name='sum'))",
            "return c.else_().then(add(a=a, b=2).with_overrides(node_name='sum'))  # here",
        ),
        ["'wf'", "two nodes with the id 'sum'", "before at", "node_name"],
    ),
    "a reserved id": (
        in_workflow("return add(a=a, b=1).with_overrides(node_name='start-node')  # here"),
        ["'add'", "reserved id 'start-node'"],
    ),
    "a node name of which nothing is left": (
        in_workflow("return add(a=a, b=1).with_overrides(node_name='__')  # here"),
        ["'add'", "node_name='__'", "leaves no id"],
    ),
    "promise of another workflow": (
        "KEPT = []\n\n@workflow\ndef other(a: int) -> int:\n    KEPT.append(add(a=a, b=1))\n    return KEPT[0]\n\n"
        "other.compile()\n\n" + in_workflow("add(a=a, b=1)", "return add(a=KEPT[0], b=1)  # here"),
        ["n1 (add) of workflow 'wf'", "n0 (add)", "another workflow"],
    ),
    "workflow that calls itself": (in_workflow("return wf(a=a)"), ["'wf'", "calls itself", "@dynamic"]),
    "and instead of &": (
        in_workflow(
            "c = conditional('c')",
            "c = c.if_(a > 1 and a < 3)  # here",
            "return c.then(add(a=a, b=1)).else_().fail('x')",
        ),
        ["`and`", "&"],
    ),
    "promise as a condition": (
        in_workflow("return conditional('c').if_(a).then(add(a=a, b=1)).else_().fail('x')  # here"),
        ['conditional("c")', "no comparison", "is_true()"],
    ),
    "unknown setting": ("@task(retry=3)  # here\ndef use(n: int) -> int:\n    return n\n", ["'retry'", "retries"]),
}

RUN_TIME: dict[str, tuple[str, list[str]]] = {
    "None returned": (
        "@task\ndef use(n: int) -> int:\n    pass\n\ndef go():\n    use(n=1)\n",
        ["output 'o0' of 'use'", "expected int", "None", "return a value"],
    ),
    "wrong number of outputs of a task": (
        "@task\ndef use(n: int) -> tuple[int, str]:\n    return n, 'a', 3\n\ndef go():\n    use(n=1)\n",
        ["'use'", "3 values", "2 outputs", "o0, o1"],
    ),
    "wrong type given": (
        "def go():\n    add(a='x', b=1)  # here\n",
        ["input 'a' of 'add'", "expected int, got str: 'x'", "pass a value of type int"],
    ),
}


BODY = "\ndef one(a: int) -> int:\n    return a\n"

DECLARED: dict[str, tuple[str, list[str]]] = {
    "resources as a dict": (
        "@task(requests={'cpu': '2'})  # here" + BODY,
        ["requests", "Resources", "dict"],
    ),
    "a request above its limit": (
        "from alula import Resources\n@task(requests=Resources(cpu='2'), limits=Resources(cpu='1'))  # here" + BODY,
        ["cpu", "2", "more than its limit"],
    ),
    "a number in the environment": (
        "@task(environment={'A': 1})  # here" + BODY,
        ["environment", "'A'", "1"],
    ),
    "a text for the environment": (
        "@task(environment='A=1')  # here" + BODY,
        ["environment", "'A=1'"],
    ),
    "a name for a secret": (
        "@task(secret_requests=['password'])  # here" + BODY,
        ["secret_requests", "Secret", "'password'"],
    ),
    "one secret": (
        "from alula import Secret\n@task(secret_requests=Secret(group='a'))  # here" + BODY,
        ["secret_requests", "list"],
    ),
    "interruptible as a text": (
        "@task(interruptible='yes')  # here" + BODY,
        ["interruptible", "'yes'"],
    ),
    "a number for an image": (
        "@task(container_image=3)  # here" + BODY,
        ["container_image", "3", "ImageSpec"],
    ),
    "a workflow as a task": (
        "@task  # here\n@workflow" + BODY,
        ["@task", "'one'", "already"],
    ),
    "a task as a workflow": (
        "@workflow  # here\n@task" + BODY,
        ["@workflow", "'one'", "already"],
    ),
    "a task as a task": (
        "@task  # here\n@task(retries=1)" + BODY,
        ["@task", "'one'", "already"],
    ),
    "a failure policy as a text": (
        "@workflow(failure_policy='x')" + BODY,
        ["failure_policy", "'x'", "WorkflowFailurePolicy"],
    ),
    "a function on failure": (
        "@workflow(on_failure=len)" + BODY,
        ["on_failure", "len", "task"],
    ),
    "a function as a node": (
        "from alula import Workflow\nWorkflow(name='x').add_entity(len)  # here",
        ["len", "task"],
    ),
    "a launch plan without a name": (
        "from alula import LaunchPlan\n@workflow" + BODY + "LaunchPlan.create('', one)  # here",
        ["launch plan", "name"],
    ),
    "a launch plan of nothing": (
        "from alula import LaunchPlan\nLaunchPlan.create('a', None)  # here",
        ["launch plan 'a'", "workflow"],
    ),
    "a text for a pause": (
        in_workflow("from alula import sleep", "sleep('1s')  # here", "return add(a=a, b=2)"),
        ["sleep", "'1s'", "timedelta"],
    ),
    "a pause of less than nothing": (
        in_workflow(
            "from alula import sleep",
            "import datetime",
            "sleep(datetime.timedelta(seconds=-1))  # here",
            "return add(a=a, b=2)",
        ),
        ["sleep", "-1"],
    ),
}


def blamed_line(source: str) -> int | None:
    return next((n for n, line in enumerate(source.splitlines(), 1) if "# here" in line), None)


def raised_by(source: str, folder: Path, module: str) -> tuple[AlulaError, Any]:
    path = folder / f"{module}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    load = spec.loader.exec_module

    def program() -> None:
        load(loaded)
        if hasattr(loaded, "go"):
            loaded.go()

    with pytest.raises(AlulaError) as caught:
        program()
    return caught.value, loaded


def check(name: str, program: str, fragments: list[str], folder: Path) -> Any:
    source = PRELUDE + program
    module = "test_" + re.sub(r"\W+", "_", name)
    error, loaded = raised_by(source, folder, module)
    message = str(error)
    for fragment in fragments:
        assert fragment in message, message
    line = blamed_line(source)
    assert f"{module}.py:{line}" in message if line else f"{module}.py:" in message, message
    assert error.fix or "fix:" in message, message
    return loaded


@pytest.mark.parametrize("name", COMPILE_TIME)
def test_a_mistake_is_found_before_anything_runs(name: str, tmp_path: Path) -> None:
    program, fragments = COMPILE_TIME[name]
    loaded = check(name, program, fragments, tmp_path)
    assert loaded.RAN == []


@pytest.mark.parametrize("name", DECLARED)
def test_a_mistake_of_a_declaration_is_found_where_it_stands(name: str, tmp_path: Path) -> None:
    program, fragments = DECLARED[name]
    check(name, program, fragments, tmp_path)


@pytest.mark.parametrize("name", RUN_TIME)
def test_a_mistake_that_only_values_show_is_as_clear(name: str, tmp_path: Path) -> None:
    program, fragments = RUN_TIME[name]
    check(name, program, fragments, tmp_path)


def test_a_task_inside_a_function_is_refused(tmp_path: Path) -> None:
    source = (
        "from alula import task\n\ndef make():\n    @task\n    def inner(a: int) -> int:\n        return a\n\nmake()\n"
    )
    error, _ = raised_by(source, tmp_path, "plain_module")
    assert "'inner'" in str(error)
    assert "plain_module.py:4" in str(error)
    assert "top of module" in error.fix


def test_all_faults_of_a_workflow_come_at_once(tmp_path: Path) -> None:
    source = PRELUDE + in_workflow("add(a='x', b=1)", "half(x=2)", "add(c=1)", "return add(a=a, b=1)")
    error, loaded = raised_by(source, tmp_path, "test_many")
    message = str(error)
    for fragment in ("input 'a' of 'add'", "input 'x' of 'half'", "no input 'c'", "'a', 'b' is missing"):
        assert fragment in message, message
    assert message.count("test_many.py:") == 3
    assert loaded.RAN == []

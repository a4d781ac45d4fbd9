"""How tasks are found again by words."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from alula import ShellTask, kwtypes, map_task, task, workflow
from alula.errors import ConfigError
from alula.sdk import resolver
from alula.sdk.graph import Entity
from alula.sdk.resolver import Resolver, default, load, load_mapped, mapped

SOURCE = """
import functools
from alula import ShellTask, kwtypes, map_task, task, workflow

@task
def inc(a: int) -> int:
    return a + 1

def _made(n: int) -> int:
    return n

renamed = task(_made)
shell = ShellTask(name="any.name", script="true", inputs=kwtypes(a=int))
number = 5

class Holder:
    inner = inc

@workflow
def wf(a: int) -> None:
    first = ShellTask(name="first", script="true")
    second = ShellTask(name="second", script="true", inputs=kwtypes(a=int))
    second(a=a)
    first()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    (tmp_path / "resolved_tasks.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    import resolved_tasks  # type: ignore[import-not-found]

    yield resolved_tasks
    del sys.modules["resolved_tasks"]


@pytest.mark.parametrize("name", ["inc", "renamed", "shell"])
def test_a_task_is_found_by_the_variable_that_holds_it(module, name: str) -> None:  # type: ignore[no-untyped-def]
    one = getattr(module, name)
    words = default.loader_args(one)
    assert words == ["task-module", "resolved_tasks", "task-name", name]
    assert load(default.location, words) is one


def test_a_name_with_dots_leads_into_a_class(module) -> None:  # type: ignore[no-untyped-def]
    assert load(default.location, ["task-module", "resolved_tasks", "task-name", "Holder.inner"]) is module.inc


def test_a_task_made_by_a_workflow_is_found_by_its_place_there(module) -> None:  # type: ignore[no-untyped-def]
    [second, first] = [node.entity for node in module.wf.nodes]
    words = default.loader_args(second)
    assert words == ["task-module", "resolved_tasks", "task-name", "wf", "task-index", "1"]
    assert default.load_task(words) is second
    assert default.load_task(default.loader_args(first)) is first
    with pytest.raises(ConfigError, match="makes 2 tasks, and number 2"):
        default.load_task([*words[:-1], "2"])


def test_a_task_in_no_variable_is_refused_when_it_is_registered() -> None:
    made = ShellTask(name="nowhere.to_be_found", script="true")
    with pytest.raises(ConfigError, match=r"'nowhere.to_be_found' is in no variable(?s:.)*to_be_found = "):
        default.loader_args(made)


def test_a_mapped_task_is_found_by_the_words_of_its_target(module) -> None:  # type: ignore[no-untyped-def]
    words = mapped.loader_args(map_task(functools.partial(module.inc)))
    assert words[:4] == ["vars", "", "resolver", default.location]
    assert load_mapped(words).target is module.inc
    words[1] = "a,b"
    assert load_mapped(words).bound == frozenset({"a", "b"})
    assert load(mapped.location, words) is module.inc
    with pytest.raises(ConfigError, match="vars NAMES resolver LOCATION"):
        load_mapped(["vars", "a"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["task-module", "no_such_module_here", "task-name", "x"], "module no_such_module_here is not installed"),
        (["task-module", "resolved_tasks", "task-name", "gone"], "module resolved_tasks has no gone"),
        (["task-module", "resolved_tasks", "task-name", "number"], "is 5, and no task"),
        (["task-name", "x"], "a task cannot be found by 'task-name x'"),
    ],
)
def test_what_cannot_be_found_is_told(module, words: list[str], why: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=why):
        load(default.location, words)


def test_an_import_error_inside_the_users_module_comes_out_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resolved_broken.py").write_text("import a_library_that_is_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        load(default.location, ["task-module", "resolved_broken", "task-name", "x"])


class Own(Resolver):
    location = f"{__name__}.own"

    def loader_args(self, task: Entity) -> list[str]:
        return [task.name]

    def load_task(self, loader_args: Sequence[str]) -> Entity:
        return custom


own = Own()


@task(task_resolver=own)
def custom(a: int) -> int:
    return a


def test_a_task_may_bring_its_own_resolver() -> None:
    assert custom.resolver is own
    assert load(custom.resolver.location, custom.resolver.loader_args(custom)) is custom
    assert (own.name(), own.get_all_tasks()) == (own.location, [])


def test_a_location_that_holds_no_resolver_is_refused() -> None:
    with pytest.raises(ConfigError, match="and no resolver"):
        resolver.find("alula.errors.AlulaError")


@workflow
def uses(a: int) -> int:
    return custom(a=a)


def test_kwtypes_keeps_names_in_order() -> None:
    assert list(kwtypes(b=int, a=str).items()) == [("b", int), ("a", str)]

"""Loading the user's file or module, and finding things in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.cli.program import Program, kind_of, load
from alula.errors import ConfigError
from alula.sdk.launch_plan import plans

TASKS = """
from alula import task
@task
def clean(a: int) -> int:
    return a
"""
FLOWS = """
from functools import partial
from alula import ContainerTask, LaunchPlan, Workflow, dynamic, eager, map_task, task, workflow
from {tasks} import clean
other = clean
@task
def train_model(a: int) -> int:
    return clean(a)
@dynamic
def spread(n: int) -> list[int]:
    return [clean(a=i) for i in range(n)]
@eager
async def decides(a: int) -> int:
    return clean(a=a)
@workflow
def flow(a: int) -> int:
    return clean(a=a)
plan = LaunchPlan.get_or_create(flow, name="the-plan")
every = map_task(clean)
by_hand = Workflow(name="by.hand")
raw = ContainerTask("raw", image="alpine", command=["true"])
_hidden = map_task(train_model)
"""


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(sys.modules)
    yield
    plans.reset()
    for name in set(sys.modules) - set(before):
        if not name.startswith("alula"):
            del sys.modules[name]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(home: Path) -> Program:
    (home / "shop_tasks.py").write_text(TASKS)
    (home / "shop_flows.py").write_text(FLOWS.format(tasks="shop_tasks"))
    return load("shop_flows.py")


def test_a_file_is_imported_with_its_neighbours(home: Path) -> None:
    program = write(home)
    assert program.module == "shop_flows"
    assert program.own == ("train_model", "spread", "decides", "flow", "plan", "every", "by_hand", "raw")
    assert list(program.entities)[-1] == "clean"


def test_each_kind_has_a_word(home: Path) -> None:
    program = write(home)
    kinds = {name: kind_of(entity) for name, entity in program.entities.items()}
    assert kinds == {
        "train_model": "task",
        "spread": "dynamic",
        "decides": "eager",
        "flow": "workflow",
        "plan": "launch plan",
        "every": "map",
        "by_hand": "workflow",
        "raw": "task",
        "clean": "task",
    }


@pytest.mark.parametrize("name", ["train_model", "train-model", "shop_flows.train_model"])
def test_an_entity_is_found_by_variable_or_by_its_own_name(home: Path, name: str) -> None:
    assert write(home).find(name).name == "shop_flows.train_model"


def test_a_launch_plan_is_found_by_its_name(home: Path) -> None:
    assert kind_of(write(home).find("the-plan")) == "launch plan"


def test_a_name_that_is_misspelled_gets_a_suggestion(home: Path) -> None:
    with pytest.raises(ConfigError, match="no task, workflow or launch plan 'flwo'") as caught:
        write(home).find("flwo")
    assert caught.value.fix == "did you mean flow?"
    assert "train_model" in caught.value.where


def test_a_file_in_a_package_has_its_full_module_name(home: Path) -> None:
    package = home / "shop" / "flows"
    package.mkdir(parents=True)
    (home / "shop" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text(TASKS)
    (package / "main.py").write_text(FLOWS.format(tasks="shop.flows.tasks"))
    program = load("shop/flows/main.py")
    assert program.find("flow").name == "shop.flows.main.flow"
    assert sys.path[0] == str(home)
    assert load("shop.flows.main").entities["flow"] is program.entities["flow"]


def test_a_file_that_is_loaded_twice_is_imported_once(home: Path) -> None:
    first = write(home)
    assert load(str(home / "shop_flows.py")).entities["flow"] is first.entities["flow"]


def test_a_file_named_like_a_loaded_module_is_refused(home: Path) -> None:
    (home / "json.py").write_text(TASKS)
    with pytest.raises(ConfigError, match="the name of a module that is loaded already, json") as caught:
        load("json.py")
    assert caught.value.fix == "rename the file"


MISSING = [
    ("shop_flow.py", "does not exist", "did you mean shop_flows.py?"),
    ("nothing_like_it.py", "does not exist", "name a Python file"),
    ("shop.notes/x.txt", "does not exist", "name a Python file"),
    ("gone_module", "no module 'gone_module'", "gone_module.py"),
    ("shop_flows.deeper", "no module 'shop_flows.deeper'", "shop_flows/deeper.py"),
]


@pytest.mark.parametrize(("target", "said", "fix"), MISSING)
def test_what_is_not_there_is_said_with_a_suggestion(home: Path, target: str, said: str, fix: str) -> None:
    write(home)
    with pytest.raises(ConfigError, match=said) as caught:
        load(target)
    assert fix in caught.value.fix


def test_a_file_that_is_no_python_is_refused(home: Path) -> None:
    (home / "notes.txt").touch()
    with pytest.raises(ConfigError, match="no Python file"):
        load("./notes.txt")
    (home / "folder.py").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        load("folder.py")


def test_what_the_code_raises_comes_out_and_leaves_no_half_module(home: Path) -> None:
    (home / "half.py").write_text("import nothing_like_this_either\n")
    with pytest.raises(ModuleNotFoundError, match="nothing_like_this_either"):
        load("half.py")
    assert "half" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="nothing_like_this_either"):
        load("half")


def test_launch_plans_in_no_variable_belong_to_the_file_that_makes_them(home: Path) -> None:
    loop = "for i in range(2):\n    LaunchPlan.get_or_create(flow, name=f'nightly {i}')\n"
    (home / "shop_tasks.py").write_text(TASKS)
    (home / "shop_flows.py").write_text(FLOWS.format(tasks="shop_tasks") + loop)
    (home / "other.py").write_text("import shop_flows\n")
    program = load("shop_flows.py")
    assert program.own[-2:] == ("nightly 0", "nightly 1")
    assert kind_of(program.find("nightly 1")) == "launch plan"
    assert load("other.py").own == ()

"""The other commands: compile, inspect, cache, doctor, and the list of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alula.cli.main import COMMANDS
from alula.idl.admin import LaunchPlan, TaskSpec, WorkflowSpec
from tests.integration.cli.programs import Shell

FAULTS = """
from alula import task, workflow
@task
def length(text: str) -> int:
    return len(text)
@task
def say(text: str) -> str:
    return text
@workflow
def two_faults(a: int) -> int:
    length(text=3)
    return length(text=4)
@workflow
def no_return(a: int) -> int:
    length(text="x")
@workflow
def sound(text: str) -> int:
    return length(text=say(text=text))
"""
ELSEWHERE = """
from alula import LaunchPlan, reference_launch_plan, reference_task, reference_workflow, workflow
@reference_task(project="p", domain="d", name="their.task", version="v")
def theirs(a: int) -> int: ...
@reference_launch_plan(project="p", domain="d", name="their.plan", version="v")
def planned(a: int, b: int = 2) -> int: ...
@reference_workflow(project="p", domain="d", name="their.flow", version="v")
def flow(a: int) -> int: ...
@workflow
def uses(a: int) -> int:
    return planned(a=theirs(a=a))
@workflow
def inner(a: int, b: int) -> int:
    return theirs(a=a)
plan = LaunchPlan.get_or_create(inner, name="inner-plan", fixed_inputs={"b": 1})
@workflow
def outer(a: int) -> int:
    return flow(a=plan(a=a))
"""

# compile


def test_all_faults_of_all_workflows_are_shown_at_once(shell: Shell) -> None:
    shell.add("other_faults.py", FAULTS)
    done = shell.alula("compile", "other_faults.py")
    assert done.exit_code == 1
    assert done.stderr.count("input 'text' of 'length': expected str, got int") == 2
    assert "workflow 'no_return' returns None (is `return` missing?)" in done.stderr
    assert "✓ workflow sound" in done.stderr
    assert "2 of 5 do not compile" in done.stderr


def test_what_the_body_of_a_workflow_raises_is_told_with_its_place_and_keeps_no_other_fault_back(shell: Shell) -> None:
    program = FAULTS.replace("length(text=3)", "length(text={}['gone'])")
    shell.add("raising.py", program)
    line = 1 + program.splitlines().index("    length(text={}['gone'])")
    done = shell.alula("compile", "raising.py")
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert f"KeyError: 'gone' (raising.py:{line})" in done.stderr
    assert "workflow 'no_return' returns None" in done.stderr
    refused = shell.alula("register", "raising.py")
    assert f"KeyError: 'gone' (raising.py:{line})" in refused.stderr
    assert "nothing was registered" in refused.stderr
    assert f"KeyError: 'gone' (raising.py:{line})" in shell.alula("inspect", "raising.py", "two_faults").stderr
    for more in ((), ("--remote", "--endpoint", "127.0.0.1:1", "--answer", "gate=1")):
        ran = shell.alula("run", *more, "raising.py", "two_faults", "--a", "1")
        assert (ran.exit_code, ran.exception.__class__) == (1, SystemExit)
        assert "✗ running two_faults failed" in ran.stderr
        assert f"raising.py:{line}, in two_faults" in ran.stderr


def test_one_entity_may_be_compiled_alone(shell: Shell) -> None:
    shell.add("other_faults.py", FAULTS)
    assert shell.alula("compile", "other_faults.py", "sound").exit_code == 0
    assert shell.alula("compile", "other_faults.py", "no_return").exit_code == 1
    assert shell.alula("compile", "other_faults.py", "gone").exit_code == 2


def test_specs_are_printed_as_json(shell: Shell) -> None:
    done = shell.alula("compile", "shop.py", "flow", "-o", "json", "-p", "shop", "-d", "prod", "--version", "v1")
    specs = json.loads(done.stdout)
    assert sorted(specs["tasks"]) == ["shop.add", "shop.report"]
    assert list(specs["workflows"]) == list(specs["launch_plans"]) == ["shop.flow"]
    template = specs["workflows"]["shop.flow"]["template"]
    assert [node["id"] for node in template["nodes"]] == ["n0", "n1", "n2"]
    assert template["id"] == {
        "resource_type": "WORKFLOW",
        "project": "shop",
        "domain": "prod",
        "name": "shop.flow",
        "version": "v1",
    }


def test_specs_are_written_as_protobuf(shell: Shell) -> None:
    done = shell.alula("compile", "shop.py", "flow", "-o", "specs", "-i", "registry/shop:v1")
    assert done.exit_code == 0
    assert "2 tasks, 1 workflow, 1 launch plan, written below specs" in done.stderr
    root = shell.home / "specs"
    task = TaskSpec.FromString((root / "tasks" / "shop.add.pb").read_bytes())
    assert task.template.container.image == "registry/shop:v1"
    assert WorkflowSpec.FromString((root / "workflows" / "shop.flow.pb").read_bytes()).template.id.name == "shop.flow"
    assert LaunchPlan.FromString((root / "launch_plans" / "shop.flow.pb").read_bytes()).spec.workflow_id.name


def test_with_a_fault_nothing_is_written(shell: Shell) -> None:
    shell.add("other_faults.py", FAULTS)
    assert shell.alula("compile", "other_faults.py", "-o", "specs").exit_code == 1
    assert not (shell.home / "specs").exists()


def test_what_is_registered_elsewhere_is_called_by_its_signature(shell: Shell) -> None:
    shell.add("other_refs.py", ELSEWHERE)
    done = shell.alula("compile", "other_refs.py")
    assert done.exit_code == 0, done.stderr
    assert "✓ workflow uses\n" in done.stderr
    assert "not checked further: it calls their.flow" in done.stderr


# inspect


def test_a_file_is_listed(shell: Shell) -> None:
    assert shell.alula("inspect", "shop.py").stdout == shell.run().stdout


def test_a_task_is_described(shell: Shell) -> None:
    text = shell.alula("inspect", "shop.py", "fails").stdout
    assert text.startswith("task shop.fails\n")
    assert "a  int" in text
    assert "retries  1" in text
    assert "default: 3" in shell.alula("inspect", "shop.py", "add").stdout


def test_the_nodes_of_a_workflow_are_shown_with_what_they_wait_for(shell: Shell) -> None:
    shell.add(
        "other_flow.py",
        "from shop import add, flow\n"
        "from alula import conditional, workflow\n"
        "@workflow\n"
        "def big(a: int) -> int:\n"
        "    x = add(a=a)\n"
        "    return conditional('size').if_((x > 3) & (a < 9)).then(flow(a=x)).else_().fail('too small')\n",
    )
    text = shell.alula("inspect", "other_flow.py", "big").stdout
    assert "n0  task add\n" in text
    assert "n1  conditional size  after n0" in text
    assert "if (n0.o0 > 3) and (a < 9)" in text
    assert "workflow flow" in text
    assert "fail: too small" in text


def test_a_launch_plan_is_described_with_its_workflow(shell: Shell) -> None:
    text = shell.alula("inspect", "shop.py", "plan").stdout
    assert "workflow  shop.flow" in text
    assert "default: 7" in text


@pytest.mark.parametrize(("entity", "code"), [("gone", 2), ("stray", 1)])
def test_what_cannot_be_described_is_an_error(shell: Shell, entity: str, code: int) -> None:
    assert shell.alula("inspect", "shop.py", entity).exit_code == code


# cache, doctor, and the program as a whole


def test_the_files_of_runs_go_when_asked_for(shell: Shell) -> None:
    path = Path(shell.run("write", "--text", "x", "--local").stdout.strip())
    assert shell.alula("cache", "clear").exit_code == 0
    assert path.exists()
    assert "the files of 1 run" in shell.alula("cache", "clear", "--runs").stdout
    assert not path.exists()


def test_the_doctor_keeps_secrets_to_itself(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = ("ALULA_SECRET_ACME_PASS", "ALULA__CALLBACKS__SECRET", "ALULA_REGISTER_TOKEN")
    for name in hidden:
        monkeypatch.setenv(name, "hunter2-hunter2-hunter2")
    for form in ("table", "json"):
        text = shell.alula("doctor", "-o", form).stdout
        assert "hunter2" not in text
        assert all(name in text for name in hidden)


def test_the_doctor_knows_versions_plugins_and_their_distributions(shell: Shell) -> None:
    done = shell.alula("doctor", "-o", "json")
    facts = json.loads(done.stdout)
    assert set(facts["versions"]) >= {"alula", "python", "flyteidl", "protobuf"}
    pandas = next(p for p in facts["plugins"] if p["name"] == "pandas")
    assert pandas["group"] == "alula.types"
    assert pandas["distribution"].startswith("alula ")
    assert pandas["state"] in ("ok", "missing")
    text = shell.alula("doctor").stdout
    assert "pandas" in text
    assert "alula-home" in text
    assert facts["store"]["durability"] == "full"
    assert "none alive" in text


def test_help_lists_every_command_and_the_exit_code_is_0(shell: Shell) -> None:
    done = shell.alula("--help")
    assert done.exit_code == 0
    for command in COMMANDS:
        assert f"  {command} " in done.stdout
        assert shell.alula(command, "--help").exit_code == 0


def test_help_says_what_each_command_of_a_group_does_in_a_whole_line(shell: Shell) -> None:
    for group in ("get", "pool", "token", "cache", "plugin", "agent", "image", "container"):
        text = shell.alula(group, "--help").stdout
        assert "..." not in text.partition("Commands:")[2], text


def test_each_phase_is_named_once_and_no_tokens_are_told(shell: Shell) -> None:
    text = shell.alula("get", "executions", "--phase", "gone").stderr
    named = text.partition("there are ")[2].strip().split(", ")
    assert len(named) == len(set(named)) > 5
    assert "no tokens yet: alula token new NAME makes one" in shell.alula("token", "list").stderr


def test_the_version_is_that_of_the_distribution(shell: Shell) -> None:
    from importlib.metadata import version

    assert shell.alula("--version").stdout == f"alula {version('alula')}\n"


def test_an_unknown_command_is_a_usage_error(shell: Shell) -> None:
    assert shell.alula("rum").exit_code == 2

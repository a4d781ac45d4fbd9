"""Registration by the real flytekit, its command line and its client, against `alula serve`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.services.client import in_flytekit
from tests.servers.control_plane import ControlPlane

PROGRAM = '''
from flytekit import CronSchedule, LaunchPlan, conditional, map_task, task, workflow


@task
def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


@task
def shout(words: list[int]) -> str:
    return "!".join(map(str, words))


@task
def mourn(xs: list[int], x: int):
    pass


@workflow
def inner(x: int) -> int:
    return conditional("sign").if_(x > 0).then(double(x=x)).else_().then(double(x=0))


@workflow(on_failure=mourn)
def outer(xs: list[int], x: int = 3) -> tuple[str, int]:
    return shout(words=map_task(double)(x=xs)), inner(x=x)


nightly = LaunchPlan.get_or_create(
    outer, "nightly", default_inputs={"x": 5}, fixed_inputs={"xs": [1]}, schedule=CronSchedule(schedule="0 3 * * *")
)


@workflow
def calls(x: int = 1) -> tuple[str, int]:
    return nightly(x=x)
'''
ENTITIES = 11


@pytest.fixture
def program(tmp_path: Path) -> Path:
    place = tmp_path / "program"
    place.mkdir()
    (place / "flow.py").write_text(PROGRAM)
    return place


def registered(python: Path, server: ControlPlane, place: Path) -> subprocess.CompletedProcess[str]:
    config = server.flytekit_config(place.parent)
    command = [str(python), "-m", "flytekit.clis.sdk_in_container.pyflyte", "--config", str(config), "register"]
    command += ["-p", "reg", "-d", "development", "--version", "v1", "flow.py"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def test_pyflyte_registers_a_program_and_again_the_same_and_not_another_under_its_version(
    control_plane: ControlPlane, flytekit_python: Path, program: Path
) -> None:
    for _ in range(2):
        done = registered(flytekit_python, control_plane, program)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Successfully registered {ENTITIES} entities" in done.stdout
    (program / "flow.py").write_text(PROGRAM.replace("return 2 * x", "return x + x"))
    refused = registered(flytekit_python, control_plane, program)
    assert refused.returncode != 0
    assert "INVALID_ARGUMENT" in refused.stdout + refused.stderr
    assert "has a version 'v1' with another content" in refused.stdout + refused.stderr


def test_the_client_fetches_what_was_registered_whole(
    control_plane: ControlPlane, flytekit_python: Path, program: Path
) -> None:
    said = in_flytekit(
        flytekit_python,
        control_plane,
        program,
        """
        import flow
        from flytekit.configuration import ImageConfig
        from flytekit.exceptions.user import FlyteEntityNotExistException
        from flytekit.models.admin.common import Sort
        from flytekit.models.common import NamedEntityIdentifier

        client = remote()
        settings = SerializationSettings(ImageConfig.auto_default_image(), "fetch", "development")
        for version in ("v1", "v2"):
            client.register_workflow(flow.calls, settings, version=version)
        named = client.fetch_workflow(name="flow.calls", version="v1")
        newest = client.fetch_workflow(name="flow.outer")
        task = client.fetch_task(name="flow.double")
        plan = client.fetch_launch_plan(name="nightly")
        try:
            client.fetch_task(name="flow.none", version="v1")
        except FlyteEntityNotExistException as exc:
            missing = str(exc)
        place = NamedEntityIdentifier("fetch", "development")
        up = Sort("created_at", Sort.Direction.ASCENDING)
        listed, token = [], ""
        while not listed or token:
            page, token = client.client.list_tasks_paginated(place, limit=2, token=token, sort_by=up)
            listed += [[one.id.name, one.id.version] for one in page]
        ids, _ = client.client.list_task_ids_paginated("fetch", "development", limit=50)
        answer(
            nodes=sorted(one.id for one in named.flyte_nodes),
            newest=newest.id.version,
            outer=[type(one.flyte_entity).__name__ for one in newest.flyte_nodes],
            subs=[one.id.name for one in newest.flyte_sub_workflows],
            failure=client.client.get_workflow(newest.id).closure.compiled_workflow.primary.template.failure_node.id,
            task=[task.id.version, list(task.interface.inputs)],
            plan=[plan.id.version, sorted(plan.default_inputs.parameters), sorted(plan.fixed_inputs.literals),
                  plan.entity_metadata.schedule.cron_schedule.schedule],
            missing=missing,
            listed=listed,
            ids=sorted(one.name for one in ids),
        )
        """,
        project="fetch",
    )
    assert said["nodes"] == ["n0"]
    assert said["newest"] == "v2"
    assert sorted(said["outer"]) == ["FlyteArrayNode", "FlyteTask", "FlyteTask", "FlyteWorkflow"]
    assert (said["subs"], said["failure"]) == (["flow.inner"], "fn0")
    assert said["task"] == ["v2", ["x"]]
    assert said["plan"] == ["v2", ["x"], ["xs"], "0 3 * * *"]
    assert "there is no task 'flow.none'" in said["missing"]
    assert {"flow.double", "flow.shout", "flow.mourn"} < set(said["ids"])
    pages = [(name, version) for name, version in said["listed"]]
    assert sorted(pages) == sorted((name, version) for name in said["ids"] for version in ("v1", "v2"))
    assert [version for _, version in pages] == sorted(version for _, version in pages)

"""Launch plans, schedules, projects and attributes by the real flytekit, and our own packages in its hands."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.integration.services.client import in_flytekit
from tests.servers.control_plane import ControlPlane

PROGRAM = """
from datetime import datetime

from flytekit import CronSchedule, LaunchPlan, task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@workflow
def timed(at: datetime, x: int = 3) -> int:
    return double(x=x)


daily = LaunchPlan.get_or_create(
    timed, "daily", schedule=CronSchedule(schedule="0 6 * * *", kickoff_time_input_arg="at")
)
"""
PYFLYTE = "flytekit.clis.sdk_in_container.pyflyte"


def pyflyte(python: Path, server: ControlPlane, place: Path, *words: str) -> str:
    """What a command prints; it must end well."""
    config = server.flytekit_config(place.parent)
    command = [str(python), "-m", PYFLYTE, "--config", str(config), *words]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def alula(server: ControlPlane, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "ALULA_HOME": str(place / ".alula"), "FLYTE_PLATFORM_URL": server.grpc}
    environ |= {"FLYTE_PLATFORM_INSECURE": "true"}
    command = [sys.executable, "-m", "alula.cli.main", *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, env=environ)


def test_pyflyte_activates_a_launch_plan_backfills_it_and_deactivates_it(
    control_plane: ControlPlane, flytekit_python: Path, tmp_path: Path
) -> None:
    place = tmp_path / "program"
    place.mkdir()
    (place / "flow.py").write_text(PROGRAM)
    at = ["-p", "plans", "-d", "development"]
    pyflyte(flytekit_python, control_plane, place, "register", *at, "--version", "v1", "flow.py")
    said = pyflyte(flytekit_python, control_plane, place, "launchplan", *at, "--activate", "daily")
    assert "daily" in said
    window = ["--from-date", "2030-01-01", "--backfill-window", "2 days"]
    pyflyte(flytekit_python, control_plane, place, "backfill", *at, *window, "daily")
    said_by = in_flytekit(
        flytekit_python,
        control_plane,
        place,
        """
        r = remote()
        active = r.fetch_active_launchplan(name="daily")
        (found,) = [x for x in r.recent_executions() if "backfill" in x.spec.launch_plan.name]
        done = r.wait(found, poll_interval=0.2, sync_nodes=False)
        kids = [x for x in r.recent_executions() if x.spec.launch_plan.name == "daily"]
        one = r.sync(kids[0])
        r.client.update_launch_plan(active.id, 0)
        answer(
            version=active.id.version, phase=done.closure.phase, kids=len(kids),
            at=sorted(str(r.sync(k).inputs["at"]) for k in kids), now=r.fetch_active_launchplan(name="daily"),
        )
        """,
        project="plans",
    )
    assert (said_by["version"], said_by["phase"]) == ("v1", 4)
    assert [text[:16] for text in said_by["at"]] == ["2030-01-01 06:00", "2030-01-02 06:00"]
    assert said_by["now"] is None


def test_the_client_makes_projects_and_sets_what_counts_there(
    control_plane: ControlPlane, flytekit_python: Path, tmp_path: Path
) -> None:
    said = in_flytekit(
        flytekit_python,
        control_plane,
        tmp_path,
        """
        from flytekit.models.project import Project
        from flyteidl.admin import matchable_resource_pb2 as m, project_domain_attributes_pb2 as p
        client = remote().client
        client.register_project(Project("made", "Made", "by a client"))
        listed, _ = client.list_projects_paginated(limit=100)
        stub = client._stub
        attributes = m.MatchingAttributes()
        attributes.task_resource_attributes.limits.cpu = "2"
        place = p.ProjectDomainAttributes(project="made", domain="development", matching_attributes=attributes)
        stub.UpdateProjectDomainAttributes(p.ProjectDomainAttributesUpdateRequest(attributes=place))
        got = stub.GetProjectDomainAttributes(
            p.ProjectDomainAttributesGetRequest(project="made", domain="development", resource_type=0)
        )
        answer(
            names=[x.id for x in listed], domains=[d.id for d in client.get_domains()],
            cpu=got.attributes.matching_attributes.task_resource_attributes.limits.cpu,
        )
        """,
        project="made",
    )
    assert "made" in said["names"]
    assert said["domains"] == ["development", "staging", "production"]
    assert said["cpu"] == "2"


OURS = """
from datetime import timedelta

from alula import File, LaunchPlan, approve, task, wait_for_input, workflow
from beside import twice


@task
def double(x: int) -> int:
    return twice(x)


@task
def length(file: File) -> int:
    return len(open(file).read())


@task
def large(size: int) -> str:
    return "x" * size


@workflow
def asked(x: int) -> int:
    approve(double(x=x), "really", timeout=timedelta(minutes=5))
    return double(x=wait_for_input("more", timeout=timedelta(minutes=5), expected_type=int))


called = LaunchPlan.get_or_create(asked, "called")


@workflow
def calls(x: int) -> int:
    return called(x=x)


@workflow
def flow(file: File, x: int = 4) -> tuple[int, int]:
    return double(x=x), length(file=file)
"""


def test_our_own_programs_run_at_a_control_plane_with_their_code_and_files(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "ours.py").write_text(OURS)
    (tmp_path / "beside.py").write_text("def twice(x):\n    return 2 * x\n")
    (tmp_path / "words.txt").write_text("hello")
    words = ["run", "--remote", "-o", "json", "ours.py", "flow", "--file", "words.txt", "--x", "5"]
    done = alula(control_plane, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == '{ "o0": 10, "o1": 5 }'.split()
    again = alula(control_plane, tmp_path, "register", "--remote", "ours.py")
    assert again.returncode == 0, again.stderr
    assert "✓ workflow ours.flow" in again.stderr
    assert again.stderr.index("launch plan called") < again.stderr.index("workflow ours.calls")
    large = alula(control_plane, tmp_path, "run", "--remote", "ours.py", "large", "--size", "9000000")
    assert (large.returncode, len(large.stdout)) == (0, 9_000_001), large.stderr
    gates = ["--answer", "really=yes", "--answer", "more=21"]
    answered = alula(control_plane, tmp_path, "run", "--remote", *gates, "ours.py", "asked", "--x", "1")
    assert (answered.stdout, answered.returncode) == ("42\n", 0), answered.stderr
    assert "answered gate more" in answered.stderr
    nowhere = alula(control_plane, tmp_path, "run", "--remote", "--profile", "nowhere", "ours.py", "double", "--x", "1")
    assert nowhere.returncode == 2
    assert "there is no profile 'nowhere'" in nowhere.stderr


def test_a_version_changes_with_the_images_and_with_all_that_goes_along(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "ours.py").write_text(OURS)
    (tmp_path / "beside.py").write_text("def twice(x):\n    return 2 * x\n")
    words = tmp_path / "words.txt"
    said = []
    for text, *more in (
        *(("one", *more) for more in ([], ["--image", "registry/flow:1"], ["--copy", "none"], ["--copy", "all"])),
        *(("two", *more) for more in ([], ["--copy", "all"], ["--copy", "all"])),
    ):
        words.write_text(text)
        done = alula(control_plane, tmp_path, "register", "--remote", *more, "ours.py", "double")
        assert done.returncode == 0, done.stderr
        said.append(done.stderr.split()[-1])
    alone, image, none, all, again, changed, unchanged = said
    assert len({alone, image, none, all, changed}) == 5
    assert (again, unchanged) == (alone, changed)


def test_an_exported_package_is_registered_by_the_real_client(
    control_plane: ControlPlane, flytekit_python: Path, tmp_path: Path
) -> None:
    (tmp_path / "ours.py").write_text(OURS)
    (tmp_path / "beside.py").write_text("def twice(x):\n    return 2 * x\n")
    made = alula(control_plane, tmp_path, "export", "ours.py", "-i", "registry.example.org/ours:1", "--version", "v9")
    assert made.returncode == 0, made.stderr
    with tarfile.open(tmp_path / "flyte-package.tgz") as archive:
        archive.extractall(tmp_path / "package", filter="data")
    said = in_flytekit(
        flytekit_python,
        control_plane,
        tmp_path,
        """
        from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
        from flytekit.models.core.identifier import Identifier
        stub = remote().client._stub
        kinds = {1: (task_pb2.TaskSpec, task_pb2.TaskCreateRequest, stub.CreateTask),
                 2: (workflow_pb2.WorkflowSpec, workflow_pb2.WorkflowCreateRequest, stub.CreateWorkflow),
                 3: (launch_plan_pb2.LaunchPlan, launch_plan_pb2.LaunchPlanCreateRequest, stub.CreateLaunchPlan)}
        def settled(id):
            id.project, id.domain = "exported", "development"
        names = []
        for path in sorted(Path("package").iterdir()):
            read, ask, call = kinds[int(path.stem.rpartition("_")[2])]
            spec = read.FromString(path.read_bytes())
            id = spec.id if read is launch_plan_pb2.LaunchPlan else spec.template.id
            settled(id)
            if read is workflow_pb2.WorkflowSpec:
                for node in spec.template.nodes:
                    if node.HasField("task_node"):
                        settled(node.task_node.reference_id)
                    if node.HasField("workflow_node"):
                        settled(node.workflow_node.launchplan_ref)
            if read is launch_plan_pb2.LaunchPlan:
                settled(spec.spec.workflow_id)
                spec = spec.spec
            call(ask(id=id, spec=spec))
            names.append(id.name)
        found = remote().fetch_workflow(name="ours.flow", version="v9")
        task = remote().fetch_task(name="ours.double", version="v9")
        answer(names=names, nodes=len(found.flyte_nodes), image=task.template.container.image)
        """,
        project="exported",
    )
    assert said["names"] == [
        *("ours.double", "ours.length", "ours.large"),
        *("ours.asked", "called", "ours.calls", "ours.flow", "ours.asked", "ours.calls", "ours.flow"),
    ]
    assert said["nodes"] == 2
    assert said["image"] == "registry.example.org/ours:1"

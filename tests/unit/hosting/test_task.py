from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._kits.bridge import run
from alula._kits.records import replace
from alula.data.layout import Attempt
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import Rejected, RemoteError, Unknown
from alula.hosting.secrets import Secrets
from alula.hosting.task import Lent, Task, label
from alula.idl import LiteralMap, Resources, TaskNodeOverrides, TaskTemplate
from alula.idl.literals import integer, string
from alula.idl.plugins import DaskJob
from alula.plugin.runner import AttemptId, Job


class Lender:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def woken(self, id: AttemptId) -> None: ...

    def asks(self, id: AttemptId, pool: str, units: int) -> None:
        self.asked.append((pool, units))


def task(template: TaskTemplate | None = None, **job: Any) -> Task:
    lent = Lent(Lender(), Objects(), Secrets({}), lambda secret: None, lambda id: f"https://h/{id.name}")
    id = AttemptId("p", "d", "e", "n0", 2, "01234567")
    inputs = LiteralMap(literals={"x": integer(3), "who": string("a b")}).SerializeToString()
    return Task(lent, Job(id, template or TaskTemplate(type="t"), inputs, "memory://data/e/n0/2", **job))


@dataclass(frozen=True)
class Config:
    nodes: int
    queue: str = "short"


def with_custom(**custom: Any) -> TaskTemplate:
    made = TaskTemplate(type="t")
    made.custom.update(custom)
    return made


def test_custom_is_a_dataclass_and_whole_numbers_are_ints_again() -> None:
    found = task(with_custom(nodes=3)).custom(Config)
    assert found == Config(3)
    assert isinstance(found.nodes, int)


def test_custom_is_a_message_of_flytes() -> None:
    found = task(with_custom(workers={"numberOfWorkers": 3})).custom(DaskJob)
    assert found.workers.number_of_workers == 3


def test_custom_that_does_not_fit_names_every_fault_and_the_user_pays() -> None:
    with pytest.raises(Rejected) as refused:
        task(with_custom(nodes="three", qeueu="x")).custom(Config)
    said = str(refused.value)
    assert "nodes is 'three', and must be a whole number" in said
    assert "did you mean 'queue'?" in said
    assert "alula plugin schema" in said


def test_a_command_line_is_filled_in() -> None:
    made = TaskTemplate()
    made.container.command.extend(["run", "{{.inputs.who}}"])
    made.container.args.extend(["--x={{.Inputs.x}}", "{{.outputPrefix}}"])
    assert task(made).argv() == ["run", "a b", "--x=3", "memory://data/e/n0/2"]
    made.container.args.append("{{.inputs.y}}")
    with pytest.raises(Rejected, match="names no input"):
        task(made).argv()


def test_the_environment_says_which_attempt_this_is() -> None:
    made = TaskTemplate()
    made.id.name = "job"
    made.container.env.add(key="MINE", value="1")
    environ = task(made, environment={"ADDED": "2"}).environ()
    assert environ["MINE"] == "1"
    assert environ["ADDED"] == "2"
    assert environ["FLYTE_INTERNAL_EXECUTION_ID"] == "e"
    assert environ["FLYTE_INTERNAL_TASK_NAME"] == "job"
    assert environ["FLYTE_ATTEMPT_NUMBER"] == "2"
    assert "BATCH_JOB_ARRAY_INDEX_VAR_NAME" not in environ
    element = task(made, index=3).environ()
    assert element[element["BATCH_JOB_ARRAY_INDEX_VAR_NAME"]] == "3"
    assert "BATCH_JOB_ARRAY_INDEX_OFFSET" not in element
    made.container.args.append("pyflyte-map-execute")
    assert task(made, index=3).environ()["BATCH_JOB_ARRAY_INDEX_OFFSET"] == "-3", "its list holds its own item only"


def test_the_nodes_overrides_take_the_place_of_what_the_task_asks_for() -> None:
    made = TaskTemplate()
    made.container.resources.requests.add(name=Resources.CPU, value="1")
    made.container.resources.requests.add(name=Resources.MEMORY, value="1Gi")
    overrides = TaskNodeOverrides()
    overrides.resources.requests.add(name=Resources.CPU, value="4")
    found = task(made, overrides=overrides).resources()
    assert {one.name: one.value for one in found.requests} == {Resources.CPU: "4", Resources.MEMORY: "1Gi"}
    assert len(made.container.resources.requests) == 2


async def test_inputs_are_here_and_as_a_file() -> None:
    one = task()
    assert (await one.inputs()).literals["x"] == integer(3)
    uri = await one.inputs_uri()
    assert uri == Attempt(one.output_prefix).inputs
    assert LiteralMap.FromString(await one.objects.read(uri)).literals["x"] == integer(3)


async def test_after_a_restart_a_clean_up_has_no_inputs() -> None:
    one = task()
    late = Task(one._lent, replace(one.job, inputs=b""), inputs=False)
    with pytest.raises(Unknown, match="not to be had"):
        await late.inputs()
    with pytest.raises(Unknown):
        await late.inputs_uri()


async def test_units_are_asked_for_until_they_are_granted() -> None:
    one = task()
    assert not await one.reserve("gpus", 2)
    one.granted += ("gpus",)
    assert await one.reserve("gpus", 2)
    assert one._lent.lender.asked == [("gpus", 2)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("units", [0, -5, 2**63])
async def test_units_that_are_none_are_refused(units: int) -> None:
    """Somebody who holds fewer than none would let the others have more than there are."""
    one = task()
    with pytest.raises(Rejected, match=f"{units} units of pool gpus"):
        await one.reserve("gpus", units)
    assert one._lent.lender.asked == []  # type: ignore[attr-defined]


def test_a_callback_is_signed_for_this_attempt() -> None:
    one = task()
    assert one.callback_url() == f"https://h/{one.name}"


def test_labels_say_whose_job_it_is() -> None:
    assert task().labels == {
        "alula.dev/store": "01234567",
        "alula.dev/project": "p",
        "alula.dev/domain": "d",
        "alula.dev/execution": "e",
        "alula.dev/node": "n0",
        "alula.dev/attempt": "2",
    }


def test_labels_of_the_execution_are_there_too_as_far_as_they_can_be() -> None:
    one = task()
    one.job = replace(one.job, labels={"team": "a b", "acme.org/queue": "x", "no good": "y", "alula.dev/node": "z"})
    found = one.labels
    assert {name: found[name] for name in ("team", "acme.org/queue", "alula.dev/node")} == {
        "team": "a-b",
        "acme.org/queue": "x",
        "alula.dev/node": "n0",
    }
    assert "no good" not in found


@given(st.text())
def test_every_text_is_a_label_of_kubernetes(text: str) -> None:
    made = label(text)
    assert len(made) <= 63
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?", made)


def test_a_million_attempts_have_a_million_names() -> None:
    """M4; the names are those of DNS-1123, and the same in every process."""
    seen = set()
    for execution in range(100):
        for node in range(100):
            for number in range(100):
                seen.add(AttemptId("p", "d", f"e{execution}", f"n{node}", number, "01234567").name)
    assert len(seen) == 1_000_000
    assert all(len(name) == 41 for name in seen)
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", next(iter(seen)))
    assert AttemptId("p", "d", "e0", "n0", 0, "01234567").name in seen
    known = AttemptId("p", "d", "e", "n0", 0, "01234567").name
    assert known == "a01234567" + known[9:]


def stored(prefix: str, stores: StoreSettings, seconds: int = 0, **lender: Any) -> Task:
    lent = Lent(Lender(), Objects(), Secrets({}), lender.get("lend", lambda secret: None), stores=stores)
    template = TaskTemplate(type="t")
    template.metadata.timeout.FromSeconds(seconds)
    return Task(lent, Job(AttemptId("p", "d", "e", "n0", 2, "01234567"), template, b"", prefix))


AZURE = StoreSettings(az={"account_name": "acc", "account_key": "c2VjcmV0"}, task_seconds=7200)


def test_storage_is_lent_for_as_long_as_the_task_may_take_and_struck_out() -> None:
    for timeout, least, most in ((0, 7190, 7200), (60, 3650, 3660), (7000, 7190, 7200)):
        struck: list[str] = []
        found = run(stored("az://box/e/n0/2", AZURE, timeout, lend=struck.append).storage())
        signature = parse_qs(found["AZURE_STORAGE_SAS_TOKEN"])
        left = datetime.fromisoformat(signature["se"][0]) - datetime.now(UTC)
        assert least - 5 <= left.total_seconds() <= most + 5
        assert found["AZURE_STORAGE_SAS_TOKEN"] in struck
        assert "acc" not in struck


def test_files_of_this_machine_need_no_credentials() -> None:
    assert run(stored("/data/e/n0/2", AZURE).storage()) == {}


def test_a_store_that_lends_nothing_is_a_fault_of_the_remote() -> None:
    stores = StoreSettings(s3={"access_key_id": "a", "secret_access_key": "b", "session_token": "c"})
    with pytest.raises(RemoteError, match="through a role only"):
        run(stored("s3://box/e/n0/2", stores).storage())

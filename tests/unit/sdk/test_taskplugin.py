"""The user-container kind: `@task(task_config=...)`, from declaration to the user's function."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from alula import TaskPlugin, current_context, dynamic, task, workflow
from alula.errors import PluginError, SignatureError
from alula.sdk.serialize import serialize
from alula.sdk.taskplugin import TaskPlugins, register

events: list[str] = []


@dataclass
class Cluster:
    workers: int
    name: str = "c"


@dataclass
class BigCluster(Cluster):
    """Served by the plugin of its base."""


class ClusterTask(TaskPlugin[Cluster]):
    task_type = "cluster"
    config_type = Cluster
    task_type_version = 2

    def custom(self, config: Cluster) -> Mapping[str, Any]:
        return {"workers": config.workers, "name": config.name}

    def labels(self, config: Cluster) -> Mapping[str, str]:
        return {"cluster": config.name}

    def around(self, config: Cluster) -> AbstractContextManager[Mapping[str, object]]:
        return self._open(config)

    @contextmanager
    def _open(self, config: Cluster) -> Iterator[Mapping[str, object]]:
        events.append(f"open {config.workers}")
        try:
            yield {"cluster_session": f"session of {config.workers}"}
        except RuntimeError:
            events.append("failed")
            raise
        finally:
            events.append("close")


register(ClusterTask())


@task(task_config=Cluster(workers=3))
def train(epochs: int) -> str:
    events.append("run")
    return f"{current_context().cluster_session}, {current_context().CLUSTER_SESSION}, {epochs}"


@task(task_config=BigCluster(workers=9))
async def train_async(epochs: int) -> str:
    await asyncio.sleep(0)
    return str(current_context().cluster_session)


@task(task_config=Cluster(workers=1), retries=1)
def fails(epochs: int) -> int:
    raise RuntimeError("no")


@task
def plain() -> bool:
    return current_context().has_attr("cluster_session")


@workflow
def pipeline(epochs: int) -> tuple[str, bool]:
    return train(epochs=epochs), plain()


def test_the_plugin_surrounds_the_function_and_lends_it_names() -> None:
    events.clear()
    assert pipeline(epochs=2) == ("session of 3, session of 3, 2", False)
    assert events == ["open 3", "run", "close"]


def test_async_functions_are_surrounded_too() -> None:
    events.clear()
    assert asyncio.run(train_async(epochs=1)) == "session of 9"  # type: ignore[arg-type]
    assert events == ["open 9", "close"]


def test_the_plugin_sees_the_error_of_every_attempt_and_leaves_it_alone() -> None:
    events.clear()
    with pytest.raises(RuntimeError, match="no"):
        fails(epochs=1)
    assert events == ["open 1", "failed", "close"] * 2


def test_the_plugin_is_around_the_body_of_a_dynamic_task() -> None:
    @dynamic(task_config=Cluster(workers=5))
    def grow(n: int) -> str:
        events.append(str(current_context().cluster_session))
        return train(epochs=n)

    events.clear()
    grow(n=1)
    assert events == ["open 5", "session of 5", "close", "open 3", "run", "close"]


def test_type_and_config_go_into_the_template() -> None:
    template = serialize(train).tasks[train.name].template
    assert (template.type, template.task_type_version) == ("cluster", 2)
    assert dict(template.custom) == {"workers": 3.0, "name": "c"}
    assert dict(template.config) == {"cluster": "c"}
    assert template.container.args[0] == "alula-execute"


def test_a_config_that_nobody_serves_is_refused_with_the_way_to_register() -> None:
    with pytest.raises(SignatureError, match=r"no task plugin serves the task_config of 'f', a dict(?s:.)*register"):

        @task(task_config={"workers": 1})
        def f() -> None: ...


def test_two_plugins_for_one_config_are_refused() -> None:
    class Other(TaskPlugin[Cluster]):
        task_type = "other"
        config_type = Cluster

    mine = TaskPlugins()
    mine.register(ClusterTask())
    mine.register(ClusterTask())
    with pytest.raises(PluginError, match="Cluster is already served by ClusterTask"):
        mine.register(Other())

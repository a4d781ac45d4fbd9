"""Tasks that run in the user's image, and how a container finds them again."""

from __future__ import annotations

import importlib
from typing import Any, TypeVar

from alula.compat.flytekit.configuration import SerializationSettings
from alula.compat.flytekit.core.base_task import PythonTask, Task, TaskResolverMixin
from alula.compat.flytekit.core.class_based_resolver import adopt_task
from alula.compat.flytekit.core.tracker import extract_task_module
from alula.compat.flytekit.models.task import Container, K8sPod
from alula.compat.inner import DispatchedTask, HookedTask, TemplateTask
from alula.compat.names import mirror
from alula.errors import ConfigError
from alula.sdk.graph import Entity
from alula.sdk.image import ImageConfig
from alula.sdk.resources import ResourceSpec, resource_spec
from alula.sdk.secrets import Secret, SecurityContext

T = TypeVar("T")


class PythonAutoContainerTask(PythonTask[T]):
    """A task whose container is made from the user's image and flytekit's entry point."""

    def __init__(
        self,
        name: str,
        task_config: T,
        task_type: str = "python-task",
        container_image: Any = None,
        requests: Any = None,
        limits: Any = None,
        resources: Any = None,
        environment: Any = None,
        task_resolver: TaskResolverMixin | None = None,
        secret_requests: Any = None,
        pod_template: Any = None,
        pod_template_name: str | None = None,
        accelerator: Any = None,
        shared_memory: Any = None,
        **kwargs: Any,
    ) -> None:
        if (requests is not None or limits is not None) and resources is not None:
            raise ValueError("`resource` can not be used together with the `limits` or `requests`.")
        if any(not isinstance(one, Secret) for one in secret_requests or ()):
            raise AssertionError(f"Secret {secret_requests!r} should be of type flytekit.Secret")
        context = SecurityContext(secrets=list(secret_requests)) if secret_requests else None
        super().__init__(
            task_type=task_type or "python-task",
            name=name,
            task_config=task_config,
            environment=environment,
            security_ctx=context,
            **kwargs,
        )
        self._container_image = container_image
        self._task_resolver = task_resolver if task_resolver is not None else adopt_task(self)
        self._pod_template_name = pod_template_name
        self._rest = {
            "container_image": container_image,
            "requests": requests,
            "limits": limits,
            "resources": resources,
            "pod_template": pod_template,
            "accelerator": accelerator,
            "shared_memory": shared_memory,
            **({"pod_template_name": pod_template_name} if pod_template_name else {}),
        }

    @property
    def container_image(self) -> Any:
        return self._container_image

    @property
    def task_resolver(self) -> Any:
        return self._task_resolver or default_task_resolver

    def set_resolver(self, resolver: TaskResolverMixin) -> None:
        self._task_resolver = resolver

    @property
    def resources(self) -> ResourceSpec:
        return resource_spec(self._rest["requests"], self._rest["limits"], self._rest["resources"])

    def get_container(self, settings: SerializationSettings) -> Container | None:
        return None if self._rest["pod_template"] is not None else self.template(settings).container

    def get_k8s_pod(self, settings: SerializationSettings) -> K8sPod | None:
        return None if self._rest["pod_template"] is None else self.template(settings).k8s_pod

    def get_image(self, settings: SerializationSettings) -> str:
        container = self.get_container(settings)
        return str(container.image) if container is not None else ""

    def get_command(self, settings: SerializationSettings) -> list[str]:
        container = self.get_container(settings)
        return list(container.args) if container is not None else []

    get_default_command = get_command

    def _entity(self) -> Entity:
        if self.changed(["dispatch_execute"], Task):
            return DispatchedTask(self, None, self.options())
        if self.changed(["get_container", "get_k8s_pod", "get_sql"], PythonAutoContainerTask):
            return TemplateTask(self, self.options())
        return HookedTask(self, None, self.options())


def get_registerable_container_image(img: Any, cfg: ImageConfig) -> str:
    """The full name of an image. AssertionError: it refers to one that is not configured."""
    try:
        return cfg.resolve(img)
    except ConfigError as exc:
        if not img:
            raise
        raise AssertionError(str(exc)) from exc


class DefaultTaskResolver(TaskResolverMixin):
    """Finds a task by its module and the variable there that holds it."""

    location = "flytekit.core.python_auto_container.default_task_resolver"

    def name(self) -> str:
        return "DefaultTaskResolver"

    def load_task(self, loader_args: list[str]) -> Any:
        _, module, _, name, *_ = loader_args
        return getattr(importlib.import_module(module), name)

    def loader_args(self, settings: SerializationSettings, t: Any) -> list[str]:
        holder = t.task_function if hasattr(t, "task_function") else t
        _, module, name, _ = extract_task_module(holder)
        return ["task-module", module, "task-name", name]

    def get_all_tasks(self) -> list[Any]:
        raise NotImplementedError("the default resolver keeps no list of tasks")


default_task_resolver = DefaultTaskResolver()
__getattr__, __dir__ = mirror(__name__, {})

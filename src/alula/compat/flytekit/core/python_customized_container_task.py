"""Tasks that run in an image of their kind's own, by an executor class that is there."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from alula._kits import bridge
from alula.compat.flytekit.configuration import SerializationSettings
from alula.compat.flytekit.core.base_task import PythonTask, TaskResolverMixin
from alula.compat.flytekit.core.shim_task import ExecutableTemplateShimTask, ShimTaskExecutor
from alula.compat.flytekit.models.task import Container, TaskTemplate
from alula.compat.names import mirror
from alula.data.workspace import workspace
from alula.idl import Container as ContainerMessage
from alula.idl import TaskTemplate as TemplateMessage
from alula.sdk.image import ImageConfig
from alula.sdk.prebuilt import COMMAND
from alula.sdk.resources import to_message as resources_message

TC = TypeVar("TC")


class PythonCustomizedContainerTask(PythonTask[TC]):
    """A kind of task whose template says everything; `executor_type` runs it."""

    SERIALIZE_SETTINGS = SerializationSettings(
        ImageConfig.from_images("placeholder/image:tag"), "PLACEHOLDER_PROJECT", "LOCAL", "PLACEHOLDER_VERSION"
    )

    def __init__(
        self,
        name: str,
        task_config: TC,
        container_image: str,
        executor_type: type[ShimTaskExecutor[Any]],
        task_resolver: TaskResolverMixin | None = None,
        task_type: str = "python-task",
        *,
        requests: Any = None,
        limits: Any = None,
        resources: Any = None,
        environment: dict[str, str] | None = None,
        secret_requests: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(task_type=task_type, name=name, task_config=task_config, environment=environment, **kwargs)
        self._container_image, self._executor_type = container_image, executor_type
        self._task_resolver = task_resolver
        self._rest = {"requests": requests, "limits": limits, "resources": resources}

    @property
    def container_image(self) -> str:
        return self._container_image

    @property
    def executor_type(self) -> type[ShimTaskExecutor[Any]]:
        return self._executor_type

    @property
    def task_resolver(self) -> Any:
        return self._task_resolver or default_task_template_resolver

    @property
    def task_template(self) -> TaskTemplate:
        return self.serialize_to_model(self.SERIALIZE_SETTINGS)

    def get_command(self, settings: SerializationSettings) -> list[str]:
        resolver = self.task_resolver
        return [*COMMAND, "--resolver", resolver.location, "--", *resolver.loader_args(settings, self)]

    def get_image(self, settings: SerializationSettings) -> str:
        return (settings.image_config or ImageConfig()).resolve(self.container_image)

    def get_container(self, settings: SerializationSettings) -> Container:
        message = ContainerMessage(
            image=self.get_image(settings), args=self.get_command(settings), resources=resources_message(**self._rest)
        )
        for key, value in {**(settings.env or {}), **self.environment}.items():
            message.env.add(key=key, value=value)
        return Container.from_flyte_idl(message)  # type: ignore[no-any-return]

    def serialize_to_model(self, settings: SerializationSettings) -> TaskTemplate:
        return self.template(settings)

    def execute(self, **kwargs: Any) -> Any:
        return self.executor_type().execute_from_model(self.task_template, **kwargs)


class TaskTemplateResolver(TaskResolverMixin):
    """Reads the task's template, whose place the platform passes."""

    location = "flytekit.core.python_customized_container_task.default_task_template_resolver"

    def name(self) -> str:
        return "task template resolver"

    def load_task(self, loader_args: list[str]) -> ExecutableTemplateShimTask:
        uri, path = loader_args
        content = bridge.run(workspace().objects.read(uri))
        module, _, name = path.rpartition(".")
        template = TaskTemplate.from_flyte_idl(TemplateMessage.FromString(content))
        return ExecutableTemplateShimTask(template, getattr(import_module(module), name))

    def loader_args(self, settings: SerializationSettings, t: Any) -> list[str]:
        return ["{{.taskTemplatePath}}", f"{t.executor_type.__module__}.{t.executor_type.__qualname__}"]


default_task_template_resolver = TaskTemplateResolver()
__getattr__, __dir__ = mirror(__name__, {})

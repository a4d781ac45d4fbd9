"""The bases of flytekit's tasks: what every kind of task has, around an entity of Alula's."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar

from alula import errors
from alula.compat.adopt import adopted
from alula.compat.flytekit.configuration import SerializationSettings
from alula.compat.flytekit.core.context_manager import FlyteContextManager
from alula.compat.flytekit.core.interface import Interface, typed_interface
from alula.compat.flytekit.core.node import mirrors
from alula.compat.flytekit.core.promise import call
from alula.compat.flytekit.core.tracker import TrackedInstance
from alula.compat.flytekit.models.core.workflow import NodeMetadata
from alula.compat.flytekit.models.interface import TypedInterface
from alula.compat.flytekit.models.literals import LiteralMap, RetryStrategy
from alula.compat.flytekit.models.task import TaskTemplate
from alula.compat.inner import DispatchedTask, TemplateTask
from alula.compat.model import message_of, model_of
from alula.compat.names import mirror
from alula.sdk.caching import Cache
from alula.sdk.compiler import SerializationSettings as OurSettings
from alula.sdk.dispatch import dispatch
from alula.sdk.graph import Entity
from alula.sdk.kinds import Compilation, reference
from alula.sdk.local import current_run
from alula.sdk.options import TaskOptions

T = TypeVar("T")


def kwtypes(**kwargs: Any) -> OrderedDict[str, Any]:
    """Names and types, in order."""
    return OrderedDict(kwargs)


class IgnoreOutputs(errors.IgnoreOutputs):
    """Raised by a task whose outputs shall not be written."""

    def __init__(self, *args: Any) -> None:
        super().__init__(str(args[0]) if args else "this task has no outputs to write")


@dataclass
class TaskMetadata:
    """How a task is run and kept."""

    cache: bool = False
    cache_serialize: bool = False
    cache_version: str = ""
    cache_ignore_input_vars: tuple[str, ...] = ()
    interruptible: bool | None = None
    deprecated: str = ""
    retries: int = 0
    timeout: timedelta | int | None = None
    pod_template_name: str | None = None
    generates_deck: bool = False
    is_eager: bool = False
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.timeout and isinstance(self.timeout, int):
            self.timeout = timedelta(seconds=self.timeout)
        if self.timeout and not isinstance(self.timeout, timedelta):
            raise ValueError("timeout should be duration represented as either a datetime.timedelta or int seconds")
        if self.cache and not self.cache_version:
            raise ValueError("Caching is enabled ``cache=True`` but ``cache_version`` is not set.")
        if self.cache_serialize and not self.cache:
            raise ValueError("Cache serialize is enabled ``cache_serialize=True`` but ``cache`` is not enabled.")
        if self.cache_ignore_input_vars and not self.cache:
            raise ValueError("Cache ignore input vars are specified, but ``cache`` is not enabled.")

    @property
    def retry_strategy(self) -> RetryStrategy:
        return RetryStrategy(self.retries)

    def options(self) -> dict[str, Any]:
        """The same as settings of Alula's."""
        cached = Cache(self.cache_version, self.cache_serialize, self.cache_ignore_input_vars) if self.cache else False
        return {
            "cache": cached,
            "interruptible": self.interruptible,
            "deprecated": self.deprecated,
            "retries": self.retries,
            "timeout": self.timeout or timedelta(0),
            "pod_template_name": self.pod_template_name,
            "labels": self.labels,
            "annotations": self.annotations,
        }


class Task(TrackedInstance):
    """Anything that runs as one step, and the entity of Alula's inside (`__alula_entity__`)."""

    def __init__(
        self,
        task_type: str,
        name: str,
        interface: Any = None,
        metadata: TaskMetadata | None = None,
        task_type_version: int = 0,
        security_ctx: Any = None,
        docs: Any = None,
        **kwargs: Any,
    ) -> None:
        self._task_type, self._name = task_type, name
        self._metadata = metadata or TaskMetadata()
        self._task_type_version, self._security_ctx, self._docs = task_type_version, security_ctx, docs
        self._settings: SerializationSettings | None = None
        if isinstance(interface, Interface):
            self._native_interface = interface

    @property
    def name(self) -> str:
        return self._name

    @property
    def task_type(self) -> str:
        return self._task_type

    @property
    def task_type_version(self) -> int:
        return self._task_type_version

    @property
    def metadata(self) -> TaskMetadata:
        return self._metadata

    @property
    def security_context(self) -> Any:
        return self._security_ctx

    @property
    def docs(self) -> Any:
        return self._docs

    @property
    def python_interface(self) -> Interface:
        return self._native_interface

    @property
    def interface(self) -> TypedInterface:
        return typed_interface(self.python_interface.ours)

    def get_input_types(self) -> dict[str, Any]:
        return self.python_interface.inputs

    def get_type_for_input_var(self, k: str, v: Any) -> Any:
        return self.python_interface.inputs[k]

    def get_type_for_output_var(self, k: str, v: Any) -> Any:
        return self.python_interface.outputs[k]

    # what a kind of task says of itself

    def get_container(self, settings: SerializationSettings) -> Any:
        return None

    def get_k8s_pod(self, settings: SerializationSettings) -> Any:
        return None

    def get_sql(self, settings: SerializationSettings) -> Any:
        return None

    def get_custom(self, settings: SerializationSettings) -> dict[str, Any] | None:
        return None

    def get_config(self, settings: SerializationSettings) -> dict[str, str] | None:
        return None

    def get_extended_resources(self, settings: SerializationSettings) -> Any:
        return None

    # how it runs

    def pre_execute(self, user_params: Any) -> Any:
        """Before the inputs are converted; what it returns becomes the context of the task."""
        return user_params

    def execute(self, **kwargs: Any) -> Any:
        """What the task does, with values of Python's."""
        raise NotImplementedError(f"{type(self).__name__}.execute")

    def post_execute(self, user_params: Any, rval: Any) -> Any:
        """After `execute`; what it returns becomes the result."""
        return rval

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call(self.__alula_entity__, args, kwargs)

    def with_overrides(self, *args: Any, **kwargs: Any) -> Any:
        """The same task, called with other settings."""
        return lambda *a, **k: self(*a, **k).with_overrides(*args, **kwargs)

    @cached_property
    def __alula_entity__(self) -> Entity:
        with adopted():
            entity = self._entity()
        mirrors(entity, self)
        return entity

    @abstractmethod
    def _entity(self) -> Entity:
        """The entity of Alula's, made when it is first needed."""

    def settings(self) -> SerializationSettings:
        """Under which the task is being registered."""
        return self._settings or FlyteContextManager.current_context().serialization_settings or SerializationSettings()

    def dispatch_execute(self, ctx: Any, input_literal_map: LiteralMap) -> Any:
        """One attempt, from literals to literals, or to the nodes that a dynamic task makes."""
        with adopted():
            made = dispatch(self.__alula_entity__, message_of(input_literal_map), current_run(), self.settings().ours())
        return model_of(made)

    def sandbox_execute(self, ctx: Any, input_literal_map: LiteralMap) -> Any:
        return self.dispatch_execute(ctx, input_literal_map)

    def local_execute(self, ctx: Any, **kwargs: Any) -> Any:
        return self(**kwargs)

    def compile(self, ctx: Any, *args: Any, **kwargs: Any) -> Any:
        return self(*args, **kwargs)

    def template(self, settings: SerializationSettings | None = None) -> TaskTemplate:
        """The task as it is registered."""
        self._settings = settings
        try:
            work = Compilation(OurSettings() if settings is None else settings.ours())
            with adopted():
                reference(self.__alula_entity__, work)
            return TaskTemplate.from_flyte_idl(work.tasks[self.name].template)
        finally:
            self._settings = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class PythonTask(Task, Generic[T]):
    """A task whose inputs and outputs are Python's."""

    def __init__(
        self,
        task_type: str,
        name: str,
        task_config: T | None = None,
        interface: Interface | None = None,
        environment: Mapping[str, str] | None = None,
        disable_deck: bool | None = None,
        enable_deck: bool | None = None,
        deck_fields: Any = None,
        **kwargs: Any,
    ) -> None:
        if disable_deck is not None and enable_deck is not None:
            raise ValueError("disable_deck and enable_deck cannot both be set at the same time")
        super().__init__(task_type=task_type, name=name, interface=interface or Interface(), **kwargs)
        self._task_config, self._environment = task_config, dict(environment or {})
        self._deck = bool(enable_deck) or disable_deck is False
        self._deck_fields = deck_fields
        self._rest: dict[str, Any] = {}
        """Settings of Alula's that the kinds of task below add."""

    @property
    def task_config(self) -> Any:
        return self._task_config

    @property
    def environment(self) -> dict[str, str]:
        return self._environment

    @property
    def enable_deck(self) -> bool:
        return self._deck

    @property
    def disable_deck(self) -> bool:
        return not self._deck

    @property
    def deck_fields(self) -> Any:
        return self._deck_fields

    @property
    def task_resolver(self) -> Any:
        raise ValueError(f"{type(self).__name__} has no task resolver")

    def construct_node_metadata(self) -> NodeMetadata:
        of = self.metadata
        return NodeMetadata(self.name.rpartition(".")[2], of.timeout, of.retry_strategy, of.interruptible)

    def options(self) -> TaskOptions:
        """The settings for Alula."""
        return TaskOptions(
            **{**self.metadata.options(), **self._rest},
            environment=self._environment or None,
            enable_deck=self._deck or None,
            deck_fields=self._deck_fields,
            docs=self._docs,
            secret_requests=getattr(self._security_ctx, "secrets", None),
        )

    # what of all that a class has changed

    @classmethod
    def changed(cls, names: Iterable[str], since: type[Any]) -> bool:
        """Whether a class has methods of its own under any of these names, compared with a base."""
        return any(getattr(cls, name) is not getattr(since, name, None) for name in names)

    @property
    def dressed(self) -> bool:
        """Whether the template says more than that this is a task."""
        said = ("get_custom", "get_config", "get_extended_resources")
        return self.task_type != "python-task" or self.changed(said, PythonTask)

    def _entity(self) -> Entity:
        if self.changed(["dispatch_execute"], Task):
            return DispatchedTask(self, None, self.options())
        return TemplateTask(self, self.options())


def hooked(task: Any, base: type[Any]) -> bool:
    """Whether a task's class does something around its function."""
    return bool(task.changed(["pre_execute", "execute", "post_execute"], base))


class TaskResolverMixin:
    """How a container finds a task again: a subclass loads it by the words that it wrote itself."""

    @property
    def location(self) -> str:
        """The dotted path of the resolver."""
        raise NotImplementedError

    def name(self) -> str:
        return type(self).__name__

    def load_task(self, loader_args: list[str]) -> Any:
        """The task that these words stand for."""
        raise NotImplementedError

    def loader_args(self, settings: SerializationSettings, t: Any) -> list[str]:
        """The words for a task."""
        raise NotImplementedError

    def get_all_tasks(self) -> list[Any]:
        return []

    def task_name(self, t: Any) -> str | None:
        return None


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.context_manager": "ExecutionParameters ExecutionState FlyteContext",
        "alula.compat.flytekit.core.promise": "Promise VoidPromise",
        "alula.compat.flytekit.core.type_engine": "TypeEngine",
        "alula.sdk.docs": "Documentation",
    },
)

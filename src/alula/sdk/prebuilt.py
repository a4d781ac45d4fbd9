"""The prebuilt-container kind: the task template holds everything, and an executor class runs it.

There is no user function at run time. Whoever writes such a kind ships two classes:

    class CountRows(TemplateExecutor):
        def execute(self, template, **inputs):
            return count(self.custom(template)["table"])

    class CountTask(PrebuiltTask):
        task_type = "count-rows"
        image = "example.org/count:1"
        executor = CountRows

        def __init__(self, name, table):
            self.table = table
            super().__init__(name, outputs=kwtypes(rows=int))

        def custom(self):
            return {"table": self.table}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, NoReturn

from google.protobuf.json_format import MessageToDict

from alula._kits import bridge
from alula.data.workspace import workspace
from alula.errors import ConfigError, ConversionError, PluginError
from alula.idl import Container, Identifier, LiteralMap, LiteralType, ResourceType, TaskTemplate
from alula.idl import interface as wire
from alula.sdk.graph import Entity, Node
from alula.sdk.instance import InstanceTask
from alula.sdk.local import Kept, LocalRun, fresh, keep, kept_of, literal_of
from alula.sdk.resolver import Resolver
from alula.sdk.resources import to_message as resources_message
from alula.sdk.signature import Input, Interface, Output
from alula.types import maps
from alula.types.registry import default
from alula.types.transformer import Converter, Place

EXECUTOR = "executor"
"""The key in a template's config that names the executor class, as `module:Class`."""


class TemplateExecutor(ABC):
    """Turns a task template and inputs into outputs, in an image that has no user code. Made anew for each attempt."""

    @abstractmethod
    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        """None, the value of the one output, or a dictionary of several outputs by name.

        Inputs have the Python types that are guessed from the template's interface. May block; may be repeated.
        """

    @staticmethod
    def custom(template: TaskTemplate) -> dict[str, Any]:
        """What `PrebuiltTask.custom` gave, as plain data. The wire knows no ints: whole numbers come back as ints."""
        plain: dict[str, Any] = _whole(MessageToDict(template.custom))
        return plain


class PrebuiltTask(InstanceTask):
    """The authoring side of a prebuilt-container kind: everything that its executor needs goes into the template."""

    runs_user_code: ClassVar[bool] = False
    executor: ClassVar[type[TemplateExecutor]]
    image: str = ""
    """The image that has the executor; empty: the default image has it. A task may have its own: `container_image=`."""

    def custom(self) -> Mapping[str, Any]:
        """What the executor needs to know; becomes `TaskTemplate.custom`. Called at registration."""
        return {}

    def labels(self) -> Mapping[str, str]:
        """Strings for `TaskTemplate.config`. Called at registration."""
        return {}

    def argv(self) -> Sequence[str]:
        """The arguments of the container; by default they make Alula's entry point run the executor."""
        return [*COMMAND, "--resolver", by_template.location, "--", *by_template.loader_args(self)]

    def execute(self, **inputs: Any) -> NoReturn:
        raise PluginError(f"{type(self).__name__} is run by {self.executor.__name__}", where=self.where)

    def invoke(self, values: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        theirs = self.interface
        given = {k: maps.literal(v, theirs.inputs[k].converter, run.place) for k, v in values.items()}
        made = run_template(self.template(), LiteralMap(literals=given), run.place)
        return tuple(kept_of(made.literals[key], one.converter, run.place) for key, one in theirs.outputs.items())

    def template(self) -> TaskTemplate:
        """The template, as far as the executor may look at it."""
        id = Identifier(
            resource_type=ResourceType.TASK, project="local", domain="local", name=self.name, version="local"
        )
        made = TaskTemplate(id=id, type=self.task_type, interface=self.interface.message())
        self.fill(made, {}, lambda asked: str(asked or ""))
        return made

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        o = self.options
        template.custom.update(self.custom())
        template.config.update(self.labels())
        template.config[EXECUTOR] = f"{self.executor.__module__}:{self.executor.__qualname__}"
        container = Container(
            image=image(o.container_image or self.image or None),
            args=self.argv(),
            resources=resources_message(o.requests, o.limits, o.resources),
        )
        for key, value in {**env, **(o.environment or {})}.items():
            container.env.add(key=key, value=value)
        template.container.CopyFrom(container)


class TemplateTask(Entity):
    """A task of which only the template is known.

    Args:
        executor: `module:Class`, or `module.Class`; by default the template names it.
    """

    def __init__(self, template: TaskTemplate, executor: str = "") -> None:
        self.template, self.name = template, template.id.name
        self.executor = executor or template.config.get(EXECUTOR, "")
        self.interface = Interface(
            {k: Input(k, *_guessed(v.type)) for k, v in sorted(template.interface.inputs.variables.items())},
            {k: Output(k, *_guessed(v.type)) for k, v in sorted(template.interface.outputs.variables.items())},
        )

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        executor = _executor(self.executor, self.name)
        values = {k: fresh(v, self.interface.inputs[k].converter, run.place) for k, v in inputs.items()}
        result = self._named(executor.execute(self.template, **values))
        what, where = f"of '{self.short_name}'", f"executor {self.executor}"
        outputs = self.interface.outputs.items()
        return tuple(_kept(result[key], one, run.place, f"output '{key}' {what}", where) for key, one in outputs)

    def _named(self, result: Any) -> Mapping[str, Any]:
        """What the executor returned, by output name. Raises ConversionError."""
        names = list(self.interface.outputs)
        if len(names) == 1:
            return {names[0]: result}
        given = list(result) if isinstance(result, Mapping) else None
        if (not names and result is None) or (given is not None and set(given) == set(names)):
            return result or {}
        raise ConversionError(
            f"'{self.short_name}' got {result!r:.80} for its outputs {', '.join(sorted(names)) or '(none)'}",
            where=f"executor {self.executor}",
            fix="return None without outputs, and a dictionary of several outputs by name",
        )


def run_template(template: TaskTemplate, inputs: LiteralMap, place: Place, *, executor: str = "") -> LiteralMap:
    """The outputs of a task of which there is only the template.

    This is what a container does, and a local call of a `PrebuiltTask` too.

    Raises:
        PluginError: the executor cannot be loaded.
        ConversionError: an input or output does not fit the interface.
        BaseException: whatever the executor raises.
    """
    task, run = TemplateTask(template, executor), LocalRun(place)
    ins, outs = task.interface.inputs, task.interface.outputs
    missing = [name for name in ins if name not in inputs.literals]
    if missing:
        raise ConversionError(f"'{task.name}' gets no value for {', '.join(map(repr, missing))}")
    kept = task.perform({k: kept_of(inputs.literals[k], one.converter, place) for k, one in ins.items()}, run, None)
    given = zip(outs.items(), kept, strict=True)
    return LiteralMap(literals={name: literal_of(value, one.converter, place) for (name, one), value in given})


class ByTemplate(Resolver):
    """Finds nothing in code: reads the task's template, whose place the platform passes."""

    location = "alula.sdk.prebuilt.by_template"

    def loader_args(self, task: Entity) -> list[str]:
        executor = type(task).executor if isinstance(task, PrebuiltTask) else None
        path = f"{executor.__module__}.{executor.__qualname__}" if executor is not None else ""
        return ["{{.taskTemplatePath}}", path]

    def load_task(self, loader_args: Sequence[str]) -> Entity:
        if not loader_args or loader_args[0].startswith("{{"):
            raise ConfigError(
                f"a task of a prebuilt kind is started with {' '.join(loader_args)!r} for its template",
                fix="let the platform fill in {{.taskTemplatePath}}",
            )
        uri, *rest = loader_args
        content = bridge.run(workspace().objects.read(uri))
        return TemplateTask(TaskTemplate.FromString(content), rest[0] if rest else "")


by_template = ByTemplate()
COMMAND = (
    "alula-execute",
    "--inputs",
    "{{.input}}",
    "--output-prefix",
    "{{.outputPrefix}}",
    "--raw-output-data-prefix",
    "{{.rawOutputDataPrefix}}",
)


def _executor(path: str, task: str) -> TemplateExecutor:
    module, colon, name = path.partition(":")
    if not colon:
        module, _, name = path.rpartition(".")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as exc:
        raise PluginError(
            f"the executor {path!r} of task '{task}' cannot be loaded: {exc}",
            fix="use the image that the kind of task is made for, and an executor class at the top of a module",
        ) from exc
    if not (isinstance(found, type) and issubclass(found, TemplateExecutor)):
        raise PluginError(f"the executor {path!r} of task '{task}' is {found!r:.80}", fix="subclass TemplateExecutor")
    return found()


def _guessed(lt: LiteralType) -> tuple[Any, Converter]:
    t = default.guess(lt)
    return t, default.converter(t)


def _kept(value: Any, one: Output, place: Place, what: str, where: str) -> Kept:
    """An output as it is kept for the guessed type; a value of another type that fits the literal type will do."""
    converter = one.converter
    if converter.copy is None:
        own = _converter_of(type(value))
        if own is not None and wire.castable(own.literal_type, converter.literal_type):
            return literal_of(keep(value, own, place), own, place)
    try:
        return keep(value, converter, place)
    except ConversionError as exc:
        raise type(exc)(exc.about(what), where=exc.where or where, fix=exc.fix) from exc


def _converter_of(t: type) -> Converter | None:
    try:
        return default.converter(t)
    except TypeError:  # UnsupportedType is one: the guessed type has to do
        return None


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value

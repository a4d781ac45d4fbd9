"""`ContainerTask`: an image and a command, in any language, with inputs and outputs as files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Unpack

from alula._kits import bridge, lazy
from alula.config import load
from alula.errors import PluginError, SignatureError
from alula.idl import Container, DataLoadingConfig, Identifier, IOStrategy, LiteralMap, ResourceType, TaskTemplate
from alula.idl import templates as wire
from alula.sdk.graph import Node
from alula.sdk.image import ImageConfig
from alula.sdk.instance import InstanceTask
from alula.sdk.local import Kept, LocalRun, kept_of
from alula.sdk.options import TaskKeywords
from alula.sdk.resources import to_message as resources_message
from alula.sdk.secrets import Secret, SecretsManager
from alula.sdk.texts import check_names, put_in, text_of
from alula.types import maps

if TYPE_CHECKING:
    from alula.containers.files import near
else:
    near = lazy.module("alula.containers.files.near")  # only a call here comes there, and it needs an engine


class MetadataFormat(IntEnum):
    """How the file that describes all inputs is written. Source: flyteidl tasks.proto, LiteralMapFormat."""

    JSON = 0
    YAML = 1
    PROTO = 2


class ContainerTask(InstanceTask):
    """Runs a command in an image that knows nothing of Alula.

    Each input is a file `<input_data_dir>/<name>`, and each output is taken from a file `<output_data_dir>/<name>`.
    Short inputs can be part of the command: `{{.inputs.name}}`. A call runs it, too, with the container engine of this
    machine. docs/how-to/raw-containers.md says what the files look like.

    Args:
        name: Full name, unique in the project.
        image: The image, with a tag or digest, or an `ImageSpec`.
        command: The program and its arguments; replaces the entry point of the image.
        arguments: Arguments for the program.
        inputs: Names to types.
        outputs: Names to types.
        input_data_dir: An absolute directory inside the container.
        output_data_dir: An absolute directory inside the container.
        metadata_format: How the file that describes all inputs is written.
        io_strategy: When inputs are fetched and outputs put away; None: before and after.
        local_logs: Whether a local run shows what the container prints.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError: a directory is not absolute, or the command asks for an input that is not declared.
    """

    task_type: ClassVar[str] = "raw-container"
    runs_user_code: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        image: Any,
        command: Sequence[str],
        arguments: Sequence[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        *,
        input_data_dir: str | None = None,
        output_data_dir: str | None = None,
        metadata_format: MetadataFormat = MetadataFormat.JSON,
        io_strategy: IOStrategy | None = None,
        local_logs: bool = True,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.image, self.command, self.arguments = image, list(command), list(arguments or ())
        self.input_data_dir, self.output_data_dir = input_data_dir or "", output_data_dir or ""
        self.metadata_format, self.io_strategy, self.local_logs = metadata_format, io_strategy, local_logs
        super().__init__(name, inputs, outputs, **keywords)
        self._check()

    def execute(self, **inputs: Any) -> NoReturn:
        raise PluginError(f"container task '{self.name}' is run by a container engine", where=self.where)

    def invoke(self, values: dict[str, Any], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        theirs, place = self.interface, run.place
        given = {name: maps.literal(value, theirs.inputs[name].converter, place) for name, value in values.items()}
        call = near.Call(place.new_uri(), _engine_url(), self._secrets(), _print if self.local_logs else _hush)
        made = bridge.run(near.run(self.template(), LiteralMap(literals=given), place.objects, call))
        return tuple(kept_of(made.literals[name], one.converter, place) for name, one in theirs.outputs.items())

    def template(self, *, builds: bool = True) -> TaskTemplate:
        """The template, as far as a container here needs it.

        Args:
            builds: Whether the image of an `ImageSpec` is built if it is not there.
        """
        id = Identifier(
            resource_type=ResourceType.TASK, project="local", domain="local", name=self.name, version="local"
        )
        made = TaskTemplate(id=id, type=self.task_type, interface=self.interface.message())
        made.metadata.timeout.FromTimedelta(self.options.limit)
        self.fill(made, {}, lambda asked: ImageConfig.auto().resolve(asked, where=self.where, builds=builds))
        return made

    def _secrets(self) -> dict[str, str]:
        """Variables with the secrets that the task asks for, as far as this machine has them."""
        secrets, found = SecretsManager(), {}
        for one in self.options.secret_requests or ():
            assert isinstance(one, Secret)
            name = one.env_var or secrets.get_secrets_env_var(one.group, one.key, one.group_version)
            found[name] = secrets.get(one.group, one.key, one.group_version)
        return found

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        o = self.options
        container = Container(
            image=image(self.image),
            command=self.command,
            args=self.arguments,
            resources=resources_message(o.requests, o.limits, o.resources),
            data_config=self.data_loading(),
        )
        for key, value in {**env, **(o.environment or {})}.items():
            container.env.add(key=key, value=value)
        if o.pod_template is None:
            template.container.CopyFrom(container)
        else:
            template.k8s_pod.CopyFrom(o.pod_template.to_pod(container))
            template.config["primary_container_name"] = o.pod_template.primary_container_name

    def data_loading(self) -> DataLoadingConfig:
        """Where the platform puts inputs and looks for outputs."""
        made = DataLoadingConfig(
            enabled=True,
            input_path=self.input_data_dir,
            output_path=self.output_data_dir,
            format=self.metadata_format.name,
        )
        if self.io_strategy is not None:
            made.io_strategy.CopyFrom(self.io_strategy)
        return made

    def argv(self, inputs: Mapping[str, Any]) -> list[str]:
        """The command and its arguments for these inputs."""
        return render([*self.command, *self.arguments], inputs)

    def _check(self) -> None:
        words = [*self.command, *self.arguments]
        check_names(
            words, self.interface.inputs, what=f"container task '{self.name}'", where=self.where, all_used=False
        )
        directories = (("input", self.input_data_dir), ("output", self.output_data_dir))
        relative = [f"{kind}_data_dir is {path!r}" for kind, path in directories if path and not path.startswith("/")]
        asked = wire.inputs_in([*words, *(self.options.environment or {}).values()])
        unread = [name for name in self.interface.inputs if not self.input_data_dir and name not in asked]
        if relative:
            raise SignatureError(
                f"container task '{self.name}': {', '.join(relative)}, and must be absolute", where=self.where
            )
        if unread:
            raise SignatureError(
                f"container task '{self.name}' never sees its input {', '.join(map(repr, unread))}",
                where=self.where,
                fix='use {{.inputs.NAME}} in the command, or give input_data_dir="/var/inputs" to get it as a file',
            )
        if self.interface.outputs and not self.output_data_dir:
            raise SignatureError(
                f"container task '{self.name}' has outputs, and no directory to take them from",
                where=self.where,
                fix='give output_data_dir="/var/outputs"',
            )


def _engine_url() -> str:
    """Where the container engine listens, if settings say."""
    section = load().backends.get("docker")
    return str(section.get("url", "")) if isinstance(section, Mapping) else ""


def _print(printed: bytes) -> None:
    sys.stderr.write(printed.decode(errors="replace"))


def _hush(printed: bytes) -> None: ...


def render(words: Sequence[str], inputs: Mapping[str, Any], text: Callable[[Any], str] = text_of) -> list[str]:
    """A command line with each `{{.inputs.x}}` replaced, wherever in a word it stands; a word stays one word."""
    return [put_in(word, lambda name: text(inputs[name])) for word in words]

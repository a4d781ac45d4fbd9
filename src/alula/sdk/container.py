"""`ContainerTask`: an image and a command, in any language, with inputs and outputs as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, NoReturn, Unpack

from alula.errors import SignatureError, TaskFailure
from alula.idl import Container, DataLoadingConfig, IOStrategy, TaskTemplate
from alula.sdk.instance import InstanceTask
from alula.sdk.options import TaskKeywords
from alula.sdk.resources import to_message as resources_message
from alula.sdk.texts import check_names, names, put_in, text_of


class MetadataFormat(IntEnum):
    """How the file that describes all inputs is written. Source: flyteidl tasks.proto, LiteralMapFormat."""

    JSON = 0
    YAML = 1
    PROTO = 2


class ContainerTask(InstanceTask):
    """Runs a command in an image that knows nothing of Alula.

    A platform puts each input into a file `<input_data_dir>/<name>`, and takes each output from a file
    `<output_data_dir>/<name>`. Short inputs can be part of the command: `{{.inputs.name}}`.

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
        raise TaskFailure(
            f"container task '{self.name}' needs a container engine, and local runs have none yet",
            where=self.where,
            fix="run it on a platform, or stand in for it: "
            f"with alula.testing.task_mock({self.short_name}) as fake: fake.return_value = ...",
            code="NoContainerEngine",
            origin="system",
        )

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
        unread = [n for n in self.interface.inputs if not self.input_data_dir and n not in names(" ".join(words))]
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


def render(words: Sequence[str], inputs: Mapping[str, Any], text: Callable[[Any], str] = text_of) -> list[str]:
    """A command line with each `{{.inputs.x}}` replaced, wherever in a word it stands; a word stays one word."""
    return [put_in(word, lambda name: text(inputs[name])) for word in words]

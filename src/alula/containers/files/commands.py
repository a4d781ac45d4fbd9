"""The command of a container for certain inputs, as it is run where no engine of workflows runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.idl import LiteralMap, TaskTemplate, containers, templates


@dataclass(frozen=True, slots=True)
class Command:
    """What a container starts with. Templates are filled in, and each word is one word."""

    image: str
    entrypoint: tuple[str, ...]
    """The task's command; empty: the image's own."""
    args: tuple[str, ...]
    environ: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        return [*self.entrypoint, *self.args]


def command(
    template: TaskTemplate,
    inputs: LiteralMap,
    files: Attempt,
    *,
    name: str = "local",
    change: Callable[[str], str] = lambda word: word,
) -> Command:
    """The command of a task.

    Args:
        files: Where the files of the attempt are.
        name: Of the attempt; `{{.PerRetryUniqueKey}}` is made of it.
        change: Called with each word and each value of a variable, before values are put into it.

    Raises:
        ConversionError: Inputs that are not there, or have no form in a command line.
    """
    container = containers.of(template)
    known = {
        "input": files.inputs,
        "inputprefix": files.prefix,
        "outputprefix": files.prefix,
        "rawoutputdataprefix": files.raw,
        "perretryuniquekey": templates.unique_key(name),
        "tasktemplatepath": files.template,
        "prevcheckpointprefix": '""',
        "checkpointoutputprefix": files.checkpoint,
        "namespace": f"{template.id.project}-{template.id.domain}",
    }
    words = [*container.command, *container.args, *(pair.value for pair in container.env)]
    filled = templates.fill([change(word) for word in words], known, inputs, task=template.id.name)
    first, second = len(container.command), len(container.command) + len(container.args)
    names = (pair.key for pair in container.env)
    environ = dict(zip(names, filled[second:], strict=True))
    return Command(container.image, tuple(filled[:first]), tuple(filled[first:second]), environ)


async def put_asked(objects: ObjectStore, template: TaskTemplate, inputs: LiteralMap, files: Attempt) -> None:
    """Write the inputs and the template as files, if the command asks for them."""
    words = templates.words_of(template)
    if templates.uses(words, "Input") or templates.uses(words, "InputPrefix"):
        await objects.write(files.inputs, inputs.SerializeToString(deterministic=True))
    if templates.uses(words, "TaskTemplatePath"):
        await objects.write(files.template, template.SerializeToString(deterministic=True))

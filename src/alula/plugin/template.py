"""Command lines of attempts, with what Flyte's templates stand for filled in; `alula.idl.templates` has the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alula.idl.templates import NAMES, as_text, unique_key, uses, words_of
from alula.idl.templates import fill as filled
from alula.plugin.runner import Job

__all__ = ["NAMES", "as_text", "fill", "unique_key", "uses", "words_of"]


def fill(argv: Sequence[str], job: Job) -> list[str]:
    """A command line, or values of variables, ready to be run. Templates of other names stay as they are.

    Raises:
        ConversionError: Inputs that are not there, or are no text; all of them at once.
    """
    return filled(argv, _known(job), job.inputs, task=job.template.id.name)


def _known(job: Job) -> Mapping[str, str]:
    files = job.files
    return {
        "input": files.inputs,
        "inputprefix": files.prefix,
        "outputprefix": files.prefix,
        "rawoutputdataprefix": files.raw,
        "perretryuniquekey": unique_key(job.id.name),
        "tasktemplatepath": files.template,
        "prevcheckpointprefix": job.checkpoint or '""',
        "checkpointoutputprefix": files.checkpoint,
        "namespace": f"{job.id.project}-{job.id.domain}",
    }

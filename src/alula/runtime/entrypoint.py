"""`alula-execute`: one attempt of a task in its container, from `inputs.pb` to `outputs.pb` or `error.pb`.

It also takes the command lines that flytekit writes for its own tasks, `pyflyte-execute` and its two sisters: the
arguments are the same, and a resolver of another SDK is served by the dialect that is registered for its package.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from alula._kits import bridge
from alula.data.bundle import unpack
from alula.data.layout import Outputs
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.idl import DynamicJobSpec, ErrorDocument, LiteralMap, WorkflowExecutionIdentifier
from alula.runtime import failures
from alula.runtime.element import element_inputs
from alula.sdk import current, deck, resolver
from alula.sdk.dispatch import dispatch
from alula.sdk.graph import Entity
from alula.sdk.image import ImageConfig
from alula.sdk.local import LocalRun, place_at
from alula.sdk.serialize import SerializationSettings


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a platform tells a container."""

    inputs: str
    output_prefix: str
    raw_output_data_prefix: str
    resolver: str
    loader_args: tuple[str, ...]
    checkpoint_path: str = ""
    prev_checkpoint: str = ""
    bundle: str = ""
    """A code bundle to unpack before the task is loaded."""
    destination: str = ""
    """Where it is unpacked; the working directory by default."""
    mapped: bool = False
    """Run one item of a mapped task, its index in the environment."""


def parse(argv: Sequence[str]) -> Arguments:
    """A command line, without the program. Templates that nobody filled in (`{{.x}}`) count as absent.

    Raises:
        ConfigError: an argument is missing.
    """
    argv = list(argv)
    mapped = False
    bundle = destination = ""
    while argv and argv[0].startswith(("pyflyte-", "alula-")):
        program, *argv = argv
        mapped = mapped or "-map-" in program
    known, rest = _parser().parse_known_args(_inner(argv))
    if known.additional_distribution:
        bundle, destination = _given(known.additional_distribution), _given(known.dest_dir)
    bundle = bundle or _given(known.dynamic_addl_distro)
    destination = destination or _given(known.dynamic_dest_dir)
    loader = [a for a in rest if a != "--"]
    for name in ("inputs", "output_prefix", "resolver"):
        if not _given(getattr(known, name)):
            raise ConfigError(
                f"the argument --{name.replace('_', '-')} is missing",
                where=" ".join(argv),
                fix="start tasks with the command in their template",
            )
    return Arguments(
        inputs=known.inputs,
        output_prefix=known.output_prefix,
        raw_output_data_prefix=_given(known.raw_output_data_prefix) or f"{known.output_prefix}/raw",
        resolver=known.resolver,
        loader_args=tuple(loader),
        checkpoint_path=_given(known.checkpoint_path),
        prev_checkpoint=_given(known.prev_checkpoint),
        bundle=bundle,
        destination=destination,
        mapped=mapped or known.mapped,
    )


def _inner(argv: list[str]) -> list[str]:
    """The arguments of a fast-registered task in one list: those of the unpacking, then those of the task."""
    for position, word in enumerate(argv):
        if word.startswith(("pyflyte-", "alula-")) and word.endswith("execute"):
            inner = [*argv[:position], *argv[position + 1 :]]
            if "-map-" in word:
                inner.insert(0, "--mapped")
            if position and inner[position - 1] == "--":
                del inner[position - 1]
            return inner
    return argv


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alula-execute", allow_abbrev=False)
    for name in ("inputs", "output-prefix", "raw-output-data-prefix", "checkpoint-path", "prev-checkpoint", "resolver"):
        parser.add_argument(f"--{name}", default="")
    for name in ("dynamic-addl-distro", "dynamic-dest-dir", "additional-distribution", "dest-dir"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--mapped", action="store_true")
    return parser


def _given(value: str) -> str:
    return "" if not value or value.startswith("{{") else value


def main(argv: Sequence[str] | None = None) -> None:
    """Run one attempt. The exit code is 0 also when the task failed, for the error is in `error.pb`; with
    `FLYTE_FAIL_ON_ERROR` or `ALULA_FAIL_ON_ERROR` set it is 1 then."""
    arguments = parse(sys.argv[1:] if argv is None else argv)
    error = execute(arguments)
    if error is None:
        return
    sys.stderr.write(f"{error.error.message}\n")
    if _environment("ALULA_FAIL_ON_ERROR", "FLYTE_FAIL_ON_ERROR").lower() in ("1", "true"):
        sys.exit(1)


def execute(arguments: Arguments, objects: ObjectStore | None = None) -> ErrorDocument | None:
    """Run one attempt and leave exactly one of `outputs.pb`, `futures.pb` and `error.pb`.

    Returns:
        The error document that was written; None: the attempt succeeded.

    Raises:
        DataError: the result could not be written.
    """
    store = objects or Objects()
    places = Outputs(arguments.output_prefix.rstrip("/"))
    retries = 0
    try:
        _prepare(arguments, store)
        entity = _load(arguments)
        retries = failures.retries_of(entity)
        result = _attempt(entity, arguments, store, places)
    except BaseException as exc:
        document = failures.document(exc, retries=retries, at=datetime.now(UTC))
        bridge.run(store.write(places.error, document.SerializeToString()))
        if isinstance(exc, KeyboardInterrupt):
            raise
        return document
    at = places.futures if isinstance(result, DynamicJobSpec) else places.outputs
    bridge.run(store.write(at, result.SerializeToString(deterministic=True)))
    return None


def _prepare(arguments: Arguments, store: ObjectStore) -> None:
    """Put the user's code where Python finds it."""
    here = arguments.destination or os.getcwd()
    if arguments.bundle:
        bridge.run(unpack(store, arguments.bundle, here))
    if here not in sys.path:
        sys.path.insert(0, here)


def _load(arguments: Arguments) -> Entity:
    if arguments.mapped or arguments.loader_args[:1] == ("vars",):
        return resolver.load_mapped(arguments.loader_args)
    return resolver.load(arguments.resolver, arguments.loader_args)


def _attempt(entity: Entity, arguments: Arguments, store: ObjectStore, places: Outputs) -> LiteralMap | DynamicJobSpec:
    inputs = LiteralMap.FromString(bridge.run(store.read(arguments.inputs)))
    if arguments.mapped:
        inputs = element_inputs(entity, inputs, os.environ)
    run = LocalRun(
        place_at(arguments.raw_output_data_prefix.rstrip("/"), store),
        cache=False,
        execution=_execution(arguments, store, places),
    )
    return dispatch(entity, inputs, run, _settings(run))


def _execution(arguments: Arguments, store: ObjectStore, places: Outputs) -> current.Execution:
    """What the user's code sees of the execution; a platform passes it in the environment."""

    def publish(context: current.Context) -> None:
        bridge.run(store.write(places.deck, deck.page(context).encode()))

    return current.Execution(
        id=WorkflowExecutionIdentifier(
            project=_environment("FLYTE_INTERNAL_EXECUTION_PROJECT", "_F_EP"),
            domain=_environment("FLYTE_INTERNAL_EXECUTION_DOMAIN", "_F_ED"),
            name=_environment("FLYTE_INTERNAL_EXECUTION_ID", "_F_EN"),
        ),
        local=False,
        raw_output_prefix=arguments.raw_output_data_prefix.rstrip("/"),
        output_metadata_prefix=places.prefix,
        objects=store,
        checkpoint_destination=arguments.checkpoint_path,
        checkpoint_previous=arguments.prev_checkpoint,
        publish=publish,
    )


def _settings(run: LocalRun) -> SerializationSettings:
    """Under which ids the nodes of a dynamic task are registered: those of the task itself."""
    return SerializationSettings(
        project=_environment("FLYTE_INTERNAL_TASK_PROJECT", "FLYTE_INTERNAL_PROJECT", "_F_P"),
        domain=_environment("FLYTE_INTERNAL_TASK_DOMAIN", "FLYTE_INTERNAL_DOMAIN", "_F_D"),
        version=_environment("FLYTE_INTERNAL_TASK_VERSION", "FLYTE_INTERNAL_VERSION", "_F_V"),
        image_config=ImageConfig.auto(_environment("FLYTE_INTERNAL_IMAGE", "_F_CI") or None),
        place=run.place,
    )


def _environment(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")

"""`alula-execute`: one attempt of a task in its container, from `inputs.pb` to `outputs.pb` or `error.pb`.

Its two sisters are `alula-map-execute`, for one item of a mapped task, and `alula-fast-execute`, which unpacks a code
bundle first and goes on in the same interpreter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

from alula._kits import bridge, standard
from alula.data.layout import Outputs
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.data.workspace import use, workspace
from alula.errors import ConfigError, DataError, IgnoreOutputs
from alula.idl import DynamicJobSpec, ErrorDocument, LiteralMap
from alula.runtime import failures
from alula.runtime.arguments import Arguments, parse
from alula.runtime.attempt import execution, load, perform, read_inputs
from alula.runtime.code import prepare
from alula.runtime.element import element_inputs
from alula.runtime.offloading import fetched, put_away
from alula.runtime.surroundings import execution_id, first
from alula.sdk.local import LocalRun, place_at
from alula.sdk.progress import Throttled, as_struct

_PROGRESS_SECONDS = 1.0
"""Between two writes of the file that says how far the task is."""

PROGRAM, PROGRAM_FOR_MAPS = "alula-execute", "alula-map-execute"


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The command `alula-execute`; with a command line of its own also `alula-fast-execute`.

    The exit code is 0 also when the task failed, since the error is in `error.pb`. It is 1 then where the variable
    `ALULA_FAIL_ON_ERROR` (or `FLYTE_FAIL_ON_ERROR`) is true, or when nothing could be written at all, and 2 when the
    command line cannot be read.
    """
    sys.exit(_run([PROGRAM, *(sys.argv[1:] if argv is None else argv)]))


def main_for_maps(argv: Sequence[str] | None = None) -> NoReturn:
    """The command `alula-map-execute`. Its exit codes are those of `main`."""
    sys.exit(_run([PROGRAM_FOR_MAPS, *(sys.argv[1:] if argv is None else argv)]))


def _run(argv: Sequence[str]) -> int:
    standard.fill()
    try:
        arguments = parse(argv)
    except ConfigError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    try:
        error = execute(arguments)
    except DataError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    if error is None:
        return 0
    sys.stderr.write(f"{error.error.message}\n")
    return int(first(os.environ, "ALULA_FAIL_ON_ERROR", "FLYTE_FAIL_ON_ERROR").lower() in ("1", "true"))


def execute(arguments: Arguments, objects: ObjectStore | None = None) -> ErrorDocument | None:
    """Run one attempt and leave exactly one of `outputs.pb`, `futures.pb` and `error.pb`; none if it asks for that.

    Returns:
        The error document that was written; None: the attempt succeeded.

    Raises:
        DataError: not even the error could be written.
    """
    store = objects or Objects()
    places = Outputs(arguments.output_prefix)
    if arguments.rehearsal:
        return None
    with use(replace(workspace(), objects=store, prefix=arguments.raw_output_data_prefix)):
        attempt = _Attempt(arguments, store, places)
        try:
            result = attempt.run()
            at = places.futures if isinstance(result, DynamicJobSpec) else places.outputs
            bridge.run(store.write(at, result.SerializeToString(deterministic=True)))
        except IgnoreOutputs:
            return None
        except BaseException as exc:
            document = failures.document(
                exc,
                phase=attempt.phase,
                retries=attempt.retries,
                at=datetime.now(UTC),
                worker=first(os.environ, "ALULA_WORKER_NAME", "FLYTE_INTERNAL_WORKER_NAME", "_F_WN"),
            )
            bridge.run(store.write(places.error, document.SerializeToString()))
            if isinstance(exc, KeyboardInterrupt):
                raise
            return document
    return None


class _Attempt:
    """One attempt, and how far it came."""

    def __init__(self, arguments: Arguments, store: ObjectStore, places: Outputs) -> None:
        self._arguments, self._store, self._places = arguments, store, places
        self.retries = 0
        """What the task asks for, once it is found."""
        self.phase = failures.Phase.CODE

    def run(self) -> LiteralMap | DynamicJobSpec:
        arguments, store = self._arguments, self._store
        prepare(arguments.bundle, arguments.destination, store, os.environ)
        loaded = load(arguments)
        self.retries = loaded.retries
        self.phase = failures.Phase.INPUTS
        content = bridge.run(store.read(arguments.inputs))
        inputs = bridge.run(fetched(read_inputs(content, arguments.inputs), content, store))
        if loaded.bound is not None:
            inputs = element_inputs(loaded.bound, inputs, os.environ)
        self.phase = failures.Phase.TASK
        progress = _progress(store, self._places)
        run = LocalRun(
            place_at(arguments.raw_output_data_prefix, store),
            cache=False,
            execution=execution(
                execution_id(os.environ),
                store,
                prefix=self._places.prefix,
                raw=arguments.raw_output_data_prefix,
                checkpoint=arguments.checkpoint_path,
                former=arguments.prev_checkpoint,
                progress=progress,
            ),
        )
        try:
            made = perform(loaded.entity, inputs, run, os.environ)
            if isinstance(made, LiteralMap):
                made = bridge.run(put_away(made, loaded.entity, self._places.prefix, store, os.environ))
            return made
        finally:
            progress.close()


def _progress(store: ObjectStore, places: Outputs) -> Throttled:
    """What keeps the file that says how far the task is."""

    def write(done: float | None, message: str | None) -> None:
        bridge.run(store.write(places.progress, as_struct(done, message).SerializeToString()))

    return Throttled(write, _PROGRESS_SECONDS)

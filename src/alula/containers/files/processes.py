"""A container task tried out as a plain process: the same command, the same files, and no container engine.

What a container would have otherwise is listed, so that nobody takes the one for the other.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from alula._kits import bridge
from alula.containers.files.commands import Command, command, put_asked
from alula.containers.files.inputs import lay_in
from alula.containers.files.outputs import error_text, take_out
from alula.containers.files.places import ERROR, SAID, Folders, folders
from alula.containers.files.values import holds_files
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.errors import ConfigError, TaskFailure, TaskTimeout
from alula.idl import LiteralMap, TaskTemplate, literals

_GRACE_SECONDS = 5.0
_STDERR = 2
_ENDING = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Around:
    """Where a task is tried out."""

    folder: Path
    """An empty directory: inputs, outputs and what the process leaves in its home go below it."""
    prefix: str
    """The URI below which files of outputs are kept, and what the command gets as its prefixes."""
    directory: Path
    """Where the process starts."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Directories of the image, and what takes their place here."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Variables beyond those of the task; secrets, for instance."""
    timeout_seconds: float = 0
    """0: what the task says, which may be no limit."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How it went."""

    words: tuple[str, ...]
    exit_code: int
    outputs: LiteralMap | None
    """None: it failed."""
    failure: TaskFailure | None
    differences: tuple[str, ...]
    """What would be otherwise in a container."""
    hints: tuple[str, ...]
    """What looks like a mistake, and may be none."""


def rehearse(template: TaskTemplate, inputs: LiteralMap, objects: ObjectStore, around: Around) -> Rehearsal:
    """Run the command of a task as a process, with its inputs laid out and its outputs read as in a container. What it
    prints goes to stderr.

    Raises:
        TaskFailure: Its inputs cannot be laid out.
        ConfigError: It has no command, or the program is not on this machine.
        ConversionError: The command asks for inputs that it cannot get.
    """
    inside = folders(template)
    here = Folders(str(around.folder / "inputs"), str(around.folder / "outputs"))
    home, files = around.folder / "home", Attempt(around.prefix)
    for path in (Path(here.outputs), home):
        path.mkdir(parents=True)
    if inside.inputs:
        bridge.run(lay_in(objects, template, inputs, Path(here.inputs), seen=here.inputs))
    moves = {**around.paths, **{old: new for old, new in zip(inside, here, strict=True) if old}}
    made = command(template, inputs, files, change=_mover(moves))
    bridge.run(put_asked(objects, template, inputs, files))
    own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}
    environ = {**own, **made.environ, **around.environ}
    _find(made, template, environ["PATH"], around.directory)
    limit = around.timeout_seconds or template.metadata.timeout.ToTimedelta().total_seconds()
    code = _run(made.words, environ, around.directory, limit)
    failure: TaskFailure | None = None
    outputs: LiteralMap | None = None
    if code is None:
        failure = TaskTimeout(f"it took longer than {limit:g} s, and was stopped")
    elif said := error_text(Path(here.outputs)):
        failure = TaskFailure(said, code=SAID, recoverable=True)
    elif code:
        failure = TaskFailure(f"it ended with exit code {code}", code="Error", recoverable=True)
    else:
        try:
            outputs = bridge.run(take_out(objects, template, Path(here.outputs), files.raw))
        except TaskFailure as exc:
            failure = exc
    differences = (*_differences(template, made, around), *_moved(template, moves))
    hints = _hints(template, Path(here.outputs), outputs)
    return Rehearsal(tuple(made.words), -1 if code is None else code, outputs, failure, differences, hints)


def _mover(moves: Mapping[str, str]) -> Callable[[str], str]:
    """What puts directories of this machine in place of those of the container, wherever a word names them."""
    if not moves:
        return lambda word: word
    olds = sorted((old.rstrip("/") for old in moves), key=len, reverse=True)
    news = {old.rstrip("/"): new.rstrip("/") for old, new in moves.items()}
    pattern = re.compile(r"(?<![\w./-])(" + "|".join(map(re.escape, olds)) + r")(?![\w.-])")
    return lambda word: pattern.sub(lambda found: news[found[1]], word)


def _find(made: Command, template: TaskTemplate, path: str, directory: Path) -> None:
    """Raise ConfigError unless the program is on this machine."""
    if not made.entrypoint:
        raise ConfigError(
            f"container task '{template.id.name}' runs what its image {made.image} starts by itself",
            where=template.id.name,
            fix="give it a command, or run it in a container: alula run",
        )
    program = made.entrypoint[0]
    near = os.path.join(directory, program) if os.sep in program else program
    if shutil.which(near, path=path) is None:
        raise ConfigError(
            f"the program {program!r} of container task '{template.id.name}' is not on this machine",
            where=f"in the container it comes from the image {made.image}",
            fix=f"install it here, or say where it is: --map {os.path.dirname(program) or '/app'}=DIRECTORY",
        )


def _run(words: list[str], environ: Mapping[str, str], directory: Path, limit: float) -> int | None:
    """The exit code of a process; None: it was stopped since it took too long."""
    with _told_to_end() as ending:
        process = subprocess.Popen(
            words,
            env=environ,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,  # our own output is what the task returns
            start_new_session=True,
        )
        try:
            ending.may()
            return process.wait(limit or None)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _stop(process)


class _Ending:
    """Somebody wants us to end, which is done by an exception: not before there is something to be stopped by it."""

    def __init__(self) -> None:
        self._asked, self._may = 0, False

    def ask(self, number: int, frame: object) -> None:
        for one in _ENDING:
            signal.signal(one, signal.SIG_IGN)
        self._asked = number
        if self._may:
            raise SystemExit(128 + number)

    def may(self) -> None:
        """From now on. Raises SystemExit if it was asked for before."""
        self._may = True
        if self._asked:
            raise SystemExit(128 + self._asked)


@contextmanager
def _told_to_end() -> Iterator[_Ending]:
    """Leave by an exception when somebody wants us to end: the process is no child of our terminal."""
    ending = _Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    former = {one: signal.signal(one, ending.ask) for one in _ENDING}
    try:
        yield ending
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a process and of what it has started."""
    for sign, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:  # a second one: at once, then
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _differences(template: TaskTemplate, made: Command, around: Around) -> list[str]:
    found = [
        f"the image {made.image or '(none)'} is not used: its files, variables, user and working directory are not "
        f"here, and {made.entrypoint[0]} is this machine's; so are the network and the user, {os.getuid()}",
    ]
    asked = template.container.resources
    if asked.limits or asked.requests:
        found.append("limits of memory and CPU are not enforced")
    secrets = [secret.env_var or secret.key for secret in template.security_context.secrets]
    if secrets:
        missing = [name for name in secrets if name not in around.environ]
        if missing:
            found.append(f"secrets are not given: {', '.join(missing)}; set their variables with --env")
    if template.WhichOneof("target") == "k8s_pod":
        found.append("the other containers of its pod, and its volumes, are not here")
    return found


def _moved(template: TaskTemplate, moves: Mapping[str, str]) -> list[str]:
    found = []
    container = template.container
    words = [*container.command, *container.args, *(pair.value for pair in container.env)]
    for old, new in moves.items():
        change = _mover({old: new})
        count = sum(change(word) != word for word in words)
        if count:
            found.append(f"{old} is {new}, and words that name it were changed: {count}")
        else:
            found.append(f"{old} is {new}, and nothing on the command line names it: a program that has {old} built in")
            found[-1] += " does not find it"
    if any(holds_files(variable.type) for variable in template.interface.inputs.variables.values()):
        found.append("so paths of files in the descriptions of all inputs are other ones")
    return found


def _hints(template: TaskTemplate, folder: Path, outputs: LiteralMap | None) -> tuple[str, ...]:
    declared = template.interface.outputs.variables
    extra = sorted(path.name for path in folder.iterdir() if path.name not in declared and path.name != ERROR)
    found = [f"{name} is among the outputs, and no output is called so" for name in extra]
    for name, lit in sorted(outputs.literals.items() if outputs else ()):
        bare = literals.unpacked(lit)
        if literals.kind(bare) == "string_value" and bare.scalar.primitive.string_value.endswith("\n"):
            found.append(f"output '{name}' ends with a newline, which is part of its value: printf '%s' writes none")
    return tuple(found)

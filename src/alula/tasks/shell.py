"""`ShellTask`: a shell script with typed inputs and outputs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from alula._kits.quoting import Quotes
from alula.errors import SignatureError, TaskFailure
from alula.sdk.current import current_context
from alula.sdk.instance import InstanceTask
from alula.sdk.local import current_run
from alula.sdk.options import TaskKeywords
from alula.sdk.texts import parse, text_of
from alula.types.directories import Directory
from alula.types.files import File
from alula.types.transformer import class_of

_PLACEHOLDER = re.compile(r"\{(inputs|outputs|ctx)((?:\.\w+)+)\}")
_TAIL = 20
"""Lines of standard error that a failure repeats."""


@dataclass(frozen=True, slots=True)
class OutputLocation:
    """An output of a shell script, and the path at which the script leaves it.

    Args:
        var: The name of the output.
        var_type: `File` or `Directory`: what is at the path; any other type: the content of the file is the value.
        location: A path; may hold `{inputs.x}` and `{ctx.x}`.
    """

    var: str
    var_type: Any
    location: str


class ShellTask(InstanceTask):
    """Runs a script; it succeeds with exit code 0.

    `{inputs.x}` in the script stands for an input (a file or directory: its local path), `{outputs.y}` for the path of
    an output, `{ctx.x}` for an attribute of the current context, such as `{ctx.working_directory}`; other braces are
    the shell's. A value is never read as code: it is put into a variable of the environment, and the script gets
    `"${inputs_x}"`, quoted as its place needs. So a value with blanks stays one word, and nothing needs quotes.

    Args:
        name: Full name, unique in the project.
        script: The text of the script.
        script_file: A file with the text, in place of `script`; read when the task runs.
        inputs: Names to types.
        output_locs: The outputs.
        debug: Print the script before it runs.
        shell: The program that reads the script.
        keywords: Settings as of `@task`. Those in `environment` are set for the script.

    Raises:
        SignatureError: no script or two, or a placeholder that stands for nothing.

    Example:
        count = ShellTask(
            name="tools.count",
            script="wc -l < {inputs.source} > {outputs.lines}",
            inputs=kwtypes(source=File),
            output_locs=[OutputLocation("lines", int, "{ctx.working_directory}/lines")],
        )
    """

    def __init__(
        self,
        name: str,
        debug: bool = False,
        script: str | None = None,
        script_file: str | os.PathLike[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        output_locs: Sequence[OutputLocation] | None = None,
        *,
        shell: str = "/bin/sh",
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.debug, self.script, self.shell = debug, script, shell
        self.script_file = os.fspath(script_file) if script_file is not None else None
        self.output_locs = tuple(output_locs or ())
        super().__init__(name, inputs, {one.var: one.var_type for one in self.output_locs}, **keywords)
        self._check()

    def execute(self, **inputs: Any) -> Any:
        context = current_context()
        spaces: dict[str, Any] = {"inputs": inputs, "ctx": context}
        spaces["outputs"] = {one.var: _filled(one.location, spaces) for one in self.output_locs}
        script, variables = compile_script(self._text(), spaces)
        if self.debug:
            sys.stdout.write(f"{self.name}:\n{script}\n")
            sys.stdout.flush()
        environment = {**os.environ, **(self.options.environment or {}), **variables}
        self._run(script, environment)
        found = [self._output(one, spaces["outputs"][one.var]) for one in self.output_locs]
        return tuple(found) if self.interface.as_tuple else next(iter(found), None)

    def _run(self, script: str, environment: Mapping[str, str]) -> None:
        try:
            process = subprocess.Popen(
                [self.shell, "-c", script], env=environment, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as exc:
            raise TaskFailure(
                f"the script of '{self.name}' cannot be started: {exc}",
                where=self.where,
                fix="check shell=, and pass large values as files",
                code="USER:ShellNotStarted",
            ) from exc
        tail: deque[str] = deque(maxlen=_TAIL)
        reader = threading.Thread(target=_copy, args=(process.stderr, tail), daemon=True)
        reader.start()
        try:
            code = process.wait(timeout=threading.TIMEOUT_MAX)  # wakes up now and then, so that a deadline can hit
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reader.join(timeout=1)  # ends when the last of its processes has, unless one left the group
            raise
        reader.join(timeout=1)  # longer only if the script left something behind that holds its standard error
        if code:
            ended = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise TaskFailure(
                f"the script of '{self.name}' ended with {ended}" + "".join(f"\n    {line}" for line in tail),
                where=self.where,
                code="USER:ShellExit",
                recoverable=True,
            )

    def _output(self, one: OutputLocation, path: str) -> Any:
        if not os.path.exists(path):
            raise TaskFailure(
                f"the script of '{self.name}' left nothing at {path}, where its output '{one.var}' should be",
                where=self.where,
                fix=f"write to {{outputs.{one.var}}}",
                code="USER:MissingOutput",
            )
        kind = class_of(one.var_type)
        if kind is not None and issubclass(kind, File | Directory):
            return kind(path)
        return parse(Path(path).read_text().removesuffix("\n"), one.var_type, current_run().place)

    def _text(self) -> str:
        return self.script if self.script is not None else Path(self.script_file or "").read_text()

    def _check(self) -> None:
        faults = []
        if (self.script is None) == (self.script_file is None):
            faults.append("takes script= or script_file=, one of them")
        if self.script_file is not None and not os.path.isfile(self.script_file):
            faults.append(f"has the script file {self.script_file}, which does not exist")
        for text in [self.script or "", *(one.location for one in self.output_locs)]:
            for space, path in _PLACEHOLDER.findall(text):
                name = path.split(".")[1]
                known = self.interface.outputs if space == "outputs" else self.interface.inputs
                if space != "ctx" and name not in known:
                    faults.append(f"uses {{{space}{path}}}, and has no such {space[:-1]}")
        if faults:
            listed = ", ".join([*self.interface.inputs, *self.interface.outputs]) or "none"
            raise SignatureError(
                f"shell task '{self.name}' " + "; ".join(dict.fromkeys(faults)),
                where=self.where,
                fix=f"its inputs and outputs are: {listed}",
            )


def compile_script(script: str, spaces: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """A script in which each placeholder has become a reference to a variable, and the variables.

    Args:
        spaces: What `inputs`, `outputs` and `ctx` stand for: dictionaries or objects.
    """
    variables: dict[str, str] = {}
    made: list[str] = []
    quotes = Quotes()
    end = 0
    for found in _PLACEHOLDER.finditer(script):
        between = script[end : found.start()]
        quotes.read(between)
        name = (found[1] + found[2]).replace(".", "_")
        variables[name] = _value(found, spaces)
        made += [between, quotes.reference(name)]
        end = found.end()
    return "".join([*made, script[end:]]), variables


def _filled(template: str, spaces: Mapping[str, Any]) -> str:
    """A path with its placeholders replaced; no shell sees it."""
    return _PLACEHOLDER.sub(lambda found: _value(found, spaces), template)


def _value(found: re.Match[str], spaces: Mapping[str, Any]) -> str:
    value = spaces[found[1]]
    for part in found[2].split(".")[1:]:
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return text_of(value)


def _copy(stream: Iterable[bytes], tail: deque[str]) -> None:
    """Pass standard error on, and keep its last lines."""
    for line in stream:
        text = line.decode(errors="replace")
        tail.append(text.rstrip("\n"))
        sys.stderr.write(text)

"""What is handed to Slurm for an attempt: a batch script without a value in it, and the variables that hold them.

Values of inputs and secrets are variables of the job's environment, which Slurm keeps to itself and to the job's user.
Scripts and command lines, which others may read, have references to them.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from alula._kits.quoting import Quotes
from alula._kits.units import size
from alula.backends.slurm.config import SlurmJob, SlurmSettings
from alula.backends.slurm.transport import Submission
from alula.errors import ConversionError, Rejected
from alula.idl import Literal, Resources, literals
from alula.plugin.context import TaskContext
from alula.plugin.template import as_text

MARK = "slurm-exit"
"""The file in which a job leaves its exit code, for the time when Slurm has forgotten it."""
SCRIPT = "slurm-script"
OUTPUTS = "slurm-outputs"
_PLACE = re.compile(r"\{\{\s*\.?(inputs|outputs)\.(\w+)\s*\}\}")
_WORD = re.compile(r"[A-Za-z0-9_.,:=%*&|()\[\]@+/-]*")
_LONGEST = 120_000
"""Bytes; Linux takes 128 KiB for one variable."""
_PASSED = ("HOME", "USER", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "SSL_CERT_FILE")
"""Of the engine's environment, what jobs get too."""
_WRAPPER = """\
#!/bin/sh
{command}
code=$?
[ -n "${{SLURM_ARRAY_JOB_ID:-}}" ] || {{ echo "$code" > {mark}.part && mv {mark}.part {mark}; }}
exit "$code"
"""


async def prepared(task: TaskContext, job: SlurmJob, settings: SlurmSettings, home: Path) -> tuple[Submission, str]:
    """What to hand in, and the user's script that must lie in `home` (none: empty).

    Raises:
        Rejected: The task cannot run like this; says why.
    """
    variables = _base(settings, task.environ())
    if job.script:
        command, script = shlex.quote(str(home / SCRIPT)), _compiled(job.script, task)
        variables |= {**job.environment, **await _values(task, home)}
    else:
        await task.inputs_uri()
        argv, script = task.argv(), ""
        if not argv:
            raise Rejected(
                f"task {task.template.id.name!r} has neither a script nor a container with a command",
                fix="give it script=, or make it a @task(task_config=Slurm(...))",
            )
        command = shlex.join(argv)
    variables |= await _secrets(task)
    for name, value in variables.items():
        _check(name, value)
    batch = _WRAPPER.format(command=command, mark=shlex.quote(str(home / MARK)))
    comment = " ".join(f"{name.rpartition('/')[2]}={value}" for name, value in task.labels.items())
    log = str(home / "log.txt")
    made = Submission(task.name, batch, str(home), log, comment, variables, _options(task, job, settings))
    return made, script


def output_file(home: Path, name: str) -> Path:
    """Where a script leaves an output."""
    return home / OUTPUTS / name


def compiled(script: str) -> str:
    """A script in which each placeholder has become a reference to a variable, quoted as its place needs."""
    quotes, made, end = Quotes(), [], 0
    for found in _PLACE.finditer(script):
        between = script[end : found.start()]
        quotes.read(between)
        made += [between, quotes.reference(variable(found[1], found[2]))]
        end = found.end()
    return "".join([*made, script[end:]])


def variable(space: str, name: str) -> str:
    """The variable that holds an input, or the path of an output: `ALULA_INPUT_x`, `ALULA_OUTPUT_y`."""
    return f"ALULA_{space.upper().removesuffix('S')}_{name}"


def _compiled(script: str, task: TaskContext) -> str:
    interface = task.template.interface
    known = {"inputs": interface.inputs.variables, "outputs": interface.outputs.variables}
    missing = [found[0] for found in _PLACE.finditer(script) if found[2] not in known[found[1]]]
    if missing:
        names = ", ".join([*sorted(known["inputs"]), *sorted(known["outputs"])]) or "none"
        raise Rejected(
            f"the script of {task.template.id.name!r} uses {', '.join(dict.fromkeys(missing))}, which there is not",
            fix=f"its inputs and outputs are: {names}",
        )
    first = script.split("\n", 1)[0]
    if not first.startswith("#!"):
        return compiled(f"#!/bin/sh\n{script}")
    if _PLACE.search(script) and not re.search(r"\b(?:ba|da|k|z|a)?sh\b", first):
        raise Rejected(
            f"the script of {task.template.id.name!r} is for {first[2:].strip()}, which is no shell",
            fix=f"read the variables {variable('inputs', 'x')} and {variable('outputs', 'y')} there",
        )
    return compiled(script)


def _base(settings: SlurmSettings, given: Mapping[str, str]) -> dict[str, str]:
    """What every job gets: the engine's surroundings, the execution's code, and then what the task says."""
    made = {name: os.environ[name] for name in _PASSED if name in os.environ}
    own = [given.get("ALULA_CODE_PYTHON", ""), os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]
    made["PATH"] = settings.path or os.pathsep.join(filter(None, own))
    made |= {"PYTHONUNBUFFERED": "1", **given}
    if root := given.get("ALULA_CODE_ROOT"):
        made["PYTHONPATH"] = os.pathsep.join(filter(None, [root, made.get("PYTHONPATH", "")]))
    return made


async def _values(task: TaskContext, home: Path) -> dict[str, str]:
    made, faults = {}, []
    for name, lit in (await task.inputs()).literals.items():
        try:
            made[variable("inputs", name)] = _text(lit, task)
        except ConversionError as exc:
            faults.append(f"input {name!r}: {exc.what}")
    if faults:
        raise Rejected("; ".join(faults), fix="pass it as a File, or as text")
    for name in task.template.interface.outputs.variables:
        made[variable("outputs", name)] = str(output_file(home, name))
    return made


def _text(lit: Literal, task: TaskContext) -> str:
    """A value as a variable holds it: files of the shared file system as their paths."""
    plain = literals.unpacked(lit)
    if literals.kind(plain) == "none_type":
        return ""
    text = as_text(plain)
    if literals.kind(plain) in ("blob", "schema", "structured_dataset"):
        here = task.objects.local_path(text)
        return str(here) if here is not None else text
    return text


async def _secrets(task: TaskContext) -> dict[str, str]:
    """Those that the task asks for, under the names that Flyte gives them."""
    made = {}
    for asked in task.template.security_context.secrets:
        value = await task.secret(asked.key, asked.group)
        words = [word for word in (asked.group, asked.group_version, asked.key) if word]
        made[f"_FSEC_{'_'.join(words).upper()}"] = value
        if asked.env_var:
            made[asked.env_var] = value
    return made


def _check(name: str, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise Rejected(f"{name!r} cannot be the name of a variable", fix="use letters, digits and underscores")
    if "\0" in value or len(value.encode()) > _LONGEST:
        why = "holds a zero byte" if "\0" in value else f"has {len(value.encode())} bytes, more than a variable takes"
        raise Rejected(f"the value for {name} {why}", fix="pass it as a File")


def _options(task: TaskContext, job: SlurmJob, settings: SlurmSettings) -> Mapping[str, str | int | bool]:
    asked = task.resources()
    given: dict[str, str | int | bool] = {
        "partition": job.partition or settings.partition,
        "account": job.account or settings.account,
        "qos": job.qos,
        "reservation": job.reservation,
        "constraint": job.constraint,
        "gres": job.gres or _gpus(asked),
        "licenses": job.licenses,
        "cpus-per-task": job.cpus or _cpus(asked),
        "mem": job.memory or _memory(asked),
        "nodes": job.nodes,
        "ntasks": job.tasks,
        "exclusive": job.exclusive,
        "array": job.array,
        "nice": job.nice,
    }
    if job.time_limit is not None:
        given["time"] = max(1, math.ceil(job.time_limit.total_seconds() / 60))
    strange = [f"{name}={value!r}" for name, value in given.items() if not _WORD.fullmatch(str(value))]
    if strange:
        raise Rejected(f"Slurm cannot read {', '.join(strange)}", fix="use what `man sbatch` says of these options")
    return {name: value for name, value in given.items() if value}


def _asked(asked: Resources, name: int) -> str:
    """What the task asks for, else what it is limited to."""
    found = [entry.value for entry in [*asked.requests, *asked.limits] if entry.name == name and entry.value]
    return found[0] if found else ""


def _cpus(asked: Resources) -> int:
    text = _asked(asked, Resources.CPU)
    try:
        return math.ceil(float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)) if text else 0
    except ValueError as exc:
        raise Rejected(f"cpu={text!r} is no number of cores") from exc


def _memory(asked: Resources) -> str:
    text = _asked(asked, Resources.MEMORY)
    try:
        return f"{math.ceil(size(text) / 1024**2)}M" if text else ""
    except ValueError as exc:
        raise Rejected(f"mem={text!r}: {exc}") from exc


def _gpus(asked: Resources) -> str:
    text = _asked(asked, Resources.GPU)
    return f"gpu:{text}" if text and text != "0" else ""

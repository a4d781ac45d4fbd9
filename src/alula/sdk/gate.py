"""Gates: nodes that wait for a person or for time, and what they do in a local run."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from alula.errors import AlulaError, CallError, ConversionError, Disapproved, TaskFailure
from alula.sdk.bind import conversion_fault
from alula.sdk.graph import START, Entity, Node
from alula.sdk.local import Kept, LocalRun, fresh, keep
from alula.sdk.promise import UNKNOWN, Promise, Void
from alula.sdk.signature import Input, Interface, Output, caller
from alula.sdk.texts import parse, yes
from alula.types.registry import default
from alula.types.transformer import split, type_name

T = TypeVar("T")
log = logging.getLogger(__name__)

DEFAULT_TIMEOUT = timedelta(hours=1)


@dataclass(eq=False)
class Gate(Entity):
    """What a gate node waits for; its name is the id of the signal that opens it."""

    name: str
    interface: Interface
    timeout: timedelta = DEFAULT_TIMEOUT
    """How long to wait before the workflow fails."""

    @property
    def short_name(self) -> str:
        return self.name


class SleepGate(Gate):
    """Waits for time to pass."""

    def __init__(self, duration: timedelta) -> None:
        given: Any = duration
        if not isinstance(given, timedelta) or given < timedelta(0):
            raise CallError(
                f"sleep is given {given!r:.80}, and takes a timedelta that is not negative",
                where=caller(),
                fix="such as sleep(timedelta(hours=1))",
            )
        super().__init__("sleep-gate", Interface())
        self.duration = duration

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        log.warning("gate.skipped: a local run does not wait for sleep(%s)", self.duration)
        return ()


class InputGate(Gate):
    """Waits for a value."""

    def __init__(self, name: str, expected_type: Any, timeout: timedelta) -> None:
        output = Output("o0", expected_type, default.converter(expected_type))
        super().__init__(name, Interface({}, {"o0": output}), timeout)
        self.output = output

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        t, converter = self.output.type, self.output.converter
        if self.name in run.answers:
            try:
                return (keep(run.answers[self.name], converter, run.place),)
            except ConversionError as exc:
                raise conversion_fault(exc, f"the answer to gate '{self.name}'", "gates(...) in the test") from exc
        shown = type_name(split(t)[0])
        question = f"[gate {self.name}] a value of type {shown}: "
        return (_asked(self, question, lambda text: keep(parse(text, t, run.place), converter, run.place)),)


class ApproveGate(Gate):
    """Waits for a yes; its output is the value that is looked at."""

    def __init__(self, name: str, var: str, t: Any, timeout: timedelta) -> None:
        converter = default.converter(t)
        super().__init__(name, Interface({var: Input(var, t, converter)}, {var: Output(var, t, converter)}), timeout)

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        [(var, kept)] = inputs.items()
        if self.name in run.answers:
            approved = run.answers[self.name]
            if not isinstance(approved, bool):
                raise ConversionError(
                    f"the answer to gate '{self.name}' is {approved!r:.80}, and must be True or False",
                    where="gates(...) in the test",
                )
        else:
            value = fresh(kept, self.interface.inputs[var].converter, run.place)
            approved = _asked(self, f"[gate {self.name}] approve {value!r:.200}? [Y/n] ", _approval)
        if not approved:
            raise Disapproved(f"gate '{self.name}' was not approved")
        return (kept,)


def wait_for_input(name: str, timeout: timedelta, expected_type: type[T]) -> T:
    """A value that a person gives while the workflow waits.

    A local run takes it from `alula.testing.gates({name: value})`, else from a line of standard input.

    Args:
        name: The id of the signal.
        timeout: How long to wait before the workflow fails.
        expected_type: The type of the value.
    """
    made: T = InputGate(name, expected_type, timeout)()
    return made


def sleep(duration: timedelta) -> Any:
    """Wait before what is ordered after it: `sleep(timedelta(hours=1)) >> next`. A local run says so and goes on."""
    return SleepGate(duration)()


def approve(upstream_item: T, name: str, timeout: timedelta) -> T:
    """The same value, once a person has approved of it.

    A local run takes the answer from `alula.testing.gates({name: True})`, else from a line of standard input; a no
    raises `alula.errors.Disapproved`.

    Args:
        upstream_item: One output of a task, workflow or launch plan.
        name: The id of the signal.
        timeout: How long to wait before the workflow fails.

    Raises:
        CallError: the item is no such output.
    """
    item: Any = upstream_item
    if isinstance(item, Promise):
        if item._node.id == START:
            _refuse(name, "is given an input of the workflow", "approve of the output of a task")
        if item._type is UNKNOWN:
            _refuse(name, f"is given {item!r}, whose type nobody declared", "approve of a whole output of a task")
        t, var = item._type, item._var
    elif item is None or isinstance(item, Void | tuple):
        what = "several outputs" if isinstance(item, tuple) else "nothing"
        _refuse(name, f"is given {what}", "approve of one output of a task")
    else:
        t, var = type(item), "o0"
    made: T = ApproveGate(name, var, t, timeout)(**{var: item})
    return made


def _refuse(name: str, what: str, fix: str) -> NoReturn:
    raise CallError(f"gate '{name}' {what}", where=caller(), fix=fix)


def _asked(gate: Gate, question: str, read: Callable[[str], T]) -> T:
    """What a person answers, asked again until it can be read."""
    while True:
        try:
            text = input(question)
        except (EOFError, OSError) as exc:  # OSError: a test runner that forbids to read
            raise TaskFailure(
                f"gate '{gate.name}' waits for an answer, and standard input has none",
                code="GateWithoutAnswer",
                fix=f'answer in the test: with alula.testing.gates({{"{gate.name}": ...}}): ...',
            ) from exc
        try:
            return read(text)
        except (AlulaError, ValueError) as exc:
            sys.stdout.write(f"{exc}\n")


def _approval(text: str) -> bool:
    return yes(text or "y")

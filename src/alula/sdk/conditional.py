"""`conditional("name").if_(x > 1).then(a()).else_().fail("why")`: choose one branch at run time."""

from __future__ import annotations

import enum
from contextvars import Token
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Never, TypeVar, Union

from alula.compiler.conditions import kinds_of, why_not_comparable
from alula.errors import BranchFailed, CompileError, PromiseError
from alula.idl import LiteralType
from alula.idl.casting import castable
from alula.sdk.graph import Entity, Node, Outputs, Trace, current_trace, enter_trace, leave_trace, result
from alula.sdk.local import Kept, LocalRun
from alula.sdk.promise import UNKNOWN, Comparison, Condition, Conjunction, Promise, Void, described
from alula.sdk.signature import Interface, Output, caller
from alula.types.registry import default
from alula.types.transformer import split, type_name

T = TypeVar("T")
U = TypeVar("U")
_PRIMITIVE = (bool, int, float, str, datetime, timedelta, enum.Enum, type(None))


@dataclass(slots=True)
class Arm:
    """One branch: its condition (None: else), the nodes it holds, and the one whose outputs it gives."""

    condition: Condition | None
    nodes: list[Node] = field(default_factory=list)
    target: Node | None = None
    error: str = ""
    """The message of `fail`, when there is no target."""


class Branch(Entity):
    """What a branch node runs: the first arm whose condition holds."""

    def __init__(self, name: str, arms: list[Arm]) -> None:
        self.name, self.arms = name, arms
        targets = [arm.target for arm in arms if arm.target is not None]
        first = targets[0].entity if targets else None
        given = [target.entity.interface.outputs for target in targets if target.entity is not None]
        names = [key for key in (given[0] if given else ()) if all(key in outputs for outputs in given)]
        shared = {key: _of_either([outputs[key] for outputs in given]) for key in names}
        as_tuple = first is not None and first.interface.as_tuple and len(shared) > 1
        self.interface = Interface({}, shared, as_tuple=as_tuple)

    @property
    def short_name(self) -> str:
        return self.name

    def run_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise CompileError(f'conditional("{self.name}") runs only as part of a workflow')

    def perform(self, inputs: dict[str, Kept], run: LocalRun, node: Node | None) -> tuple[Kept, ...]:
        raise CompileError(f'conditional("{self.name}") runs only as part of a workflow')

    def no_match(self, arm: Arm | None) -> BranchFailed:
        """The error when `fail` was chosen, or nothing was."""
        why = arm.error if arm is not None else "no condition holds"
        return BranchFailed(f'conditional("{self.name}") failed: {why}')


class ConditionalSection(Generic[T]):
    """A conditional as it is being written; `T` is what its arms so far give."""

    def __init__(self, name: str, trace: Trace) -> None:
        self.name, self.trace, self.where = name, trace, caller()
        self.nodes: list[Node] = []
        """The nodes of all arms, in order; ids count from n0 again."""
        self.arms: list[Arm] = []
        trace.pending.append(self)

    def if_(self, expr: Any) -> Case[T]:
        """The first condition: a comparison of promises, or several joined by `&` and `|`."""
        return Case(self, self._checked(expr))

    def elif_(self, expr: Any) -> Case[T]:
        """A further condition, looked at when none before it held."""
        return Case(self, self._checked(expr))

    def else_(self) -> LastCase[T]:
        """What happens when no condition holds; the conditional ends with it."""
        return LastCase(self, None)

    def unfinished(self) -> CompileError:
        """The error for a conditional without an end."""
        return CompileError(
            f'conditional("{self.name}") has no else_()',
            where=self.where,
            fix='end it with .else_().then(...) or .else_().fail("why")',
        )

    def _finish(self) -> Any:
        self.trace.pending.remove(self)
        if all(arm.target is None for arm in self.arms):
            raise CompileError(
                f'every branch of conditional("{self.name}") fails', where=self.where, fix="give one of them a then()"
            )
        branch = Branch(self.name, self.arms)
        made = self.trace.append(Node("", branch, bindings={}, where=self.where))
        made.overrides.name = self.name
        return result(made)

    def _checked(self, expr: Any) -> Condition:
        if isinstance(expr, Comparison):
            left, right = self._kinds(expr.left), self._kinds(expr.right)
            equality = expr.op in ("==", "!=")
            why = why_not_comparable(left, right, expr.op, equality=equality) if left and right else ""
            if why:
                raise PromiseError(
                    f'conditional("{self.name}") compares {_shown(expr.left)} {expr.op} {_shown(expr.right)}: {why}',
                    where=caller(),
                    fix="compare values of one type, or decide in a @task that returns a bool",
                )
            return expr
        if isinstance(expr, Conjunction):
            self._checked(expr.left)
            self._checked(expr.right)
            return expr
        what = f"the promise {expr!r}" if isinstance(expr, Promise) else f"{expr!r:.80}, a {type(expr).__name__}"
        raise PromiseError(
            f'conditional("{self.name}") is given {what}, which is no comparison',
            where=caller(),
            fix="write if_(x == 1), if_(x.is_true()) or if_((x > 1) & (y < 2))",
        )

    def _kinds(self, side: Any) -> set[str]:
        """What one side of a comparison counts as; empty where nobody declared it. Raises PromiseError."""
        if isinstance(side, Promise):
            if side._type is UNKNOWN:
                return set()
            kinds = kinds_of(default.converter(side._type).literal_type)
        else:
            kinds = kinds_of(_literal_type(side)) if isinstance(side, _PRIMITIVE) else None
        if kinds is None:
            raise PromiseError(
                f'conditional("{self.name}") compares {_shown(side)}, which is no primitive value',
                where=caller(),
                fix="compare an int, float, str, bool, datetime, timedelta, enum or None",
            )
        return kinds


class OpenArm(Generic[T]):
    """One arm as it is being written: what is called before `then` closes it belongs to the arm."""

    def __init__(self, section: ConditionalSection[T], condition: Condition | None) -> None:
        self._section, self._condition = section, condition
        self._first = len(section.nodes)
        section.trace.open.append(section)
        self._token: Token[Trace | None] = enter_trace(section.trace)

    def _take(self, p: Any) -> None:
        self._close(Arm(self._condition, self._section.nodes[self._first :], self._target(p)))

    def _fail(self, err: str) -> None:
        self._close(Arm(self._condition, self._section.nodes[self._first :], error=err))

    def _target(self, p: Any) -> Node:
        node = p._node if isinstance(p, Promise | Void | Outputs) else p if isinstance(p, Node) else None
        if node is None and isinstance(p, tuple) and p and isinstance(p[0], Promise):
            node = p[0]._node
        mine = self._section.nodes[self._first :]
        if node is None or node not in mine:
            raise CompileError(
                f'a branch of conditional("{self._section.name}") is {p!r:.120}, which is not the result of a call '
                "made in that branch",
                where=caller(),
                fix="call a task in then(...); to pass a value through, use a task that returns its input",
            )
        return node

    def _close(self, arm: Arm) -> None:
        leave_trace(self._token)
        self._section.trace.open.pop()
        self._section.arms.append(arm)


class Case(OpenArm[T]):
    """An arm with a condition."""

    def then(self, p: U) -> ConditionalSection[T | U]:
        """The branch: the result of one call."""
        self._take(p)
        section: Any = self._section
        return section  # type: ignore[no-any-return]

    def fail(self, err: str) -> ConditionalSection[T]:
        """The workflow fails here with this message."""
        self._fail(err)
        return self._section


class LastCase(OpenArm[T]):
    """The arm without a condition. Once it is closed, the conditional is a node."""

    def then(self, p: U) -> T | U:
        """The branch: the result of one call. Gives the result of the whole conditional."""
        self._take(p)
        return self._section._finish()  # type: ignore[no-any-return]

    def fail(self, err: str) -> T:
        """The workflow fails here with this message. Gives the result of the whole conditional."""
        self._fail(err)
        return self._section._finish()  # type: ignore[no-any-return]


def _of_either(outputs: list[Output]) -> Output:
    """What all arms give under one name: the first arm's type where it takes the others', else a union."""
    first = outputs[0]
    if all(castable(one.converter.literal_type, first.converter.literal_type) for one in outputs[1:]):
        return first
    either: Any = Union[tuple(one.type for one in outputs)]  # noqa: UP007 - made at run time
    return Output(first.name, either, default.converter(either))


def _literal_type(constant: Any) -> LiteralType:
    t = str if isinstance(constant, enum.Enum) else type(constant)
    return default.converter(next(base for base in _PRIMITIVE if issubclass(t, base))).literal_type


def _shown(side: Any) -> str:
    if isinstance(side, Promise):
        return (
            f"{described(side)}, a {type_name(split(side._type)[0])}" if side._type is not UNKNOWN else described(side)
        )
    return f"{side!r:.80}"


def conditional(name: str) -> ConditionalSection[Never]:
    """Choose one of several calls at run time, by comparing promises with constants or with each other.

    Args:
        name: What the branch node is called.

    Raises:
        CompileError: outside of a workflow; plain Python `if` does there.
    """
    trace = current_trace()
    if trace is None:
        raise CompileError(
            f'conditional("{name}") is used outside of a workflow',
            where=caller(),
            fix="use it in the body of a @workflow or @dynamic; elsewhere a plain `if` does",
        )
    return ConditionalSection(name, trace)

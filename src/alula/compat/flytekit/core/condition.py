"""Conditionals over flytekit's promises."""

from __future__ import annotations

from typing import Any

from alula.compat.adopt import adopted
from alula.compat.flytekit.core.promise import unwrapped, wrapped
from alula.compat.names import mirror
from alula.sdk import conditional as ours


class ConditionalSection:
    """A conditional as it is being written: also what flytekit calls `Condition`, after a branch."""

    def __init__(self, name: str) -> None:
        with adopted():
            self._section: ours.ConditionalSection[Any] = ours.conditional(name)

    @property
    def name(self) -> str:
        return self._section.name

    def if_(self, expr: Any) -> Case:
        with adopted():
            return Case(self, self._section.if_(unwrapped(expr)))

    def elif_(self, expr: Any) -> Case:
        with adopted():
            return Case(self, self._section.elif_(unwrapped(expr)))

    def else_(self) -> Case:
        with adopted():
            return Case(self, self._section.else_())


Condition = ConditionalSection


class Case:
    """One branch as it is being written."""

    def __init__(self, section: ConditionalSection, case: Any) -> None:
        self._section, self._case = section, case

    def then(self, p: Any) -> Any:
        with adopted():
            return self._after(self._case.then(unwrapped(p)))

    def fail(self, err: str) -> Any:
        with adopted():
            return self._after(self._case.fail(err))

    def _after(self, made: Any) -> Any:
        return self._section if isinstance(made, ours.ConditionalSection) else wrapped(made)


def conditional(name: str) -> ConditionalSection:
    """Choose one of several calls at run time. See `alula.conditional`."""
    return ConditionalSection(name)


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.promise": "ComparisonExpression ComparisonOps ConjunctionExpression ConjunctionOps "
        "NodeOutput Promise VoidPromise"
    },
)

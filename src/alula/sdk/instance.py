"""Tasks that are objects: made by calling a class, which knows what to do, and no function of the user's."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Unpack

from alula.idl import TaskTemplate
from alula.sdk.graph import current_trace
from alula.sdk.options import TaskKeywords, options
from alula.sdk.signature import caller, interface_from
from alula.sdk.task import PythonTask


class InstanceTask(PythonTask[..., Any]):
    """The base of kinds of task that take no function: write `execute`.

    In a container the task is found again by the variable of its module that holds it.

    Args:
        name: Full name, unique in the project.
        inputs: Names to types, as `kwtypes(a=int)` gives them; a value `(type, default)` has a default.
        outputs: Names to types.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError, UnsupportedType: with everything that is wrong with the declaration.
    """

    runs_user_code: ClassVar[bool] = True
    """Its container holds the user's Python code, and the command is ours. False: `fill` says what runs."""

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.scope = _scope_of(self)
        """The variables of the module where the task is made."""

        def call(**values: Any) -> Any:
            return self.execute(**values)

        call.__module__ = str(self.scope.get("__name__", ""))
        call.__qualname__ = call.__name__ = name.rpartition(".")[2]
        call.__doc__ = type(self).__doc__
        where = caller()
        super().__init__(
            call, options(keywords, type(self).__name__), name=name, interface=interface_from(inputs, outputs, name)
        )
        self.where = where
        del self.__wrapped__  # its signature says nothing
        trace = current_trace()
        self.made_in = trace
        """The workflow whose body makes this task; None: a module does."""
        if trace is not None:
            trace.made.append(self)

    @abstractmethod
    def execute(self, **inputs: Any) -> Any:
        """What a function would return: None, the value, or a tuple. Called once per attempt, where the task runs."""

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        """Add to a template what a platform needs to run this kind of task. Called unless `runs_user_code`.

        Args:
            env: Variables that every container gets.
            image: The full name of an image, from what `container_image=` takes; of None the default one.
        """


def _scope_of(task: InstanceTask) -> Mapping[str, Any]:
    """The variables of the module that makes a task: that of the first caller which is no constructor of it."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_locals.get("self") is task or str(frame.f_globals.get("__name__", "")).startswith("alula.")
    ):
        frame = frame.f_back
    scope: Mapping[str, Any] = frame.f_globals
    return scope

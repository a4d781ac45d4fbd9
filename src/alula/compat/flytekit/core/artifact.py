"""`Artifact`: names for outputs, which backends that keep artifacts understand. Alula runs the task and drops them."""

from __future__ import annotations

from typing import Any

from alula.compat.names import mirror


class Artifact:
    """A name for an output: `Annotated[int, Artifact(name="x")]`."""

    def __init__(self, name: str | None = None, version: str | None = None, **kwargs: Any) -> None:
        self.name, self.version = name, version
        self.__dict__.update(kwargs)

    def __call__(self, *args: Any, **partitions: Any) -> Artifact:
        return Artifact(self.name, self.version, **partitions)


class Inputs:
    """Stands for the inputs of a task in the partitions of an artifact: `Inputs.x`."""

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{{.inputs.{name}}}"


__getattr__, __dir__ = mirror(__name__, {})

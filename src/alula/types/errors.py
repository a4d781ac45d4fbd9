"""`TaskError`: what a failure handler is told about the node that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.types.transformer import Converter, Place, Types, TypeTransformer, wrong_type


@dataclass(frozen=True)
class TaskError:
    """Why a node failed; declare an input `err: TaskError | None` of an `on_failure` task to get it."""

    message: str
    failed_node_id: str


class TaskErrorTransformer(TypeTransformer[TaskError]):
    python_type = TaskError
    name = "FlyteError"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.ERROR)

    def to_literal(self, value: TaskError, t: Any, at: Place) -> Literal:
        return literals.error(value.message, failed_node_id=value.failed_node_id)

    def to_python(self, lit: Literal, t: Any, at: Place) -> TaskError:
        kind = literals.kind(lit)
        if kind == "union":
            return self.to_python(lit.scalar.union.value, t, at)
        if kind != "error":
            raise ConversionError(f"expected an error, got {kind or 'an empty'} literal")
        return TaskError(lit.scalar.error.message, lit.scalar.error.failed_node_id)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return TaskError if lt.WhichOneof("type") == "simple" and lt.simple == SimpleType.ERROR else None

    def converter(self, t: Any, types: Types) -> Converter:
        made = super().converter(t, types)

        def copy(value: Any) -> TaskError:
            if not isinstance(value, TaskError):
                raise wrong_type(value, t)
            return value

        return Converter(t, made.literal_type, made.to_literal, made.to_python, copy=copy, name=self.name)


transformers: list[TypeTransformer[Any]] = [TaskErrorTransformer()]

"""flytekit's models of conditions."""

from __future__ import annotations

from alula import idl
from alula.compat.model import Model, constants
from alula.compat.names import mirror


class Operand(Model, idl=idl.Operand, fields="primitive var scalar"): ...


class ComparisonExpression(Model, idl=idl.ComparisonExpression, fields="operator left_value right_value"):
    Operator = constants(idl.ComparisonExpression.Operator, "How two operands are compared.")


class ConjunctionExpression(Model, idl=idl.ConjunctionExpression, fields="operator left_expression right_expression"):
    LogicalOperator = constants(idl.ConjunctionExpression.LogicalOperator, "How two conditions are joined.")


class BooleanExpression(Model, idl=idl.BooleanExpression, fields="conjunction comparison"): ...


__getattr__, __dir__ = mirror(__name__, {})

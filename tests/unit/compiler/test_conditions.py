import pytest

from alula.compiler.bindings import Scope
from alula.compiler.conditions import check_condition
from alula.idl import BooleanExpression, LiteralType, Operand, Scalar, SimpleType, Struct
from alula.idl import literals as l
from tests.unit.compiler.build import both, compare
from tests.unit.idl.build import BOOL, DICT, FLOAT, INT, NONE, POINT, STR, enum_of, list_of, union_of

INPUTS: dict[str, LiteralType | None] = {
    ".i": INT,
    ".f": FLOAT,
    ".s": STR,
    ".b": BOOL,
    ".t": LiteralType(simple=SimpleType.DATETIME),
    ".d": LiteralType(simple=SimpleType.DURATION),
    ".e": enum_of("r", "g"),
    ".maybe": union_of(INT, NONE),
    ".either": union_of(INT, STR),
    ".list": list_of(INT),
    ".point": POINT,
    ".dict": DICT,
    ".unknown": None,
}


def found(condition: BooleanExpression) -> list[str]:
    scope = Scope([])
    check_condition(condition, "c", INPUTS, scope)
    return scope.faults


@pytest.mark.parametrize(
    ("left", "op", "right"),
    [
        (".i", "EQ", 1),
        (1, "LT", ".i"),
        (".i", "GTE", 1.5),
        (".f", "LT", ".i"),
        (".s", "EQ", "x"),
        (".s", "GT", "x"),
        (".e", "NEQ", "r"),
        (".b", "EQ", True),
        (".t", "LT", ".t"),
        (".d", "GT", ".d"),
        (".maybe", "EQ", None),
        (".maybe", "GT", 3),
        (".either", "EQ", "s"),
        (".i", "NEQ", None),
        (".unknown", "GT", 1),
        (".unknown", "EQ", "x"),
    ],
)
def test_what_compares_has_no_faults(left: str | int, op: str, right: str | int | float | bool | None) -> None:
    assert found(compare(left, op, right)) == []


@pytest.mark.parametrize(
    ("left", "op", "right", "fault"),
    [
        (".i", "EQ", "x", "c: a number does not compare with text"),
        (".b", "EQ", 1, "c: a bool does not compare with a number"),
        (".t", "LT", ".d", "c: a datetime does not compare with a timedelta"),
        (".b", "GT", True, "c: a bool has no order, so GT cannot compare it"),
        (".maybe", "LT", None, "c: None has no order, so LT cannot compare it"),
        (".i", "LT", None, "c: a number does not compare with None"),
        (".list", "EQ", 1, "c.left: expected a primitive, got list[int] (from .list)"),
        (1, "EQ", ".point", "c.right: expected a primitive, got Point(x: int, y: float) (from .point)"),
        (".dict", "EQ", 1, "c.left: expected a primitive, got dict (from .dict)"),
        (".nope", "EQ", 1, f"c.left: the branch has no input .nope; it has {', '.join(sorted(INPUTS))}"),
    ],
)
def test_what_does_not_compare_says_which_side_and_why(
    left: str | int, op: str, right: str | int | bool | None, fault: str
) -> None:
    assert found(compare(left, op, right)) == [fault]


def test_every_part_of_a_conjunction_is_checked_at_its_own_path() -> None:
    wrong = compare(".i", "EQ", "x")
    assert found(both(both(wrong, compare(".i", "EQ", 1)), both(BooleanExpression(), wrong))) == [
        "c.left.left: a number does not compare with text",
        "c.right.left: is empty",
        "c.right.right: a number does not compare with text",
    ]


def test_a_deep_conjunction_is_checked_to_its_end() -> None:
    condition = compare(".i", "EQ", "x")
    for _ in range(40):
        condition = both(condition, compare(".i", "EQ", 1))
    assert found(condition) == [f"c{'.left' * 40}: a number does not compare with text"]


def test_operands_that_hold_nothing_or_no_primitive_are_faults() -> None:
    condition = compare(".i", "EQ", 1)
    condition.comparison.left_value.CopyFrom(Operand())
    condition.comparison.right_value.CopyFrom(Operand(scalar=Scalar(generic=Struct())))
    assert found(condition) == ["c.left: is empty", "c.right: expected a primitive, got generic"]


def test_an_operand_may_be_a_primitive_in_a_union() -> None:
    condition = compare(".i", "EQ", 1)
    condition.comparison.right_value.scalar.CopyFrom(l.union(l.integer(1), INT).scalar)
    assert found(condition) == []

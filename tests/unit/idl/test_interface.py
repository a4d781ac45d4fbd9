from alula.idl import TypedInterface, interface
from alula.idl import literals as l
from tests.unit.idl.build import DICT, FLOAT, INT, NONE, POINT, STR, dataclass_of, list_of, typed, union_of, variables


def test_an_interface_reads_as_a_signature() -> None:
    assert interface.explain(typed({"n": INT, "b": POINT}, {"o0": list_of(STR)})) == (
        "(b: Point(x: int, y: float), n: int) -> (o0: list[str])"
    )
    assert interface.explain(TypedInterface()) == "() -> ()"


def test_interfaces_match_by_names_and_types_alone() -> None:
    a, b = typed({"n": POINT}, {"o0": INT}), typed({"n": POINT}, {"o0": INT})
    b.inputs.variables["n"].description = "described otherwise"
    assert interface.match(a, b)
    assert not interface.match(a, typed({"n": POINT}, {}))
    assert not interface.match(a, typed({"n": DICT}, {"o0": INT}))
    assert not interface.match(a, typed({"n": union_of(POINT, NONE)}, {"o0": INT}))


def test_the_last_field_of_a_large_type_makes_a_difference() -> None:
    fields = dict.fromkeys("abcdefghijkl", INT)
    old, new = dataclass_of("Big", **fields), dataclass_of("Big", **fields | {"l": STR})
    (change,) = interface.diff(typed({"n": old}, {}), typed({"n": new}, {}))
    assert change.startswith("input n: Big(a: int, ")
    assert change.endswith("k: int, l: str)")


def test_each_difference_is_one_sentence() -> None:
    old = typed({"n": INT, "gone": STR, "same": STR}, {"o0": INT})
    new = typed({"n": FLOAT, "new": STR, "same": STR}, {"o1": INT})
    assert interface.diff(old, new) == [
        "input gone: str is gone",
        "input n: int became float",
        "input new: str is new",
        "output o0: int is gone",
        "output o1: int is new",
    ]
    assert interface.diff(old, old) == []


def test_values_are_checked_against_variables_all_at_once() -> None:
    declared = variables(n=INT, names=list_of(STR), missing=INT, optional=union_of(INT, NONE))
    values = l.literal_map({"n": l.string("x"), "names": l.collection([l.string("a"), l.none()]), "extra": l.none()})
    assert interface.unfit_values(values, declared) == [
        "extra: there is no such variable",
        "missing: has no value (expected int)",
        "n: expected int, got str 'x'",
        "names[1]: expected str, got None",
    ]
    assert interface.unfit_values(l.literal_map({"n": l.integer(1)}), variables(n=INT)) == []

import pytest

from alula.compiler.bindings import Scope, check_binding, merged_type, promises, type_of
from alula.idl import BindingData, Literal, LiteralOffloadedMetadata, LiteralType, Node
from alula.idl import literals as l
from tests.unit.compiler.build import const, faults, many, named, ref, task_node, workflow
from tests.unit.idl.build import FLOAT, INT, NONE, POINT, STR, list_of, map_of, union_of

POINT_NODE = task_node("n0", "point", x=ref("", "a"))
SPLIT = task_node("n0", "split", n=ref("", "a"))


@pytest.mark.parametrize(
    "nodes",
    [
        [task_node("n0", "add", x=ref("", "a"), y=const(1))],
        [task_node("n0", "add", x=ref("start-node", "a"), y=const(1))],
        [POINT_NODE, task_node("n1", "name", x=ref("n0", "o0", "x"))],
        [POINT_NODE, task_node("n1", "draw", p=ref("n0", "o0"), scale=ref("n0", "o0", "y"))],
        [SPLIT, task_node("n1", "add", x=ref("n0", "o0", 0), y=ref("n0", "o0", 1))],
        [SPLIT, task_node("n1", "total", xs=ref("n0", "o0"))],
        [task_node("n0", "total", xs=many(const(1), ref("", "a")))],
        [task_node("n0", "total", xs=many())],
        [task_node("n0", "merge", by=named(k=const(1), m=ref("", "a")))],
        [task_node("n0", "maybe", x=const(None))],
        [task_node("n0", "maybe")],
        [task_node("n0", "maybe", x=ref("", "a"))],
        [task_node("n0", "any_of", x=many(ref("", "a")))],
        [task_node("n0", "any_of", x=named(k=const("v")))],
    ],
)
def test_what_fits_has_no_faults(nodes: list[Node]) -> None:
    assert faults(workflow(nodes)) == []


@pytest.mark.parametrize(
    ("nodes", "fault"),
    [
        (
            [task_node("n0", "add", x=ref("", "a"))],
            "n0.inputs.y: is not bound; task add declares int",
        ),
        (
            [task_node("n0", "nothing", x=const(1))],
            "n0.inputs.x: task nothing has no input x; it has none",
        ),
        (
            [task_node("n0", "add", x=const(1), y=const(1), z=const(1))],
            "n0.inputs.z: task add has no input z; it has x, y",
        ),
        (
            [task_node("n0", "add", x=const(1), y=const("one"))],
            "n0.inputs.y: expected int, got str 'one'",
        ),
        (
            [task_node("n0", "add", x=const(1), y=const(1.5))],
            "n0.inputs.y: expected int, got float 1.5",
        ),
        (
            [task_node("n0", "name", x=ref("", "b"))],
            "n0.inputs.x: workflow wf has no input b; it has a",
        ),
        (
            [task_node("n0", "name", x=ref("n9", "o0"))],
            "n0.inputs.x: there is no node n9",
        ),
        (
            [POINT_NODE, task_node("n1", "name", x=ref("n0", "o7"))],
            "n1.inputs.x: n0 (task point) has no output o7; it has o0, o1",
        ),
        (
            [task_node("n0", "nothing"), task_node("n1", "name", x=ref("n0", "o0"))],
            "n1.inputs.x: n0 (task nothing) has no output o0; it has none",
        ),
        (
            [POINT_NODE, task_node("n1", "name", x=ref("n0", "o1"))],
            "n1.inputs.x: expected int, got bool (from n0.o1)",
        ),
        (
            [POINT_NODE, task_node("n1", "name", x=ref("n0", "o0", "z"))],
            "n1.inputs.x: no .z in Point(x: int, y: float): it has the fields x, y (from n0.o0.z)",
        ),
        (
            [POINT_NODE, task_node("n1", "name", x=ref("n0", "o0", "y"))],
            "n1.inputs.x: expected int, got float (from n0.o0.y)",
        ),
        (
            [task_node("n0", "name", x=ref("", "a", "b"))],
            "n0.inputs.x: no .b in int: it has no attributes (from inputs.a.b)",
        ),
        (
            [SPLIT, task_node("n1", "name", x=ref("n0", "o0"))],
            "n1.inputs.x: expected int, got list[int] (from n0.o0)",
        ),
        (
            [task_node("n0", "maybe"), task_node("n1", "name", x=ref("n0", "o0"))],
            "n1.inputs.x: it may be None: expected int, got None (from n0.o0)",
        ),
        (
            [task_node("n0", "total", xs=many(const(1), const("x"), ref("", "a")))],
            "n0.inputs.xs[1]: expected int, got str 'x'",
        ),
        (
            [task_node("n0", "total", xs=many(many(ref("", "a"))))],
            "n0.inputs.xs[0]: expected int, got a list",
        ),
        (
            [task_node("n0", "total", xs=named(k=const(1)))],
            "n0.inputs.xs: expected list[int], got a dict",
        ),
        (
            [task_node("n0", "merge", by=many(const(1)))],
            "n0.inputs.by: expected dict[str, int], got a list",
        ),
        (
            [task_node("n0", "merge", by=named(k=const(1), m=ref("", "zz")))],
            "n0.inputs.by['m']: workflow wf has no input zz; it has a",
        ),
        (
            [task_node("n0", "any_of", x=named(k=const(1)))],
            "n0.inputs.x['k']: expected str, got int 1",
        ),
        (
            [task_node("n0", "maybe", x=many(const(1)))],
            "n0.inputs.x: expected int | None, got a list",
        ),
        (
            [task_node("n0", "name", x=BindingData())],
            "n0.inputs.x: is bound to nothing",
        ),
    ],
)
def test_what_does_not_fit_is_one_fault_with_its_path(nodes: list[Node], fault: str) -> None:
    assert faults(workflow(nodes)) == [fault]


def test_an_input_bound_twice_is_a_fault() -> None:
    node = task_node("n0", "name", x=const(1))
    node.inputs.extend(list(node.inputs))
    assert faults(workflow([node])) == ["n0.inputs.x: is bound twice"]


def test_all_faults_are_reported_at_once_in_the_order_of_the_nodes() -> None:
    nodes = [
        task_node("n0", "add", x=ref("n1", "o5"), y=const("y")),
        task_node("n1", "name", q=many(ref("n7", "o0"), BindingData())),
    ]
    assert faults(workflow(nodes, {"o0": (STR, ref("n1", "o1"))})) == [
        "n0.inputs.x: n1 (task name) has no output o5; it has o0",
        "n0.inputs.y: expected int, got str 'y'",
        "n1.inputs.q: task name has no input q; it has x",
        "n1.inputs.q[0]: there is no node n7",
        "n1.inputs.q[1]: is bound to nothing",
        "n1.inputs.x: is not bound; task name declares int",
        "outputs.o0: n1 (task name) has no output o1; it has o0",
    ]


def test_a_list_for_a_union_that_fits_no_variant_is_one_fault() -> None:
    scope = Scope([])
    expected = union_of(list_of(INT), list_of(FLOAT))
    assert check_binding(many(const("x")), expected, "x", scope) is None
    assert scope.faults == ["x: expected list[int] | list[float], got a list that fits none of them"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (const(1), INT),
        (const("s"), STR),
        (const(None), NONE),
        (const(l.union(l.integer(1), INT)), INT),
        (const(l.binary(b"")), None),
        (const(l.blob("u")), None),
        (many(const(1), const("s")), list_of(union_of(INT, STR))),
        (many(), None),
        (named(k=const(1), m=const(2)), map_of(INT)),
        (named(k=const(1), m=const(l.blob("u"))), None),
    ],
)
def test_what_nothing_declares_has_the_type_of_what_is_bound(data: BindingData, found: LiteralType | None) -> None:
    scope = Scope([])
    assert check_binding(data, None, "x", scope) == found
    assert scope.faults == []


def test_a_value_stored_elsewhere_is_judged_by_its_type() -> None:
    scope = Scope([])
    data = BindingData(offloaded_metadata=LiteralOffloadedMetadata(uri="u", inferred_type=list_of(INT)))
    check_binding(data, list_of(INT), "x", scope)
    assert scope.faults == []
    check_binding(data, list_of(STR), "x", scope)
    assert scope.faults == ["x: element: expected str, got int"]


def test_promises_are_found_at_any_depth() -> None:
    data = many(ref("n0", "a"), named(k=many(ref("n1", "b"))), const(1))
    assert [(p.node_id, p.var) for p in promises(data)] == [("n0", "a"), ("n1", "b")]


def test_types_merge_to_one_to_their_union_or_to_the_unknown() -> None:
    assert merged_type([INT, INT]) == INT
    assert merged_type([INT, POINT]) == union_of(INT, POINT)
    assert merged_type([INT, None]) is None
    assert merged_type([]) is None
    assert type_of(Literal()) is None

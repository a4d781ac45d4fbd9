from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from alula.compiler.graph import connections, order, waits_for
from alula.idl import ConnectionSet, Node
from tests.unit.compiler.build import branch_node, compare, const, many, ref, task_node, workflow
from tests.unit.idl.build import INT


def nodes_of(edges: Mapping[str, list[str]]) -> list[Node]:
    return [task_node(id, "t", after=upstream) for id, upstream in edges.items()]


def as_dicts(connected: ConnectionSet) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    return (
        {id: list(ids.ids) for id, ids in connected.downstream.items()},
        {id: list(ids.ids) for id, ids in connected.upstream.items()},
    )


def test_nodes_come_after_all_that_they_wait_for() -> None:
    assert order(nodes_of({"c": ["b"], "b": ["a"], "a": []})) == (["a", "b", "c"], [])


def test_a_cycle_is_listed_in_the_direction_of_the_data() -> None:
    running, cycles = order(nodes_of({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"], "e": []}))
    assert cycles == [["a", "b", "c"]]
    assert sorted(running) == ["a", "b", "c", "d", "e"]


def test_every_separate_cycle_is_found_wherever_its_nodes_stand() -> None:
    edges = {"z": ["a", "m"], "a": ["b"], "b": ["a"], "y": ["z"], "m": ["n"], "n": ["m"], "s": ["s"]}
    running, cycles = order(nodes_of(edges))
    assert sorted(cycles) == [["a", "b"], ["m", "n"], ["s"]]
    assert running.index("z") < running.index("y")


@given(st.lists(st.lists(st.integers(0, 12), max_size=4), min_size=1, max_size=13))
def test_every_order_respects_the_edges_and_every_cycle_is_one(edges: list[list[int]]) -> None:
    upstream = {f"n{i}": [f"n{j}" for j in before if j < len(edges)] for i, before in enumerate(edges)}
    running, cycles = order(nodes_of(upstream))
    assert sorted(running) == sorted(upstream)
    for cycle in cycles:
        for before, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert before in upstream[after]
    if not cycles:
        place = {id: nth for nth, id in enumerate(running)}
        assert all(place[before] < place[id] for id, ids in upstream.items() for before in ids)


@given(st.lists(st.lists(st.integers(0, 100), max_size=4), min_size=1, max_size=13))
def test_a_graph_without_cycles_has_none(edges: list[list[int]]) -> None:
    upstream = {f"n{i}": [f"n{j % i}" for j in before] if i else [] for i, before in enumerate(edges)}
    assert order(nodes_of(dict(reversed(upstream.items()))))[1] == []


def test_a_long_chain_is_ordered_without_recursion() -> None:
    chain = {f"n{n}": [f"n{n + 1}"] for n in range(20_000)} | {"n20000": []}
    assert order(nodes_of(chain))[0][-1] == "n0"


def test_a_branch_waits_for_what_its_arms_read() -> None:
    inner = branch_node(
        "n9", {"q": ref("n4", "o")}, [(compare(1, "EQ", 1), task_node("n9", "t", x=ref("n5", "o")))], "no"
    )
    node = branch_node("n1", {"v": ref("n2", "o")}, [(compare(1, "EQ", 1), inner)], task_node("n8", "t", after=["n3"]))
    assert waits_for(node) == {"n2", "n3", "n4", "n5"}


def test_connections_are_listed_as_flyte_lists_them() -> None:
    nodes = [
        task_node("n0", "t", x=ref("", "a")),
        task_node("n1", "t", x=many(ref("n0", "o0"), ref("", "a"), const(1))),
        task_node("n2", "t", after=["n0", "n1"]),
        task_node("n3", "t"),
        task_node("n10", "t", x=ref("n1", "o0")),
    ]
    template = workflow(nodes, {"o0": (INT, ref("n10", "o0"))})
    downstream, upstream = as_dicts(connections(template, nodes))
    assert downstream == {
        "start-node": ["n0", "n1", "n3"],
        "n0": ["n1", "n2"],
        "n1": ["n10", "n2"],
        "n2": ["end-node"],
        "n3": ["end-node"],
        "n10": ["end-node"],
    }
    assert upstream == {
        "n0": ["start-node"],
        "n1": ["n0", "start-node"],
        "n2": ["n0", "n1"],
        "n3": ["start-node"],
        "n10": ["n1"],
        "end-node": ["n10", "n2", "n3"],
    }


def test_nodes_in_a_branch_are_listed_by_what_they_wait_for() -> None:
    arm = task_node("n1-n0", "t", x=ref("n0", "o0"))
    node = branch_node("n1", {"v": ref("", "a")}, [(compare("v.", "EQ", 1), arm)], task_node("n1-n1", "t"))
    nodes = [task_node("n0", "t", x=ref("", "a")), node]
    downstream, upstream = as_dicts(connections(workflow(nodes), nodes))
    assert downstream == {"start-node": ["n0", "n1"], "n0": ["end-node"], "n1": ["end-node"]}
    assert upstream == {
        "n0": ["start-node"],
        "n1": ["start-node"],
        "n1-n0": ["n0"],
        "end-node": ["n0", "n1"],
    }


def test_a_workflow_without_nodes_goes_from_start_to_end() -> None:
    for template in (workflow([]), workflow([], {"o0": (INT, ref("", "a"))})):
        assert as_dicts(connections(template, [])) == ({"start-node": ["end-node"]}, {"end-node": ["start-node"]})

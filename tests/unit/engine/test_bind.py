"""Values on their way: attributes of all forms that a value has, offloaded ones; caches and slots of what is inside."""

from __future__ import annotations

import msgpack
import pytest
from google.protobuf.struct_pb2 import Struct

from alula.engine.events import Fetch, LookUp, StartAttempt
from alula.engine.state import CacheStatus, NodePhase, Ref, Settings, Values
from alula.idl import Literal, LiteralOffloadedMetadata, Node, literals
from tests.unit.compiler.build import branch_node, compare, const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import array_node, made, step
from tests.unit.engine.stage import Stage, fail, plain, succeed, values
from tests.unit.engine.test_nodes import expanding, mapped, spec
from tests.unit.idl.build import INT, list_of

NESTED = {"deep": {"items": [5, {"n": 6}]}}


def struct() -> Literal:
    made = Struct()
    made.update(NESTED)
    return literals.generic(made)


def away(uri: str) -> Literal:
    return Literal(offloaded_metadata=LiteralOffloadedMetadata(uri=uri))


PACKED = literals.binary(msgpack.packb(NESTED))
LISTED = literals.mapping({"deep": literals.mapping({"items": literals.collection([literals.integer(5), PACKED])})})


@pytest.mark.parametrize(
    ("given", "path", "gives"),
    [
        (PACKED, ("deep", "items", 1, "n"), 6),
        (struct(), ("deep", "items", 1, "n"), 6),
        (LISTED, ("deep", "items", 0), 5),
        (LISTED, ("deep", "items", 1, "deep", "items", 1, "n"), 6),
        (literals.mapping({"deep": literals.collection([struct()])}), ("deep", 0, "deep", "items", 0), 5),
    ],
)
@pytest.mark.parametrize("where", ["here", "away"])
def test_m25_attributes_lead_through_maps_lists_structs_and_msgpack(
    given: Literal, path: tuple[str | int, ...], gives: int, where: str
) -> None:
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "free", x=ref("n0", "o1", *path))]
    out = given if where == "here" else away("s3://b/x.pb")
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o1": out})), "n1": succeed()})
    stage.objects["s3://b/x.pb"] = given.SerializeToString()
    stage.run()
    [start] = [c for c in stage.commands if isinstance(c, StartAttempt) and c.path == "n1"]
    found = start.inputs.get("x")
    assert isinstance(found, Literal)
    number = literals.unpacked(found).scalar.primitive
    assert (number.integer or number.float_value) == gives
    stage.check_end()


@pytest.mark.parametrize("given", [PACKED, struct()])
@pytest.mark.parametrize(("path", "named"), [(("deep", "no"), "no"), (("deep", "items", 7), "7"), (("x",), "x")])
def test_m25_what_is_not_there_is_named(given: Literal, path: tuple[str | int, ...], named: str) -> None:
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "free", x=ref("n0", "o1", *path))]
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o1": given}))}).run()
    assert stage.root.failure is not None
    assert stage.root.failure.code == "BindingResolutionFailure"
    assert named in stage.root.failure.message
    stage.check_end()


def test_m25_what_lies_away_within_a_list_is_read_where_it_is_needed() -> None:
    outer = literals.mapping({"deep": literals.collection([literals.integer(1), away("s3://b/one.pb")])})
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "free", x=ref("n0", "o1", "deep", 1, "k"))]
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o1": outer})), "n1": succeed()})
    stage.objects["s3://b/one.pb"] = literals.mapping({"k": literals.integer(9)}).SerializeToString()
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    [start] = [c for c in stage.commands if isinstance(c, StartAttempt) and c.path == "n1"]
    assert plain(start.inputs, "x") == 9


def test_m25_a_list_that_lies_away_is_mapped_over() -> None:
    nodes = [task_node("n0", "numbers"), array_node("n1", "one", x=ref("n0", "o0"))]
    stage = Stage(
        made(nodes, outputs={"o0": (list_of(INT), ref("n1", "o0"))}),
        backends={"n0": succeed(Values.of({"o0": away("s3://b/list.pb")}))},
    )
    stage.objects["s3://b/list.pb"] = literals.collection_of_integers([4, 7]).SerializeToString()
    stage.run()
    assert plain(stage.root.outputs) == [4, 7]
    stage.check_end()


def test_m25_what_lies_away_is_handed_on_unread() -> None:
    nodes = [task_node("n0", "numbers"), task_node("n1", "picks", x=ref("n0", "o0"), y=ref("", "a"))]
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o0": away("s3://b/list.pb")})), "n1": succeed()})
    stage.run()
    [start] = [c for c in stage.commands if isinstance(c, StartAttempt) and c.path == "n1"]
    found = start.inputs.get("x")
    assert isinstance(found, Literal)
    assert found.offloaded_metadata.uri == "s3://b/list.pb"
    assert not [c for c in stage.commands if isinstance(c, Fetch)]


@pytest.mark.parametrize("given", [6, 7])
def test_m18_a_condition_looks_into_attributes_and_what_lies_away(given: int) -> None:
    condition = compare("n0.o1.deep", "EQ", 6)
    operand = {"n0.o1.deep": ref("n0", "o1", "deep")}
    nodes = [task_node("n0", "layers", x=const(1)), branch_node("n1", operand, [(condition, step("n2"))], step("n3"))]
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o1": away("s3://b/x.pb")}))})
    stage.objects["s3://b/x.pb"] = literals.binary(msgpack.packb({"deep": given})).SerializeToString()
    stage.run()
    assert stage.started()[1] == ("n1/n1-n2" if given == 6 else "n1/n1-n3")


def test_m25_an_output_goes_by_its_other_name_too() -> None:
    nodes = [step("n0"), step("n1", "n0")]
    nodes[0].output_aliases.add(var="o0", alias="sum")
    nodes[1].inputs[0].binding.promise.var = "sum"
    stage = Stage(made(nodes)).run()
    assert plain(stage.x.nodes["n1"].outputs) == 4


# --- slots and caches of what is inside ---

INNER = workflow([step("n0"), step("n1")], {"o0": (INT, ref("n1", "o0"))}, name="inner")


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_m29_what_is_inside_shares_the_slots_of_the_whole(limit: int) -> None:
    many = spec([*(task_node(f"d{i}", "add", x=const(i), y=const(1)) for i in range(4)), step("e", "d0")])
    nodes: list[Node] = [
        step("n0"),
        step("n1"),
        sub_node("n2", "inner", a=ref("", "a")),
        step("dyn"),
        array_node("each", "one", x=mapped(4)[0].inputs[0].binding),
    ]
    stage = Stage(made(nodes, INNER), settings=Settings(max_parallelism=limit), backends={"dyn": expanding(many)})
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert stage.most == limit
    live = 0
    for attempt in sorted((row for path in stage.x.nodes for row in stage.attempts(path)), key=lambda a: a.since):
        overlapping = [
            other
            for path in stage.x.nodes
            for other in stage.attempts(path)
            if other.since <= attempt.since and (other.ended_at is None or other.ended_at > attempt.since)
        ]
        live = max(live, len(overlapping))
    assert live == limit
    stage.check_end()


def test_m29_elements_with_a_limit_of_their_own_run_beside_a_full_house() -> None:
    nodes = [step("n0"), array_node("each", "one", parallelism=3, x=mapped(6)[0].inputs[0].binding)]
    stage = Stage(made(nodes), settings=Settings(max_parallelism=1), backends={"n0": succeed(values(o0=1), after=60)})
    stage.run(until=10)
    assert stage.x.nodes["each"].phase is NodePhase.SUCCEEDED
    assert stage.x.nodes["n0"].phase is NodePhase.RUNNING


def test_m26_elements_are_cached_one_by_one() -> None:
    items = mapped(4)[0].inputs[0].binding
    closure = made([array_node("n0", "slow", x=items)], outputs={"o0": (list_of(INT), ref("n0", "o0"))})
    first = Stage(closure, backends={"n0[2]": fail(recoverable=False)}).run()
    assert first.phase is NodePhase.FAILED
    second = Stage(closure)
    second.cache = first.cache
    second.run()
    assert plain(second.root.outputs) == [0, 1, 2, 3]
    hits = [path for path, row in second.x.nodes.items() if row.cache is CacheStatus.HIT]
    assert set(hits) >= {"n0[0]", "n0[1]"}
    assert "n0[2]" in second.started()
    assert len([c for c in second.commands if isinstance(c, LookUp)]) == 4
    second.check_end()


AWAY = "s3://b/x.pb"


@pytest.mark.parametrize("damaged", [PACKED.SerializeToString()[:-3], b"\xff\xff", away(AWAY).SerializeToString()])
def test_a_value_that_is_damaged_where_it_lies_fails_who_looks_at_it(damaged: bytes) -> None:
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "free", x=ref("n0", "o1", "deep"))]
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o1": away(AWAY)}))})
    stage.objects[AWAY] = damaged
    stage.run()
    assert stage.phase is NodePhase.FAILED
    assert stage.root.failure is not None
    assert stage.root.failure.path == "n1"
    assert AWAY in stage.root.failure.message
    stage.check_end()


def test_outputs_that_are_damaged_where_they_lie_fail_who_looks_at_them() -> None:
    stage = Stage(
        made([task_node("n0", "layers", x=const(1)), task_node("n1", "free", x=ref("n0", "o1", "deep"))]),
        backends={"n0": succeed(Values(b"", (Ref("o1", AWAY, "o1"),)))},
    )
    stage.objects[AWAY] = b"\x0a\xff"
    stage.run()
    assert stage.root.failure is not None
    assert (stage.phase, stage.root.failure.code) == (NodePhase.FAILED, "BindingResolutionFailure")
    assert f"{AWAY} is damaged" in stage.root.failure.message

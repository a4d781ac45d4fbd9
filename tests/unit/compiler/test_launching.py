from __future__ import annotations

from alula.compiler.compile import compile_workflow
from alula.compiler.launching import Intake, around, complete, intake, open_interface
from alula.idl import Literal, literals
from alula.idl.admin import LaunchPlanSpec
from tests.unit.compiler.build import task
from tests.unit.idl.build import INT, NONE, STR, list_of, typed, union_of

TAKES = typed({"n": INT, "names": list_of(STR), "maybe": union_of(STR, NONE)}, {"o0": INT})


def given(**values: Literal) -> dict[str, Literal]:
    return values


NAMES = literals.collection([literals.string("a")])


def test_defaults_are_filled_in_and_given_values_go_over_them() -> None:
    taken = Intake(TAKES, defaults=given(n=literals.integer(1), names=NAMES))
    whole, faults = complete(taken, given(n=literals.integer(2)))
    assert faults == []
    assert whole.literals["n"] == literals.integer(2)
    assert whole.literals["names"] == NAMES


def test_what_accepts_none_is_none_with_its_variant() -> None:
    whole, faults = complete(Intake(TAKES), given(n=literals.integer(1), names=NAMES))
    assert faults == []
    assert whole.literals["maybe"] == literals.union(literals.none(), NONE)


def test_every_fault_has_its_name_and_path() -> None:
    wrong = given(m=literals.integer(1), n=literals.integer(3), names=literals.collection([literals.integer(1)]))
    whole, faults = complete(Intake(TAKES, fixed=given(n=literals.integer(7))), wrong)
    assert whole.literals["n"] == literals.integer(7)
    assert faults == [
        "n: is fixed by the launch plan, and cannot be given",
        "m: there is no such variable",
        "names[0]: expected str, got int 1",
        "there are: maybe: str | None, n: int, names: list[str]",
    ]


def test_of_a_launch_plan_the_fixed_inputs_are_not_seen() -> None:
    spec = LaunchPlanSpec()
    spec.default_inputs.parameters["n"].default.CopyFrom(literals.integer(1))
    spec.default_inputs.parameters["names"].required = True
    spec.fixed_inputs.literals["maybe"].CopyFrom(literals.string("x"))
    taken = intake(spec, TAKES)
    assert dict(taken.defaults) == {"n": literals.integer(1)}
    assert sorted(open_interface(taken).inputs.variables) == ["n", "names"]
    assert sorted(TAKES.inputs.variables) == ["maybe", "n", "names"], "the original is as it was"


def test_a_task_alone_becomes_a_workflow_that_compiles() -> None:
    add = task("pipelines.add", {"x": INT, "y": INT}, {"o0": INT, "o1": STR})
    closure = compile_workflow(around(add), [], [add])
    template = closure.primary.template
    assert template.id.name == ".flytegen.pipelines.add"
    assert template.interface == add.interface
    assert [node.metadata.name for node in template.nodes[2:]] == ["add"]
    assert sorted(bound.var for bound in template.outputs) == ["o0", "o1"]

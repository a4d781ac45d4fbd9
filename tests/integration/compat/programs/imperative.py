"""Workflows that are built call by call, chains with >>, and create_node."""

from typing import Dict, List

from flytekit import Resources, Workflow, task, workflow
from flytekit.core.node_creation import create_node

order = []


@task
def t1(a: str) -> str:
    order.append("t1")
    return a + " world"


@task
def t2():
    order.append("t2")


@task
def t3(a: List[str]) -> str:
    order.append("t3")
    return ",".join(a)


@task
def t4(a: int) -> tuple[int, str]:
    order.append("t4")
    return a, str(a)


@workflow
def inner(a: int) -> str:
    _, text = t4(a=a)
    return text


wf = Workflow(name="my.workflow")
wf.add_workflow_input("in1", str)
node_t1 = wf.add_entity(t1, a=wf.inputs["in1"])
wf.add_workflow_output("output_from_t1", node_t1.outputs["o0"])
wf.add_entity(t2)
wf_in = wf.add_workflow_input("other", str)
t3_node = wf.add_entity(t3, a=[wf.inputs["in1"], wf_in])
wf.add_workflow_output("output_list", [node_t1.outputs["o0"], t3_node.outputs["o0"]], python_type=List[str])
sub = wf.add_subwf(inner, a=7)
wf.add_workflow_output("sub", sub.outputs["o0"])
wf.add_workflow_output("named", {"x": sub.outputs["o0"]}, python_type=Dict[str, str])


@workflow
def chained() -> int:
    third = create_node(t4, a=3)
    second = create_node(t2)
    first = t1(a="x")
    second >> third
    last = t3(a=[first])
    first >> last
    return third.o0


@workflow
def nodes(a: str) -> str:
    n1 = create_node(t1, a=a)
    n2 = create_node(t2)
    n3 = create_node(t1, a=n1.o0).with_overrides(
        node_name="third", requests=Resources(cpu="1"), limits=Resources(cpu="1")
    )
    n2.runs_before(n1)
    n1 >> n3
    return n3.o0


if __name__ == "__main__":
    print(wf(in1="hello", other="you"), order)
    print(wf.name, wf.ready(), [n.id for n in wf.nodes], list(wf.python_interface.outputs))
    order.clear()
    print(chained(), sorted(order))
    print([n.id for n in chained.nodes], [[u.id for u in n.upstream_nodes] for n in chained.nodes])
    order.clear()
    print(nodes(a="hi"))
    print([n.id for n in nodes.nodes], nodes.nodes[2].flyte_entity is t1)
    print(nodes.nodes[2].bindings[0].var, nodes.nodes[2].bindings[0].binding.promise.node_id)

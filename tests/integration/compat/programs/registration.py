"""Entities as the models that register them: templates, nodes, bindings, resources, images, pods, launch plans."""

from collections import OrderedDict
from datetime import timedelta
from functools import partial
from typing import List, Optional

from flytekit import (
    ContainerTask,
    ImageSpec,
    LaunchPlan,
    PodTemplate,
    Resources,
    Secret,
    conditional,
    dynamic,
    kwtypes,
    map_task,
    task,
    workflow,
)
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.context_manager import ExecutionState, FlyteContextManager
from flytekit.extend import get_serializable
from flytekit.extras.accelerators import A100, T4
from flytekit.models import literals, types
from flytekit.models.types import SimpleType
from flytekit.tools.translator import get_serializable as same

settings = SerializationSettings(
    project="proj",
    domain="dev",
    version="v1",
    image_config=ImageConfig(
        Image(name="default", fqn="example.org/app", tag="1"), [Image("other", "example.org/b", "2")]
    ),
    env={"FOO": "bar"},
)


@task(
    requests=Resources(cpu="1", mem="2Gi"),
    limits=Resources(cpu="2"),
    retries=3,
    timeout=timedelta(minutes=5),
    interruptible=True,
    environment={"A": "B"},
    secret_requests=[Secret(group="g", key="k")],
    accelerator=T4,
    cache=True,
    cache_version="7",
)
def t1(a: int, b: str = "x") -> int:
    """Short.

    Args:
        a: the first
    """
    return a


@task(
    container_image="{{.image.other.fqn}}:latest",
    pod_template=PodTemplate(labels={"l": "v"}, primary_container_name="main"),
)
def t2(a: int) -> str:
    return str(a)


@task
def t3(a: int, b: Optional[str] = None) -> str:
    return f"{a}{b}"


@workflow
def sub(a: int) -> str:
    return t2(a=a)


@workflow(interruptible=True)
def wf(a: int, b: str = "hello") -> tuple[str, List[str]]:
    x = t1(a=a).with_overrides(limits=Resources(cpu="3"), node_name="first-one", retries=9)
    y = sub(a=x)
    z = map_task(partial(t3, b="c"), concurrency=3)(a=[1, 2])
    c = conditional("branch").if_(x == 3).then(t2(a=x)).elif_((x > 4) & (x < 9)).then(t2(a=4)).else_().fail("no")
    y >> z
    t3(a=x, b=c)
    return y, z


@dynamic
def dyn(n: int) -> List[str]:
    return [t2(a=i) for i in range(n)]


raw = ContainerTask(
    name="raw",
    image="alpine:3",
    inputs=kwtypes(v=str),
    outputs=kwtypes(o=str),
    input_data_dir="/in",
    output_data_dir="/out",
    command=["sh", "-c", "cat {{.inputs.v}}"],
)

lp = LaunchPlan.get_or_create(wf, name="wf_lp", default_inputs={"a": 3}, fixed_inputs={"b": "fixed"})

if __name__ == "__main__":
    spec = get_serializable(OrderedDict(), settings, t1)
    tt = spec.template
    print(tt.id.project, tt.id.domain, tt.id.name, tt.id.version, tt.type, tt.metadata.retries.retries)
    print(tt.container.image, tt.container.env, tt.metadata.timeout, tt.metadata.interruptible)
    print(
        [(r.name, r.value) for r in tt.container.resources.requests],
        [(r.name, r.value) for r in tt.container.resources.limits],
    )
    print(
        tt.metadata.discoverable,
        tt.metadata.discovery_version,
        tt.security_context.secrets[0].key,
        tt.container.args[-4:],
    )
    print(tt.interface.inputs["a"].description, tt.interface.inputs["a"].type.simple == SimpleType.INTEGER)
    pod = get_serializable(OrderedDict(), settings, t2).template
    print(pod.container, pod.k8s_pod.metadata.labels, pod.config, pod.k8s_pod.pod_spec["containers"][0]["image"])
    entities = OrderedDict()
    w = same(entities, settings, wf)
    nodes = w.template.nodes
    print([n.id for n in nodes], [sorted(n.upstream_node_ids) for n in nodes])
    print(
        nodes[0].metadata.retries.retries,
        nodes[0].task_node.overrides.resources.limits[0].value,
        nodes[0].inputs[0].binding.promise.var,
    )
    print(nodes[1].workflow_node.sub_workflow_ref.name, len(w.sub_workflows), nodes[1].task_node)
    print(nodes[2].array_node.node.task_node.reference_id.name.startswith("registration.map_t3_"))
    block = nodes[3].branch_node.if_else
    print(
        block.case.condition.comparison.right_value.primitive.integer,
        len(block.other),
        block.error.message,
        block.else_node,
    )
    print(
        w.template.outputs[0].var,
        w.template.outputs[1].binding.promise.node_id,
        w.template.metadata_defaults.interruptible,
    )
    plan = get_serializable(OrderedDict(), settings, lp)
    print(plan.id.name, plan.spec.workflow_id.name, plan.spec.fixed_inputs.literals["b"].scalar.primitive.string_value)
    print(sorted(plan.spec.default_inputs.parameters), bool(plan.spec.default_inputs.parameters["a"].required))
    rt = get_serializable(OrderedDict(), settings, raw).template
    print(rt.type, rt.container.command, rt.interface.outputs["o"].type.simple)
    print(A100.partition_2g_10gb is not None, len(entities) > 3)
    with FlyteContextManager.with_context(
        FlyteContextManager.current_context().with_serialization_settings(settings)
    ) as ctx:
        with FlyteContextManager.with_context(
            ctx.with_execution_state(ctx.new_execution_state().with_params(mode=ExecutionState.Mode.TASK_EXECUTION))
        ) as ctx:
            lm = literals.LiteralMap(
                {"n": literals.Literal(scalar=literals.Scalar(primitive=literals.Primitive(integer=3)))}
            )
            made = dyn.dispatch_execute(ctx, lm)
            print(len(made.nodes), [n.id for n in made.nodes], made.outputs[0].var, len(made.tasks))
            made = t3.dispatch_execute(ctx, literals.LiteralMap({"a": lm.literals["n"]}))
            print(made.literals["o0"].scalar.primitive.string_value)
    print(types.LiteralType(simple=types.SimpleType.STRING) == tt.interface.inputs["b"].type)
    image = ImageSpec(name="app", packages=["pandas"], registry="ghcr.io/me", python_version="3.11")
    print(image.name, image.with_packages("numpy").packages, image.packages, image.is_container())

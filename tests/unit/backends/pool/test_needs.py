"""What a job needs, as its template says it."""

from __future__ import annotations

import pytest

from alula.backends.pool import needs
from alula.backends.pool.needs import Code, Need
from alula.backends.pool.templates import Templates
from alula.idl import Identifier, Resources, TaskNodeOverrides, TaskTemplate

ARGS = ["alula-execute", "--inputs", "{{.input}}", "--resolver", "r", "--", "task-module", "m", "task-name", "t"]


def template(*, args: list[str] | None = None, **amounts: str) -> TaskTemplate:
    made = TaskTemplate(id=Identifier(name="t"), type="python-task")
    made.container.image = "example.org/image:1"
    made.container.args.extend(ARGS if args is None else args)
    for name, value in amounts.items():
        kind, _, resource = name.partition("_")
        entries = made.container.resources.requests if kind == "request" else made.container.resources.limits
        entries.add(name=Resources.CPU if resource == "cpu" else Resources.MEMORY, value=value)
    return made


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2", 2), ("500m", 0.5), ("1.5", 1.5), (".5", 0.5), ("1Gi", 1 << 30), ("2G", 2e9), ("1e3", 1000), ("3k", 3000)],
)
def test_quantities_are_those_of_kubernetes(text: str, amount: float) -> None:
    assert needs.quantity(text) == pytest.approx(amount)


@pytest.mark.parametrize("text", ["", "many", "1 Gi", "-1", "1GiB"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        needs.quantity(text)


@pytest.mark.parametrize("text", ["9" * 400, "1e400", "1" + "0" * 308 + "Gi"])
def test_what_no_machine_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is more than there can be"):
        needs.quantity(text)


def test_an_eager_task_leaves_the_cores_to_those_that_it_waits_for() -> None:
    eager = template()
    eager.metadata.is_eager = True
    assert needs.need(eager, None).cpus == 0
    eager.container.resources.requests.add(name=Resources.CPU, value="2")
    assert needs.need(eager, None).cpus == 2


def test_a_task_that_asks_for_nothing_takes_a_core() -> None:
    assert needs.need(template(), None) == Need(1.0, 0, 0)


def test_a_limit_without_a_request_is_the_request() -> None:
    assert needs.need(template(limit_cpu="2", limit_mem="1Gi"), None) == Need(2.0, 1 << 30, 1 << 30)
    assert needs.need(template(request_mem="1Mi", limit_mem="1Gi"), None) == Need(1.0, 1 << 20, 1 << 30)


def test_a_node_overrides_what_it_names() -> None:
    overrides = TaskNodeOverrides()
    overrides.resources.requests.add(name=Resources.CPU, value="250m")
    assert needs.need(template(request_cpu="2", request_mem="1Mi"), overrides) == Need(0.25, 1 << 20, 0)


def test_the_code_of_a_job_is_its_bundle() -> None:
    assert needs.code(template()) == (Code(), "m")
    fast = ["alula-fast-execute", "--additional-distribution", "s3://b/c.tar.gz", "--dest-dir", "/root", "--", *ARGS]
    assert needs.code(template(args=fast)) == (Code("s3://b/c.tar.gz"), "m")
    assert needs.code(template(args=["pyflyte-execute", "--dynamic-addl-distro=s3://b/d", *ARGS[1:]]))[0].bundle
    assert needs.code(
        template(args=["pyflyte-execute", "--additional-distribution", "{{ .remote_package_path }}"])
    ) == (
        Code(),
        "",
    )


def test_a_pod_of_one_container_is_as_good_as_a_container() -> None:
    made = TaskTemplate(id=Identifier(name="t"), type="python-task", config={"primary_container_name": "main"})
    made.k8s_pod.pod_spec.update({"containers": [{"name": "side"}, {"name": "main", "args": ARGS}]})
    assert "beside other containers (side)" in needs.refusal(made)
    made.k8s_pod.pod_spec.update({"containers": [{"name": "main", "args": ARGS}]})
    assert needs.refusal(made) == ""
    assert needs.code(made)[1] == "m"


def test_other_kinds_are_refused_with_a_way_out() -> None:
    raw = template(args=["echo", "hello"])
    assert "runs echo hello in the image example.org/image:1" in needs.refusal(raw)
    assert "ShellTask" in needs.refusal(raw)


def test_bytes_are_shown_as_people_write_them() -> None:
    assert [needs.shown_bytes(count) for count in (0, 512, 1536, 1 << 30, 5 << 40)] == [
        "0 B",
        "512 B",
        "1.5 KiB",
        "1 GiB",
        "5120 GiB",
    ]


def test_equal_templates_have_one_number_and_others_another() -> None:
    templates = Templates()
    first, same, other = template(), template(), template(request_cpu="2")
    assert templates.known(first) is templates.known(first)
    assert templates.known(first).number == templates.known(same).number
    assert templates.known(other).number != templates.known(first).number
    assert templates.known(same).template is same


def test_amounts_that_are_none_refuse_the_template() -> None:
    assert "'many' is no quantity" in Templates().known(template(request_cpu="many")).refusal


def test_tasks_of_flytekits_with_other_variables_have_other_zygotes_and_ours_do_not() -> None:
    def code(program: str, **variables: str) -> Code:
        made = template(args=[program, *ARGS[1:]])
        for key, value in variables.items():
            made.container.env.add(key=key, value=value)
        return needs.code(made)[0]

    assert code("pyflyte-execute", COLOUR="blue").variables == (("COLOUR", "blue"),)
    assert code("pyflyte-execute", FLYTE_X="y", _F_SS_C="z") == code("pyflyte-execute")
    assert code("alula-execute", COLOUR="blue") == code("alula-execute")

"""What normalising a spec takes out, and that it leaves the rest alone."""

from __future__ import annotations

import copy

from normalise import normalise


def node(id: str, upstream: list[str]) -> dict[str, object]:
    return {"id": id, "upstream_node_ids": upstream}


def test_a_spec_without_anything_to_take_out_stays_as_it_is() -> None:
    spec = {"template": {"id": {"name": "m.f"}, "nodes": [{"id": "n0", "inputs": [{"var": "b"}, {"var": "a"}]}]}}
    assert normalise(spec) == spec


def test_the_argument_is_not_changed() -> None:
    spec = {"metadata": {"runtime": {"version": "1"}}, "nodes": [node("fn0", ["b", "a"])]}
    before = copy.deepcopy(spec)
    normalise(spec)
    assert spec == before


def test_it_does_not_matter_which_sdk_wrote_the_spec() -> None:
    theirs = {"metadata": {"runtime": {"type": "FLYTE_SDK", "version": "1.16.31", "flavor": "python"}, "retries": {}}}
    ours = {"metadata": {"runtime": {"type": "OTHER", "version": "0.1"}, "retries": {}}}
    assert normalise(theirs) == normalise(ours) == {"metadata": {"retries": {}}}


def test_it_does_not_matter_how_a_users_function_is_started() -> None:
    theirs = {"image": "i", "args": ["pyflyte-execute", "--resolver", "a.b", "--", "task-name", "f"]}
    ours = {"image": "i", "command": ["alula-execute"], "args": ["--resolver", "c.d"]}
    assert normalise(theirs) == normalise(ours)


def test_a_command_of_the_users_own_matters() -> None:
    echo = {"image": "i", "command": ["echo"], "args": ["{{.inputs.a}}"]}
    assert normalise(echo)["command"] == ["echo"]
    assert normalise(echo) != normalise({**echo, "args": ["b"]})
    assert normalise(echo) != normalise({"image": "i", "args": ["pyflyte-execute"]})


def test_the_image_of_a_container_matters() -> None:
    assert normalise({"image": "a", "args": ["alula-execute"]}) != normalise({"image": "b", "args": ["alula-execute"]})


def test_only_the_users_environment_matters() -> None:
    theirs = {"image": "i", "env": [{"key": "_F_SS_C", "value": "H4s"}, {"key": "STAGE", "value": "test"}]}
    ours = {"image": "i", "env": [{"key": "STAGE", "value": "test"}, {"key": "ALULA_RUN", "value": "1"}]}
    assert normalise(theirs) == normalise(ours) == {"image": "i", "env": {"STAGE": "test"}}
    assert normalise(theirs) != normalise({"image": "i", "env": [{"key": "STAGE", "value": "live"}]})


def test_the_environment_of_a_pods_container_is_read_too() -> None:
    pod = {"image": "i", "env": [{"name": "STAGE", "value": "test"}]}
    assert normalise(pod)["env"] == {"STAGE": "test"}


def test_the_digest_in_the_name_of_a_map_task_does_not_matter() -> None:
    named = {
        f"m.map_add_one_{digest * 32}-arraynode": {"id": f"m.map_add_one_{digest * 32}-arraynode"} for digest in "a"
    }
    assert normalise(named) == {"m.map_add_one": {"id": "m.map_add_one"}}


def test_the_function_in_the_name_of_a_map_task_matters() -> None:
    one, other = (f"m.map_{f}_{'0' * 32}-arraynode" for f in ("add", "sub"))
    assert normalise([one]) != normalise([other])


def test_upstream_nodes_are_a_set_and_bindings_are_not() -> None:
    assert normalise(node("n2", ["n1", "n0"])) == normalise(node("n2", ["n0", "n1"]))
    assert normalise({"inputs": [{"var": "b"}, {"var": "a"}]}) != normalise({"inputs": [{"var": "a"}, {"var": "b"}]})


def test_resources_are_a_set() -> None:
    cpu, memory = {"name": "CPU", "value": "1"}, {"name": "MEMORY", "value": "1Gi"}
    assert normalise({"requests": [cpu, memory]}) == normalise({"requests": [memory, cpu]})
    assert normalise({"requests": [cpu, memory]}) != normalise({"requests": [cpu]})


def test_nodes_that_were_numbered_as_failure_nodes_get_plain_ids() -> None:
    leaked = {
        "nodes": [node("fn0", []), node("fn1", ["fn0"])],
        "outputs": [{"binding": {"promise": {"node_id": "fn1", "var": "o0"}}}],
    }
    plain = {
        "nodes": [node("n0", []), node("n1", ["n0"])],
        "outputs": [{"binding": {"promise": {"node_id": "n1", "var": "o0"}}}],
    }
    assert normalise(leaked) == plain


def test_the_failure_node_has_one_id_whatever_the_form_of_the_workflow() -> None:
    function = {"nodes": [node("fn0", [])], "failure_node": node("fn0", [])}
    imperative = {"nodes": [node("n0", [])], "failure_node": node("efn", [])}
    assert normalise(function) == normalise(imperative)
    assert normalise(function)["failure_node"]["id"] == "fn0"


def test_a_description_matters_once_it_says_something() -> None:
    format = {"format": "DESCRIPTION_FORMAT_RST"}
    assert normalise({"description": {"long_description": format}}) == {}
    said = {"description": {"short_description": "What it does.", "long_description": format}}
    assert normalise(said) == said

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConfigError
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier, ids

PART = st.text("abc.-_", max_size=6)
TYPES = st.sampled_from([ResourceType.TASK, ResourceType.WORKFLOW, ResourceType.LAUNCH_PLAN])
LONG = "some.long.module.path." + "name_" * 12


@given(TYPES, PART, PART, st.text("abc:.", min_size=1).filter(lambda n: n[0] != ":"), PART)
def test_an_identifier_survives_its_text(
    kind: ResourceType, project: str, domain: str, name: str, version: str
) -> None:
    id = Identifier(resource_type=kind, project=project, domain=domain, name=name, version=version)
    assert ids.parse_id(ids.id_text(id)) == id


def test_the_types_that_flytekit_prints_are_read() -> None:
    assert ids.parse_id("tsk:p:d:n:v").resource_type == ResourceType.TASK
    assert ids.parse_id("wf:p:d:n:v").resource_type == ResourceType.WORKFLOW
    assert ids.parse_id("lp:p:d:n:v").resource_type == ResourceType.LAUNCH_PLAN


@pytest.mark.parametrize("text", ["", "task", "task:p:d:n", "job:p:d:n:v", "task:p:d::v", "ex:p:d:n"])
def test_text_that_identifies_nothing_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ConfigError, match="TYPE:PROJECT:DOMAIN:NAME:VERSION"):
        ids.parse_id(text)


def test_an_execution_survives_its_text() -> None:
    id = WorkflowExecutionIdentifier(project="p", domain="d", name="f1")
    assert ids.execution_text(id) == "ex:p:d:f1"
    assert ids.parse_execution("ex:p:d:f1") == id
    for wrong in ("ex:p:d:", "p:d:f1", "ex:p:d:f1:x"):
        with pytest.raises(ConfigError, match="ex:PROJECT:DOMAIN:NAME"):
            ids.parse_execution(wrong)


def test_keys_tell_identifiers_apart_by_every_field() -> None:
    a = Identifier(resource_type=ResourceType.TASK, project="p", domain="d", name="n", version="v", org="o")
    changed = [{"project": "q"}, {"domain": "q"}, {"name": "q"}, {"version": "q"}, {"org": "q"}, {"resource_type": 2}]
    for change in changed:
        b = Identifier()
        b.CopyFrom(a)
        for field, value in change.items():
            setattr(b, field, value)
        assert ids.key(a) != ids.key(b)
    assert ids.key(a) == ids.key(Identifier.FromString(a.SerializeToString()))
    assert ids.short_text(a) == "task n"


# Left: names. Right: what flytekit 1.16.31 makes of them.
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("n0", "n0"),
        ("my_module.task_one", "my-module-task-one"),
        ("MyTask", "my-task"),
        ("HTTPServer", "h-t-t-p-server"),
        ("_private", "private"),
        ("trailing_", "trailing"),
        ("a.b__c", "a-b--c"),
        ("x" * 63, "57176f335e-" + "x" * 52),
        ("x" * 62, "x" * 62),
        (LONG, "4541ac6c7e-e-name-name-name-name-name-name-name-name-name-name"),
        ("A" * 32, "-".join("a" * 32)),
        ("a!@#b c", "abc"),
        ("9lives", "9lives"),
        ("a.B", "a-b"),
        ("pkg.mod.MyWorkflow-n0", "pkg-mod-my-workflow-n0"),
    ],
)
def test_labels_are_those_of_flytekit(name: str, label: str) -> None:
    assert ids.dns_label(name) == label


@given(st.text() | st.text("Aa_-.", min_size=50, max_size=200))
def test_every_label_is_one_that_dns_accepts(name: str) -> None:
    label = ids.dns_label(name)
    assert len(label) <= 63
    assert re.fullmatch(r"[a-z0-9-]*", label)
    assert not label.startswith("-")
    assert not label.endswith("-")


def test_long_names_that_differ_anywhere_have_different_labels() -> None:
    assert ids.dns_label("A" + "a" * 100) != ids.dns_label("B" + "a" * 100)
    assert ids.dns_label("A" * 40 + "b") != ids.dns_label("C" + "A" * 39 + "b")

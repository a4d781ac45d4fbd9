"""M41: what stands for what in a command line, in the words of Flyte's contract, whatever their case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack
import pytest
from google.protobuf.struct_pb2 import Struct

from alula.data.stores import Objects
from alula.errors import ConversionError, Rejected
from alula.hosting.secrets import Secrets
from alula.hosting.task import Lent, Task
from alula.idl import Literal, LiteralMap, StructuredDatasetType, TaskTemplate, literals
from alula.plugin import template
from alula.plugin.runner import AttemptId, Job
from tests.unit.idl.build import INT

ID = AttemptId("p", "d", "ex", "n2/n1", 3)
PREFIX = "s3://b/p/d/ex/n2.2Fn1/3"


def job(checkpoint: str = "", **inputs: Literal) -> Job:
    made = TaskTemplate()
    made.id.name = "flows.shell"
    return Job(ID, made, LiteralMap(literals=inputs).SerializeToString(), PREFIX, checkpoint=checkpoint)


class Nobody:
    """A lender whom nobody asks."""

    def woken(self, id: AttemptId) -> None: ...

    def asks(self, id: AttemptId, pool: str, units: int) -> None: ...


def lent(attempt: Job) -> Task:
    return Task(Lent(Nobody(), Objects(), Secrets({}), lambda secret: None), attempt)


def filled(item: str, checkpoint: str = "", **inputs: Literal) -> str:
    [one] = template.fill([item], job(checkpoint, **inputs))
    return one


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("Input", f"{PREFIX}/inputs.pb"),
        ("InputPrefix", PREFIX),
        ("OutputPrefix", PREFIX),
        ("RawOutputDataPrefix", f"{PREFIX}/raw"),
        ("PerRetryUniqueKey", ID.name),
        ("TaskTemplatePath", f"{PREFIX}/task.pb"),
        ("PrevCheckpointPrefix", '""'),
        ("CheckpointOutputPrefix", f"{PREFIX}/checkpoint"),
        ("Namespace", "p-d"),
    ],
)
def test_m41_each_name_stands_for_its_value_in_any_case_and_spelling(name: str, stands_for: str) -> None:
    forms = f"{{{{.{name}}}}}", f"{{{{ .{name.lower()} }}}}", f"{{{{$ {name.upper()}}}}}", f"{{{{${name}}}}}"
    assert [filled(form) for form in forms] == [stands_for] * 4
    assert filled(f"--x={forms[0]}/more") == f"--x={stands_for}/more"
    assert name in template.NAMES


def test_m41_the_checkpoint_of_the_former_attempt() -> None:
    assert filled("{{.prevCheckpointPrefix}}", checkpoint="s3://b/2/checkpoint") == "s3://b/2/checkpoint"


def test_m41_no_name_is_left_out() -> None:
    assert len(template.NAMES) == 9


def struct(**fields: Any) -> Literal:
    made = Struct()
    made.update(fields)
    return literals.generic(made)


def packed(value: Any) -> Literal:
    return literals.binary(msgpack.packb(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (literals.integer(-7), "-7"),
        (literals.floating(1.5), "1.5"),
        (literals.floating(2.0), "2"),
        (literals.boolean(True), "true"),
        (literals.string("it's a {{.Input}} & co"), "it's a {{.Input}} & co"),
        (literals.timestamp(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)), "2030-01-02T03:04:05Z"),
        (literals.timestamp(datetime(2030, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC)), "2030-01-02T03:04:05.12Z"),
        (literals.duration(timedelta(seconds=5, milliseconds=500)), "seconds:5 nanos:500000000"),
        (literals.blob("s3://b/file"), "s3://b/file"),
        (literals.dataset("s3://b/frame", StructuredDatasetType()), "s3://b/frame"),
        (packed(7), "7"),
        (packed("text"), "text"),
        (packed({"a": [1, 2]}), '{"a": [1, 2]}'),
        (literals.collection_of_integers([1, 2, 3]), "[1,2,3]"),
        (literals.collection([literals.string("a"), literals.collection_of_integers([1])]), "[a,[1]]"),
        (literals.union(literals.integer(4), INT), "4"),
    ],
)
def test_m41_values_of_inputs(value: Literal, text: str) -> None:
    assert filled("{{.Inputs.x}}", x=value) == text
    assert filled("{{ .INPUTS.x }}", x=value) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [(literals.none(), "none_type"), (struct(a=1), "generic"), (literals.mapping({}), "map"), (Literal(), "nothing")],
)
def test_m41_values_without_a_form_are_errors_that_name_them(value: Literal, kind: str) -> None:
    with pytest.raises(ConversionError, match=rf"\{{\{{\.Inputs\.x\}}\}}: a value of kind {kind}"):
        filled("{{.Inputs.x}}", x=value)


def test_m41_missing_inputs_are_errors_all_at_once_that_say_what_there_is() -> None:
    argv = ["run", "{{.Inputs.a}}", "{{.inputs.b}} {{.Inputs.c}}"]
    with pytest.raises(ConversionError) as caught:
        template.fill(argv, job(c=literals.integer(1), d=literals.integer(2)))
    assert "{{.Inputs.a}} names no input; there is c, d" in str(caught.value)
    assert "{{.inputs.b}} names no input" in str(caught.value)
    assert "flows.shell" in str(caught.value)


def test_m41_a_value_stays_one_argument_and_is_not_looked_into() -> None:
    nasty = literals.string('a b "c" {{.Inputs.y}} ; rm -rf / {{.OutputPrefix}}\n')
    argv = ["sh", "-c", "{{.Inputs.x}}", "--y={{.Inputs.y}}"]
    assert template.fill(argv, job(x=nasty, y=literals.integer(1))) == [
        "sh",
        "-c",
        'a b "c" {{.Inputs.y}} ; rm -rf / {{.OutputPrefix}}\n',
        "--y=1",
    ]


@pytest.mark.parametrize("plain", ["plain", "", "{{.Unknown}}", "{{ not a template }}", "{.Input}", "${HOME}"])
def test_m41_what_is_no_template_passes_through(plain: str) -> None:
    assert filled(plain) == plain


def test_m41_whether_the_template_must_be_written_down() -> None:
    assert template.uses(["a", "--t={{ .tasktemplatepath }}"], "TaskTemplatePath")
    assert not template.uses(["a", "{{.Input}}"], "TaskTemplatePath")


@pytest.mark.parametrize(("name", "key"), [("a1b2", "a1b2"), ("7-up", "aup"), ("x-y.z", "x_y_z"), ("__q", "aq")])
def test_m41_unique_keys_are_identifiers(name: str, key: str) -> None:
    assert template.unique_key(name) == key


def test_m41_variables_are_filled_in_too_and_ask_for_the_template_as_words_do() -> None:
    attempt = job(x=literals.integer(4))
    attempt.template.container.env.add(key="AT", value="{{.OUTPUTPREFIX}}/{{.inputs.x}}")
    attempt.template.container.env.add(key="PLAIN", value="${HOME} {{ .Values.x }}")
    task = lent(attempt)
    assert {name: task.environ()[name] for name in ("AT", "PLAIN")} == {
        "AT": f"{PREFIX}/4",
        "PLAIN": "${HOME} {{ .Values.x }}",
    }
    assert not template.uses(template.words_of(attempt.template), "TaskTemplatePath")
    attempt.template.container.env.add(key="T", value="{{$tasktemplatepath}}")
    assert template.uses(template.words_of(attempt.template), "TaskTemplatePath")


def test_m41_a_variable_that_cannot_be_filled_in_fails_the_task_and_not_the_engine() -> None:
    attempt = job()
    attempt.template.container.env.add(key="AT", value="{{.inputs.x}}")
    with pytest.raises(Rejected, match=r"\{\{\.inputs\.x\}\} names no input; there is none"):
        lent(attempt).environ()

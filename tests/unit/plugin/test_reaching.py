"""What an attempt may read and write in object stores."""

from __future__ import annotations

from alula._kits.records import replace
from alula.idl import Literal, LiteralMap, TaskTemplate, literals
from alula.idl.literals import string
from alula.idl.packing import packed
from alula.plugin.reaching import reach
from alula.plugin.runner import AttemptId, Job

ID = AttemptId("p", "d", "e", "n0", 0, "01234567")


def job(prefix: str = "s3://data/e/n0/0", template: TaskTemplate | None = None, **inputs: Literal) -> Job:
    given = LiteralMap(literals=inputs).SerializeToString()
    return Job(ID, template or TaskTemplate(type="t"), given, prefix)


def test_an_attempt_writes_below_its_own_prefix_only() -> None:
    assert reach(job()) == ((), ("s3://data/e/n0/0",))
    assert reach(job("/data/e/n0/0")) == ((), ())


def test_it_writes_where_the_user_wants_its_files_too() -> None:
    assert reach(replace(job(), user_data="gs://mine/ab/e-1")).write == ("s3://data/e/n0/0", "gs://mine/ab/e-1")
    assert reach(replace(job(), user_data="/mine/ab/e-1")).write == ("s3://data/e/n0/0",)


def test_files_that_inputs_point_to_may_be_read_at_whatever_depth() -> None:
    nested = literals.collection([literals.blob("s3://a/x"), literals.blob("gs://b/y")])
    plain = packed({"model": {"path": "abfs://c@acc.dfs.core.windows.net/z"}, "n": 1})
    found = reach(job(files=nested, config=plain, here=literals.blob("/data/file"), web=literals.blob("https://h/f")))
    assert found.read == ("abfs://c@acc.dfs.core.windows.net/z", "gs://b/y", "s3://a/x")


def test_text_that_looks_like_a_uri_opens_nothing() -> None:
    assert reach(job(text=string("s3://a/x"))).read == ()


def test_what_the_command_line_and_variables_name_may_be_read() -> None:
    template = TaskTemplate(type="t")
    template.container.args.extend(["run", "--additional-distribution", "s3://data/code/abc.tar.gz", "--x", "s3"])
    template.container.env.add(key="MODEL", value="s3://models/7")
    made = job(template=template)
    assert reach(made).read == ("s3://data/code/abc.tar.gz", "s3://models/7")


def test_the_former_checkpoint_may_be_read() -> None:
    made = Job(ID, TaskTemplate(type="t"), b"", "s3://data/e/n0/1", checkpoint="s3://data/e/n0/0/checkpoint")
    assert reach(made).read == ("s3://data/e/n0/0/checkpoint",)

"""Where an attempt of flytekit's runs, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula._kits.records import replace
from alula.data.stores import Objects
from alula.idl import DynamicJobSpec, ErrorDocument, ExecutionError, Literal, LiteralMap, Primitive, Scalar
from alula.idl import worker as wire
from alula.runtime import staging
from alula.runtime.staging import Stage


def stage(home: Path, prefix: str, *, checkpoint: str = "") -> Stage:
    job = wire.Run(1, 1, b"", b"inputs", prefix, ("p", "d", "e1", 2), checkpoint, -1, 1, {}, 1000)
    scratch = home / "scratch"
    scratch.mkdir(exist_ok=True)
    return Stage(job, scratch, Objects())


def outputs(text: str) -> bytes:
    value = Literal(scalar=Scalar(primitive=Primitive(string_value=text)))
    return LiteralMap(literals={"o0": value}).SerializeToString()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_places_are_paths_and_never_file_uris(tmp_path: Path, scheme: str) -> None:
    one = stage(tmp_path, f"{scheme}{tmp_path}/n0/2", checkpoint=f"{scheme}{tmp_path}/n0/1/checkpoint")
    one.set(None)
    places = one.places(b"template")
    home = f"{tmp_path}/n0/2"
    assert places["input"] == f"{home}/inputs.pb"
    assert places["outputprefix"] == home
    assert places["rawoutputdataprefix"] == f"{home}/raw"
    assert places["checkpointoutputprefix"] == f"{home}/checkpoint"
    assert places["prevcheckpointprefix"] == f"{tmp_path}/n0/1/checkpoint"
    assert places["namespace"] == "p-d"
    assert Path(places["input"]).read_bytes() == b"inputs"
    assert Path(places["tasktemplatepath"]).read_bytes() == b"template"


def test_user_data_may_go_elsewhere(tmp_path: Path) -> None:
    one = stage(tmp_path, f"file://{tmp_path}/n0/2")
    for place, shown in ((f"file://{tmp_path}/mine", f"{tmp_path}/mine"), ("s3://mine/data", "s3://mine/data")):
        found = replace(one, job=replace(one.job, user_data=place))
        assert (found.at.raw, found.at.outputs) == (shown, one.at.outputs)


def test_a_first_attempt_has_two_quotes_for_a_checkpoint(tmp_path: Path) -> None:
    one = stage(tmp_path, str(tmp_path / "n0"))
    assert one.places(b"")["prevcheckpointprefix"] == '""'


def test_of_a_bucket_only_the_inputs_are_here(tmp_path: Path) -> None:
    one = stage(tmp_path, "s3://bucket/n0/2", checkpoint="s3://bucket/n0/1/checkpoint")
    one.set(None)
    places = one.places(b"")
    assert places["outputprefix"] == "s3://bucket/n0/2"
    assert places["prevcheckpointprefix"] == "s3://bucket/n0/1/checkpoint"
    assert Path(places["input"]).read_bytes() == b"inputs"
    assert one.result() == (wire.WRITTEN, b"")


def test_the_working_directory_holds_what_the_bundle_has(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    (code / "__pycache__").mkdir()
    (code / "data.txt").write_text("data")
    one = stage(tmp_path, str(tmp_path / "n0"))
    one.set(code)
    assert sorted(path.name for path in one.work.iterdir()) == ["data.txt", "package"]
    assert (one.work / "data.txt").read_text() == "data"


def test_what_an_attempt_left_that_was_cut_short_counts_no_more(tmp_path: Path) -> None:
    one = stage(tmp_path, str(tmp_path / "n0"))
    one.set(None)
    Path(one.at.error).write_bytes(b"an error")
    again = stage(tmp_path, str(tmp_path / "n0"))
    again.set(None)
    assert again.result() is None


def test_an_error_counts_before_nodes_and_these_before_outputs(tmp_path: Path) -> None:
    one = stage(tmp_path, str(tmp_path / "n0"))
    one.set(None)
    found = []
    for path, content in (
        (one.at.outputs, outputs("made")),
        (one.at.futures, DynamicJobSpec(min_successes=1).SerializeToString()),
        (one.at.error, ErrorDocument().SerializeToString()),
    ):
        Path(path).write_bytes(content)
        found.append(one.result())
    assert [kind for kind, _ in filter(None, found)] == [wire.OUTPUTS, wire.FUTURES, wire.ERROR]
    assert found[0] == (wire.OUTPUTS, outputs("made"))


def test_what_is_long_or_damaged_stays_in_its_file(tmp_path: Path) -> None:
    one = stage(tmp_path, str(tmp_path / "n0"))
    one.set(None)
    Path(one.at.outputs).write_bytes(outputs("x" * 300_000))
    assert one.result() == (wire.WRITTEN, b"")
    Path(one.at.outputs).write_bytes(b"\xff\xff no message")
    assert one.result() == (wire.WRITTEN, b"")


def test_a_checkpoint_is_one_when_something_is_saved(tmp_path: Path) -> None:
    one = stage(tmp_path, str(tmp_path / "n0"))
    one.set(None)
    saved = Path(one.at.checkpoint)
    assert one.saved() == ""
    saved.mkdir()
    assert one.saved() == ""
    (saved / "state").touch()
    assert one.saved() == str(saved)


def test_an_element_takes_the_only_item_and_keeps_its_index() -> None:
    assert staging.variables_of_map(7) == {"BATCH_JOB_ARRAY_INDEX_OFFSET": "-7"}
    assert staging.variables_of_map(-1) == {}


def test_an_attempt_without_a_word_may_be_tried_again_and_pays_for_it_if_it_exits() -> None:
    for (kind, payload), origin, said in (
        (staging.nothing_left(), ExecutionError.SYSTEM, "exit code 0"),
        (staging.left_early("the task called sys.exit(3)"), ExecutionError.USER, "sys.exit(3) before it left"),
    ):
        error = ErrorDocument.FromString(payload).error
        assert (kind, error.kind, error.origin) == (wire.ERROR, error.RECOVERABLE, origin)
        assert said in error.message

"""`alula-copilot`: what it fetches and leaves, and how it says that it could not."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula.containers.files import copilot
from alula.containers.files.copilot import Errand
from alula.data.stores import Objects
from alula.errors import DataError
from alula.idl import ContainerError, ErrorDocument, ExecutionError, LiteralMap, TaskTemplate, literals
from tests.unit.containers.files.making import FILE, INT, raw


async def prepared(folder: Path, template: TaskTemplate, objects: Objects, **inputs: int) -> tuple[Errand, Errand]:
    """A download and an upload."""
    prefix = str(folder / "attempt")
    at, given = f"{prefix}/task.pb", f"{prefix}/inputs.pb"
    values = LiteralMap(literals={name: literals.integer(value) for name, value in inputs.items()})
    await objects.write(at, template.SerializeToString())
    await objects.write(given, values.SerializeToString())
    return (
        Errand("download", at, prefix, str(folder / "in"), inputs=given, seen="/in", timeout=60),
        Errand("upload", at, prefix, str(folder / "out"), raw_prefix=f"{prefix}/raw", timeout=60),
    )


def error(folder: Path) -> ContainerError:
    return ErrorDocument.FromString((folder / "attempt" / "error.pb").read_bytes()).error


async def test_it_fetches_inputs_and_acknowledges_outputs(tmp_path: Path) -> None:
    objects = Objects()
    download, upload = await prepared(tmp_path, raw({"x": INT}, {"y": INT, "f": FILE}), objects, x=7)
    assert await copilot.run(download, objects) is None
    assert (tmp_path / "in" / "x").read_text() == "7"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "y").write_text("8")
    (tmp_path / "out" / "f").write_text("data")
    assert await copilot.run(upload, objects) is None
    outputs = LiteralMap.FromString(await objects.read(f"{upload.output_prefix}/outputs.pb")).literals
    assert outputs["y"] == literals.integer(8)
    assert await objects.read(outputs["f"].scalar.blob.uri) == b"data"
    assert not (tmp_path / "attempt" / "error.pb").exists()


async def test_inputs_that_are_not_there_are_the_systems_fault_and_worth_another_attempt(tmp_path: Path) -> None:
    objects = Objects()
    download, _ = await prepared(tmp_path, raw({"x": INT}), objects)
    (tmp_path / "attempt" / "inputs.pb").unlink()
    assert await copilot.run(download, objects) is not None
    found = error(tmp_path)
    assert (found.code, found.origin, found.kind) == (
        "InputDownloadFailed",
        ExecutionError.SYSTEM,
        ContainerError.RECOVERABLE,
    )
    assert "inputs.pb" in found.message


async def test_outputs_that_are_not_there_are_the_tasks_fault(tmp_path: Path) -> None:
    objects = Objects()
    _, upload = await prepared(tmp_path, raw({}, {"y": INT}), objects)
    (tmp_path / "out").mkdir()
    assert await copilot.run(upload, objects) is not None
    found = error(tmp_path)
    assert (found.code, found.origin) == ("OutputUploadFailed", ExecutionError.USER)
    assert "there is no file y" in found.message
    assert not (tmp_path / "attempt" / "outputs.pb").exists()
    (tmp_path / "out" / "_ERROR").write_text("no luck")
    await copilot.run(upload, objects)
    assert (error(tmp_path).code, error(tmp_path).message) == ("USER:ContainerError", "no luck")


async def test_it_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    objects = Objects()
    download, _ = await prepared(tmp_path, raw({"x": INT}), objects, x=1)
    late = Errand("download", download.template, download.output_prefix, download.folder, download.inputs, timeout=0)
    assert await copilot.run(late, objects) is not None
    assert (error(tmp_path).code, error(tmp_path).origin) == ("InputDownloadFailed", ExecutionError.SYSTEM)
    assert "it took longer than 0 s" in error(tmp_path).message


async def test_damaged_files_are_no_reason_to_try_again(tmp_path: Path) -> None:
    objects = Objects()
    download, _ = await prepared(tmp_path, raw({"x": INT}), objects, x=1)
    (tmp_path / "attempt" / "task.pb").write_bytes(b"\xff\xff")
    assert await copilot.run(download, objects) is not None
    assert error(tmp_path).kind == ContainerError.NON_RECOVERABLE
    assert "task.pb" in error(tmp_path).message


async def test_when_not_even_the_error_can_be_written_the_exit_code_says_so(tmp_path: Path) -> None:
    errand = Errand("upload", "nowhere://x", "nowhere://y", str(tmp_path), raw_prefix="nowhere://z")
    with pytest.raises(DataError):
        await copilot.run(errand, Objects())
    with pytest.raises(SystemExit) as caught:
        copilot.main(errand.words())
    assert "nowhere" in str(caught.value.code)


@pytest.mark.parametrize(
    "errand",
    [
        Errand("download", "s3://b/t", "s3://b/o", "/in", inputs="s3://b/i", seen="/x", timeout=5),
        Errand("upload", "s3://b/t", "s3://b/o", "/out", raw_prefix="s3://b/r"),
    ],
)
def test_a_command_line_says_all_of_an_errand(errand: Errand) -> None:
    assert copilot.read(errand.words()) == errand


def test_a_command_line_that_says_too_little_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        copilot.main(["upload", "--template", "t"])
    assert caught.value.code == 2
    assert "--raw-prefix" in capsys.readouterr().err

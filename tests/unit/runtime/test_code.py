from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.data.bundle import pack
from alula.data.stores import Objects
from alula.errors import TaskFailure
from alula.runtime.code import install, prepare


@pytest.fixture(autouse=True)
def undone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    yield
    os.environ.pop("PYTHONPATH", None)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "sent_along.py").write_text("NAME = 'sent'")
    return pack(tmp_path / "src", tmp_path / "bundles").path


def test_a_bundle_comes_first_for_this_interpreter_and_those_that_it_starts(bundle: Path, tmp_path: Path) -> None:
    prepare(str(bundle), "", Objects(), os.environ)
    assert sys.path[0] == str(tmp_path / "here")
    assert os.environ["PYTHONPATH"] == f"{tmp_path / 'here'}{os.pathsep}/somewhere"
    assert (tmp_path / "here" / "sent_along.py").exists()


def test_where_nothing_can_be_written_the_code_gets_a_directory_of_its_own(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    prepare(str(bundle), "", Objects(), os.environ)
    assert Path.cwd() != Path("/")
    assert (Path(sys.path[0]) / "sent_along.py").exists()
    assert sys.path[0] == str(Path.cwd())


def test_a_destination_is_obeyed(bundle: Path, tmp_path: Path) -> None:
    prepare(str(bundle), str(tmp_path / "there"), Objects(), os.environ)
    assert (tmp_path / "there" / "sent_along.py").exists()


def test_without_a_bundle_the_working_directory_is_looked_in(tmp_path: Path) -> None:
    prepare("", "", Objects(), os.environ)
    assert str(tmp_path / "here") in sys.path
    assert os.environ["PYTHONPATH"] == "/somewhere"


def test_a_missing_bundle_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match="is not there") as caught:
        prepare(str(tmp_path / "none.tar.gz"), "", Objects(), os.environ)
    assert caught.value.code == "USER:CodeBundleMissing"
    assert not caught.value.recoverable


def test_a_bundle_that_is_not_what_its_name_says_is_refused(bundle: Path, tmp_path: Path) -> None:
    other = pack(tmp_path / "bundles", tmp_path / "more").path
    bundle.write_bytes(other.read_bytes())
    with pytest.raises(TaskFailure, match=f"refused: .*{bundle.name[:64]} was expected") as caught:
        prepare(str(bundle), str(tmp_path / "there"), Objects(), os.environ)
    assert caught.value.code == "USER:CodeBundleRefused"
    assert not (tmp_path / "there").exists()


def test_packages_that_cannot_be_installed_say_why() -> None:
    with pytest.raises(TaskFailure, match="could not be installed") as caught:
        install(["--no-such-option"])
    assert caught.value.code == "USER:RuntimePackages"

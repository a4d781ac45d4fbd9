from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alula.errors import ConfigError
from alula.sdk.image_builder import context
from alula.sdk.image_spec import CopyFileDetection, ImageSpec


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("1")
    (tmp_path / "src" / "__pycache__").mkdir()
    (tmp_path / "src" / "__pycache__" / "train.pyc").write_text("x")
    (tmp_path / "requirements.txt").write_text("pandas==2\n")
    return tmp_path


def test_each_field_has_its_step() -> None:
    spec = ImageSpec(
        base_image="base:1",
        python_version="3.12",
        python_exec="/usr/local/bin/python3",
        env={"A": "1"},
        apt_packages=["git"],
        conda_packages=["gdal"],
        conda_channels=["conda-forge"],
        requirements="requirements.txt",
        packages=["polars"],
        pip_index="https://example.org/simple",
        pip_extra_index_url=["https://example.org/more"],
        pip_extra_args="--pre --only-binary ':all:'",
        copy=["src/train.py"],
        commands=["touch /made"],
        entrypoint=[],
    )
    made = context(spec)
    text = made.dockerfile
    for word in (
        "FROM base:1",
        'ENV A="1"',
        '"git"',
        '"--channel", "conda-forge", "gdal"',
        '"/usr/local/bin/python3", "-c"',
        "COPY requirements.txt",
        '"polars"',
        '"--index-url", "https://example.org/simple", "--extra-index-url", "https://example.org/more", "--pre"',
        '"--only-binary", ":all:"',
        "touch /made",
        "ENTRYPOINT []",
        f'_F_IMG_ID="{spec.id}"',
    ):
        assert word in text
    assert made.requirements == b"pandas==2\n"
    assert list(made.files) == ["src/train.py"]


def test_the_default_base_has_the_python_that_is_asked_for() -> None:
    assert context(ImageSpec(python_version="3.13")).recipe.base == "python:3.13-slim"


def test_images_for_python_get_alula_and_others_do_not() -> None:
    assert context(ImageSpec(base_image="base:1", packages=["pandas"])).wheel
    assert context(ImageSpec()).wheel
    assert not context(ImageSpec(base_image="base:1", commands=["true"])).wheel


def test_sources_are_those_that_are_loaded_or_all(directory: Path) -> None:
    everything = ImageSpec(source_root="src", source_copy_mode=CopyFileDetection.ALL)
    assert list(context(everything).files) == ["train.py"]
    assert not context(ImageSpec(source_root="src")).files
    assert not context(ImageSpec(source_root="src", source_copy_mode=CopyFileDetection.NO_COPY)).files


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cuda": "12"}, "parts of a base image"),
        ({"cudnn": "8"}, "parts of a base image"),
        ({"python_version": "three"}, "python_version='three'"),
        ({"conda_packages": ["x"]}, "need a base_image that has conda"),
        ({"conda_channels": ["x"], "base_image": "b:1"}, "without conda_packages"),
        ({"pip_secret_mounts": [("a", "b")]}, "would leave them in the image"),
        ({"builder_config": {"a": 1}}, "is for other builders"),
        ({"builder_options": {"speed": 1}}, "builder_options has no 'speed'; there are network, pull"),
        ({"builder_options": {"pull": "yes"}}, "builder_options['pull'] is 'yes', and no bool"),
        ({"packages": ["./x.whl"]}, "'./x.whl' is no package of an index"),
        ({"packages": ["--pre"]}, "'--pre' is no package"),
        ({"copy": ["/etc/passwd"]}, "no path below the working directory"),
        ({"copy": ["../x"]}, "no path below the working directory"),
        ({"copy": ["nothing"]}, "'nothing' does not exist"),
        ({"source_root": "nowhere"}, "is no directory"),
        ({"requirements": "uv.lock"}, "uv export"),
        ({"requirements": "none.txt"}, "cannot be read"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_way_out(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        context(ImageSpec(**fields))
    assert said in caught.value.what


def test_all_faults_are_told_at_once(directory: Path) -> None:
    (directory / "requirements.txt").write_text("pandas\n-r more.txt\n./here\n")
    with pytest.raises(ConfigError) as caught:
        context(ImageSpec(cuda="12", copy=["/x"], requirements="requirements.txt"))
    for said in ("cuda", "'/x'", "requirements.txt:2", "requirements.txt:3"):
        assert said in caught.value.what

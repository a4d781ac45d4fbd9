from __future__ import annotations

import copy
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from alula.errors import CallError, ConfigError, PluginError, RemoteError
from alula.sdk.image_spec import CopyFileDetection, ImageBuildEngine, ImageSpec, ImageSpecBuilder


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_F_IMG_ID", "FLYTE_INTERNAL_EXECUTION_ID", "FLYTE_FORCE_PUSH_IMAGE_SPEC", "FLYTE_IMG_FAST_FAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ImageBuildEngine, "builders", {})
    monkeypatch.setattr(ImageBuildEngine, "built", {})


class Recorder(ImageSpecBuilder):
    """Builds what is not in `there`, and says under which name."""

    def __init__(self, there: bool | None = False, real: str | None = None) -> None:
        self.there, self.real, self.asked = there, real, list[str]()

    def should_build(self, image_spec: ImageSpec) -> bool:
        return not self.there or image_spec.forced

    def build_image(self, image_spec: ImageSpec) -> str | None:
        self.asked.append(image_spec.name)
        return self.real


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str) -> Path:
    """A command `docker` that notes its arguments, says `message` and ends with `code`."""
    script = folder / "docker"
    script.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\necho "{message}" >&2\nexit {code}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder / "asked"


def test_a_name_has_registry_name_and_a_tag_of_the_content() -> None:
    spec = ImageSpec(name="Train", registry="GHCR.io/me", packages=["pandas"])
    assert re.fullmatch(r"ghcr\.io/me/train:[0-9a-f]{24}", spec.image_name())
    assert ImageSpec(name="x").image_name().startswith("x:")
    assert spec.platform == "linux/amd64"


def test_equal_specs_are_one_image_and_others_are_not() -> None:
    spec = ImageSpec(packages=["pandas"], env={"A": "1", "B": "2"})
    same = ImageSpec(packages=["pandas"], env={"B": "2", "A": "1"})
    assert spec == same
    assert hash(spec) == hash(same)
    assert spec.tag == same.tag
    for other in (ImageSpec(packages=["polars"]), ImageSpec(cuda="12"), ImageSpec(base_image=spec)):
        assert other != spec
        assert other.tag != spec.tag


def test_what_is_not_inside_the_image_does_not_change_its_tag() -> None:
    spec = ImageSpec(packages=["pandas"])
    other = ImageSpec(
        packages=["pandas"],
        builder="x",
        runtime_packages=["numpy"],
        pip_secret_mounts=[("a", "b")],
        registry_config="c",
    )
    assert other.tag == spec.tag
    assert other.id == spec.id


def test_a_changed_base_changes_the_image() -> None:
    tags = {ImageSpec(base_image=ImageSpec(name="base", packages=[package])).tag for package in ("a", "b")}
    assert len(tags) == 2


def test_the_content_of_the_requirements_counts_and_not_their_name(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("pandas")
    two.write_text("pandas")
    tag = ImageSpec(requirements=str(one)).tag
    one.write_text("polars")
    assert ImageSpec(requirements=str(one)).tag != tag
    with pytest.raises(ConfigError, match="cannot be read"):
        _ = ImageSpec(requirements=str(tmp_path / "no.txt")).tag


def test_copied_files_count_and_caches_do_not(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1")
    spec = ImageSpec(copy=[str(tmp_path / "src")])
    tag = spec.tag
    (tmp_path / "src" / "__pycache__").mkdir()
    (tmp_path / "src" / "__pycache__" / "a.pyc").write_text("x")
    assert spec.tag == tag
    (tmp_path / "src" / "a.py").rename(tmp_path / "src" / "b.py")
    assert spec.tag != tag


def test_loaded_modules_are_the_sources_unless_all_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_by_this_test.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("imported_by_this_test")
    loaded = ImageSpec(source_root=str(tmp_path))
    whole = ImageSpec(source_root=str(tmp_path), source_copy_mode=CopyFileDetection.ALL)
    none = ImageSpec(source_root=str(tmp_path), source_copy_mode=CopyFileDetection.NO_COPY)
    assert loaded.source_copy_mode is CopyFileDetection.LOADED_MODULES
    before = loaded.tag, whole.tag, none.tag
    (tmp_path / "data.txt").write_text("2")
    assert (loaded.tag == before[0], whole.tag == before[1], none.tag == before[2]) == (True, False, True)
    (tmp_path / "imported_by_this_test.py").write_text("x = 2")
    assert (loaded.tag == before[0], none.tag == before[2]) == (False, True)
    del sys.modules["imported_by_this_test"]


def test_copying_sources_needs_a_place_to_copy_from() -> None:
    with pytest.raises(ConfigError, match="needs a source_root"):
        _ = ImageSpec(source_copy_mode=CopyFileDetection.ALL).tag


def test_a_tag_can_have_a_form() -> None:
    assert ImageSpec(tag_format="{spec_hash}-dev").tag.endswith("-dev")


def test_with_methods_return_another_spec() -> None:
    spec = ImageSpec(packages=["a"])
    more = spec.with_packages("b").with_packages(["c"]).with_apt_packages("git").with_commands(["ls"]).with_copy("x")
    more = more.with_runtime_packages(["d"]).with_builder_options({"k": 1})
    assert spec.packages == ["a"]
    assert (more.packages, more.apt_packages, more.commands) == (["a", "b", "c"], ["git"], ["ls"])
    assert (more.copy, more.runtime_packages, more.builder_options) == (["x"], ["d"], {"k": 1})


def test_a_spec_does_not_change() -> None:
    with pytest.raises(AttributeError):
        ImageSpec().name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"packages": "pandas"}, "packages='pandas' is no list of str"),
        ({"commands": [1]}, "commands="),
        ({"registry": "https://x"}, "registry='https://x'"),
        ({"pip_secret_mounts": [("a",)]}, "pip_secret_mounts"),
        ({"builder_options": []}, "builder_options"),
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(CallError, match=re.escape(words)):
        ImageSpec(**fields)


def test_from_env_pins_what_is_installed() -> None:
    spec = ImageSpec.from_env(name="x", packages=["a"], pinned_packages=["protobuf"])
    assert spec.packages == ["a", f"protobuf=={version('protobuf')}"]
    assert spec.python_version == f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(CallError, match="'no-such-package' is not installed"):
        ImageSpec.from_env(pinned_packages=["no-such-package"])
    with pytest.raises(CallError, match="contradicts from_env"):
        ImageSpec.from_env(python_version="3.9")


def test_an_image_knows_whether_it_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ImageSpec(packages=["pandas"])
    assert spec.is_container(), "outside of containers imports are tried"
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_ID", "f1")
    assert not spec.is_container()
    monkeypatch.setenv("_F_IMG_ID", spec.id)
    assert spec.is_container()
    assert not ImageSpec().is_container()


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (0, "", True),
        (1, "manifest unknown: manifest unknown", False),
        (1, "Error: No such image: x", False),
        (1, "denied: requested access to the resource is denied", None),
    ],
)
def test_docker_is_asked_whether_an_image_exists(
    code: int, message: str, expected: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = docker(tmp_path, monkeypatch, code, message)
    spec = ImageSpec(registry="localhost:30000")
    assert spec.exist() is expected
    assert asked.read_text().strip() == f"manifest inspect {spec.image_name()}"
    local = ImageSpec()
    assert local.exist() is expected
    assert asked.read_text().strip() == f"image inspect {local.image_name()}"


def test_without_docker_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ImageSpec().exist() is None


def test_a_builder_that_nobody_registered_is_named_with_those_that_there_are() -> None:
    ImageBuildEngine.register("mine", Recorder())
    with pytest.raises(PluginError, match="'envd' is registered") as caught:
        ImageBuildEngine.build(ImageSpec(builder="envd"))
    assert "docker, mine" in caught.value.where
    assert "container_image='registry/name:tag'" in caught.value.fix


@pytest.mark.parametrize("name", [None, "docker", "default"])
def test_the_engine_at_hand_builds_where_no_builder_is_registered(
    name: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(RemoteError, match=r"none\.sock does not answer"):
        ImageBuildEngine.build(ImageSpec(builder=name))
    assert set(ImageBuildEngine.get_registry()) == {"docker"}


def test_the_builder_of_highest_priority_serves_base_images_first() -> None:
    low, high = Recorder(), Recorder(real="real/name:1")
    ImageBuildEngine.register("low", low)
    ImageBuildEngine.register("high", high, priority=7)
    spec = ImageSpec(name="top", base_image=ImageSpec(name="base"))
    ImageBuildEngine.build(spec)
    assert (low.asked, high.asked) == ([], ["base", "top"])
    assert spec.image_name() == "real/name:1"
    assert set(ImageBuildEngine.get_registry()) == {"low", "high"}


def test_an_image_that_is_there_is_built_only_when_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Recorder(there=True)
    ImageBuildEngine.register("mine", builder)
    spec = ImageSpec(name="x", builder="mine")
    ImageBuildEngine.build(spec)
    assert builder.asked == []
    ImageBuildEngine.build(copy.deepcopy(spec.force_push()))
    monkeypatch.setenv("FLYTE_FORCE_PUSH_IMAGE_SPEC", "true")
    ImageBuildEngine.build(spec)
    assert builder.asked == ["x", "x"]


def test_an_image_that_nobody_can_look_up_counts_as_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(ImageSpecBuilder):
        def build_image(self, image_spec: ImageSpec) -> str | None:
            raise AssertionError("it must not be built")

    docker(tmp_path, monkeypatch, 1, "denied")
    ImageBuildEngine.register("plain", Plain())
    ImageBuildEngine.build(ImageSpec())
    monkeypatch.setenv("FLYTE_IMG_FAST_FAIL", "TRUE")
    with pytest.raises(ConfigError, match="cannot be told"):
        ImageBuildEngine.build(ImageSpec())


def test_noop_takes_the_base_image_as_it_is() -> None:
    spec = ImageSpec(base_image="me/ready:1", builder="noop").with_runtime_packages(["numpy"])
    ImageBuildEngine.build(spec)
    assert spec.image_name() == "me/ready:1"
    with pytest.raises(CallError, match="noop"):
        ImageBuildEngine.build(ImageSpec(builder="noop"))

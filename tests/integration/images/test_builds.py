"""Builds by a real engine: what is in the image, what is built again, what is said when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.errors import ConfigError, ImageError
from alula.sdk.image_builder import DockerBuilder
from alula.sdk.image_spec import ImageBuildEngine, ImageSpec
from tests.conftest import needs
from tests.integration.images.conftest import Place
from tests.servers.docker import BUSYBOX, Docker
from tests.servers.images import ALULA, PYTHON, wheel
from tests.servers.registry import NoRegistry, Registry, image_registry


@pytest.fixture
def log(here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The log of all builds of a test, which runs in a directory of its own."""
    said: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ImageBuildEngine, "builders", {"docker": (DockerBuilder(said.append), 1)})
    monkeypatch.setattr(ImageBuildEngine, "built", {})
    return said


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    try:
        with image_registry() as found:
            yield found
    except NoRegistry as exc:
        needs("a registry of images", str(exc))


def inside(engine: Docker, spec: ImageSpec, *command: str) -> str:
    return engine.run("run", "--rm", "--network=none", spec.image_name(), *command).strip()


def test_packages_requirements_and_alula_itself_are_installed(engine: Docker, log: list[str], tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    for name in ("first", "second"):
        file, content = wheel(f"alula-test-{name}".replace("-", "_"), "1.0", {f"{name}_of_test": f"NAME = {name!r}\n"})
        (tmp_path / "wheels" / file).write_bytes(content)
    (tmp_path / "requirements.txt").write_text("alula-test-first==1.0  # pinned\n")
    shelf = ImageSpec(name="shelf", base_image=ALULA, copy=["wheels"])
    spec = ImageSpec(
        name="packages",
        base_image=shelf,
        requirements="requirements.txt",
        packages=["alula-test-second"],
        pip_extra_args="--no-index --find-links /root/wheels",
    )
    ImageBuildEngine.build(spec)
    code = "import first_of_test as a, second_of_test as b, alula; print(a.NAME, b.NAME)"
    assert inside(engine, spec, "python", "-c", code) == "first second"
    bare = ImageSpec(name="bare", base_image=PYTHON, packages=["pip"], pip_extra_args="--no-index")
    with pytest.raises(ImageError, match="No matching distribution found for") as caught:
        ImageBuildEngine.build(bare)  # it wants Alula, whose wheel is there, and what that needs is not
    assert "could not be built at Step" in caught.value.what


def test_an_image_is_built_once_for_one_content(engine: Docker, log: list[str], tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("1")
    spec = ImageSpec(name="once", base_image=BUSYBOX, copy=["data.txt"], commands=["cat data.txt > /made"])
    ImageBuildEngine.build(spec)
    assert inside(engine, spec, "cat", "/made") == "1"
    assert [line for line in log if line.startswith("Successfully built")]
    log.clear()
    ImageBuildEngine.builders["docker"] = DockerBuilder(log.append), 1  # another process
    ImageBuildEngine.build(spec)
    assert log == []
    ImageBuildEngine.build(spec.force_push())
    assert [line for line in log if line.startswith("Successfully built")]
    (tmp_path / "data.txt").write_text("2")
    ImageBuildEngine.build(spec)
    assert inside(engine, spec, "cat", "/made") == "2"


def test_an_image_of_that_name_with_other_content_is_built_anew(engine: Docker, log: list[str]) -> None:
    spec = ImageSpec(name="taken", base_image=BUSYBOX, commands=["echo right > /made"])
    engine.run("tag", BUSYBOX, spec.image_name())
    ImageBuildEngine.build(spec)
    assert inside(engine, spec, "cat", "/made") == "right"


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        (
            ImageSpec(base_image=BUSYBOX, commands=["echo one; echo two >&2; exit 3"]),
            ("at Step 3/", "exit code 3", "one", "two"),
        ),
        (ImageSpec(base_image=ALULA, python_version="3.5"), ("the image is to have 3.5",)),
        (ImageSpec(base_image=BUSYBOX, apt_packages=["git"]), ("apt-get: not found",)),
        (ImageSpec(base_image=ALULA, conda_packages=["gdal"]), ("none of micromamba, mamba and conda",)),
        (ImageSpec(base_image="127.0.0.1:1/none:1"), ("at Step 1/", "127.0.0.1:1")),
    ],
    ids=["command", "python", "apt", "conda", "base"],
)
def test_a_failure_shows_its_step_and_the_end_of_the_log(
    engine: Docker, log: list[str], spec: ImageSpec, texts: tuple[str, ...]
) -> None:
    with pytest.raises(ImageError) as caught:
        ImageBuildEngine.build(spec)
    assert not [text for text in texts if text not in caught.value.what], caught.value.what
    assert engine.url in caught.value.where


def test_an_image_with_a_registry_is_pushed_with_the_credentials_of_docker_login(
    engine: Docker, log: list[str], registry: Registry, tmp_path: Path
) -> None:
    spec = ImageSpec(name="pushed", registry=registry.name, base_image=BUSYBOX, commands=["echo x > /made"])
    with pytest.raises(ImageError, match=r"its registry does not take it: .*(no basic auth|unauthorized)") as caught:
        ImageBuildEngine.build(spec)
    assert f"docker login {registry.name}" in caught.value.fix
    (tmp_path / "mine").mkdir()
    config = str(registry.login(tmp_path / "mine"))
    known = ImageSpec(
        name="pushed",
        registry=registry.name,
        base_image=BUSYBOX,
        commands=["echo x > /made"],
        registry_config=config,
    )
    ImageBuildEngine.build(known)
    assert registry.tags("pushed") == [known.tag]
    engine.run("rmi", known.image_name())
    log.clear()
    ImageBuildEngine.builders["docker"] = DockerBuilder(log.append), 1
    ImageBuildEngine.build(known)  # the registry has it, so nothing is built
    assert log == []
    with pytest.raises(ConfigError, match=r"is no config\.json"):
        ImageBuildEngine.build(ImageSpec(name="other", registry=registry.name, registry_config="nowhere"))


def test_alula_image_build_makes_all_images_of_a_program(place: Place) -> None:
    place.write(
        "program.py",
        f"from alula import ImageSpec, task\none = ImageSpec(name='one', base_image='{BUSYBOX}')\n"
        f"@task(container_image=ImageSpec(name='two', base_image='{BUSYBOX}'))\ndef t() -> int:\n    return 1\n",
    )
    said = place.alula("image", "build", "program.py")
    assert said.code == 0, said
    names = said.out.split()
    assert sorted(name.partition(":")[0] for name in names) == ["one", "two"]
    assert all(place.engine.has(name) for name in names)
    again = place.alula("image", "build", "program.py", "t")
    assert again.out.split() == [name for name in names if name.startswith("two")]
    assert "is there already" in again.err
    shown = place.alula("image", "build", "--dockerfile", "program.py")
    assert shown.out.count(f"FROM {BUSYBOX}") == 2
    place.write("none.py", "from alula import task\n@task\ndef t() -> int:\n    return 1\n")
    place.fails(["image", "build", "none.py"], "names no image to build", "container_image=ImageSpec")
    place.more["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    place.fails(["image", "build", "--force", "program.py"], "/nowhere/docker.sock", "alula doctor")

from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path

import pytest

from alula import ImageSpec, dynamic, task, workflow
from alula.client.shipping import Copy, Shipping, image_config, ship
from alula.client.submission import submission
from alula.config import Config
from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.idl.admin import TaskSpec
from alula.runtime.surroundings import settings
from alula.sdk.compiler import PASSED_ON
from alula.sdk.local import place_at
from alula.serve.code import Code

IMAGES = {"default": "ghcr.io/me/base:1", "gpu": "ghcr.io/me/gpu@sha256:abc"}


@task
def plain(x: int) -> int:
    return x


@task(container_image="{{.image.gpu}}")
def gpu(x: int) -> int:
    return x


LATE = ImageSpec(name="late", base_image="b:1", builder="noop", runtime_packages=["a==1", "b"])


@task(container_image=LATE)
def late(x: int) -> int:
    return x


@dynamic
def made(x: int) -> int:
    return plain(x=x)


@workflow
def wf(x: int) -> int:
    made(x=x)
    return gpu(x=plain(x=x))


@workflow
def overridden(x: int) -> int:
    return plain(x=x).with_overrides(container_image=ImageSpec(base_image="over:1", builder="noop"))


def specs_of(entity: object, prefix: Path, shipping: Shipping) -> dict[str, TaskSpec]:
    found = submission(
        entity,  # type: ignore[arg-type]
        project="p",
        domain="d",
        place=place_at(str(prefix), Objects()),
        module=__name__,
        shipping=shipping,
    )
    return {spec.template.id.name.rpartition(".")[2]: spec for spec in found.specs.tasks}


def shipping(prefix: Path, copy: Copy = Copy.AUTO, **contained: bool) -> Shipping:
    where = {name.replace("_", "-"): value for name, value in contained.items()}
    return Shipping(copy, IMAGES, where, str(prefix / ".code"))


def test_tasks_in_containers_get_an_image_and_their_code_and_others_neither(tmp_path: Path) -> None:
    specs = specs_of(wf, tmp_path, shipping(tmp_path, python_task=True))
    container = specs["plain"].template.container
    assert container.image == IMAGES["default"]
    assert specs["gpu"].template.container.image == IMAGES["gpu"]
    first, option, bundle, dashes, then, *_ = container.args
    assert (first, option, dashes, then) == (
        "alula-fast-execute",
        "--additional-distribution",
        "--",
        "alula-execute",
    )
    with tarfile.open(bundle) as archive:
        assert "tests/unit/client/test_shipping.py" in archive.getnames()
    local = specs_of(wf, tmp_path / "other", shipping(tmp_path / "other"))
    assert local["plain"].template.container.args[0] == "alula-execute"
    assert not local["plain"].template.container.image
    assert not (tmp_path / "other" / ".code").exists()


def test_without_copy_the_image_has_the_code(tmp_path: Path) -> None:
    specs = specs_of(wf, tmp_path, shipping(tmp_path, Copy.NONE, python_task=True))
    assert specs["plain"].template.container.args[0] == "alula-execute"
    assert specs["plain"].template.container.image == IMAGES["default"]


def test_other_images_are_another_version(tmp_path: Path) -> None:
    one = specs_of(plain, tmp_path, shipping(tmp_path, python_task=True))
    two = specs_of(plain, tmp_path, Shipping(Copy.AUTO, {"default": "x:2"}, {"python-task": True}, f"{tmp_path}/.code"))
    again = specs_of(plain, tmp_path, shipping(tmp_path, python_task=True))
    assert one["plain"].template.id.version != two["plain"].template.id.version
    assert one["plain"] == again["plain"]


def test_a_node_may_have_an_image_of_its_own(tmp_path: Path) -> None:
    found = submission(
        overridden,
        project="p",
        domain="d",
        place=place_at(str(tmp_path), Objects()),
        module=__name__,
        shipping=shipping(tmp_path, python_task=True),
    )
    [spec] = found.specs.workflows
    assert spec.template.nodes[0].task_node.overrides.container_image == "over:1"


def test_packages_for_the_start_of_a_container_are_said_in_a_variable(tmp_path: Path) -> None:
    specs = specs_of(late, tmp_path, shipping(tmp_path, python_task=True))
    environ = {pair.key: pair.value for pair in specs["late"].template.container.env}
    assert environ["_F_RUNTIME_PACKAGES"] == "a==1 b"


def test_dynamic_tasks_know_the_images_of_what_they_may_call(tmp_path: Path) -> None:
    specs = specs_of(made, tmp_path, shipping(tmp_path, python_task=True))
    [passed] = [pair.value for pair in specs["made"].template.container.env if pair.key == PASSED_ON]
    found = settings({PASSED_ON: passed}, place_at(str(tmp_path), Objects()))
    assert found.image_config is not None
    assert found.image_config.resolve(LATE, builds=False) == "b:1"
    assert found.image_config.resolve(None) == IMAGES["default"]
    assert found.bundle is not None
    assert found.in_container("python-task")


def test_a_task_without_any_image_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no default image") as caught:
        specs_of(plain, tmp_path, Shipping(contained={"": True}, prefix=str(tmp_path)))
    assert "--image registry/name:tag" in caught.value.fix


def test_equal_code_is_sent_once(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1")
    (tmp_path / "src" / "notes.txt").write_text("n")
    code = Code("python", str(tmp_path / "src"), "a", {"a.py": ""}, "a.py")
    objects, prefix = Objects(), str(tmp_path / "code")
    uri = ship(code, Copy.AUTO, objects, prefix)
    before = Path(uri).stat().st_mtime_ns
    assert ship(code, Copy.AUTO, objects, prefix) == uri
    assert Path(uri).stat().st_mtime_ns == before
    everything = ship(code, Copy.ALL, objects, prefix)
    with tarfile.open(everything) as archive:
        assert archive.getnames() == ["a.py", "notes.txt"]
    with pytest.raises(ConfigError, match="in no file"):
        ship(Code("python", str(tmp_path), "a", {}), Copy.AUTO, objects, prefix)
    assert asyncio.run(objects.exists(uri))


def test_settings_and_the_command_line_name_images_and_where_tasks_run(tmp_path: Path) -> None:
    config = Config(
        data=str(tmp_path),
        images={"default": "a:1", "gpu": "b:1"},
        backends={"routes": {"python-task": "docker", "slurm": "slurm", "sidecar": "pod"}},
    )
    found = Shipping.of(config, copy="all", images=["localhost:5000/x=y:2", "gpu=c:3"])
    assert found.images == {"default": "localhost:5000/x=y:2", "gpu": "c:3"}
    assert found.copy is Copy.ALL
    assert found.contained == {"python-task": True, "slurm": False, "sidecar": True}
    assert found.prefix == f"{tmp_path}/.code"
    assert not Shipping.of(Config(data=str(tmp_path))).needed
    everything = Shipping.of(Config(data=str(tmp_path), backends={"docker": {"user_containers": True}}))
    assert everything.contained[""] is True


def test_images_by_name_are_found_by_tasks() -> None:
    found = image_config({"gpu": "localhost:5000/gpu:7"})
    assert found is not None
    assert found.resolve("{{.image.gpu}}") == "localhost:5000/gpu:7"
    assert found.default_image is None
    assert image_config({}) is None


def test_settings_of_plugins_that_run_no_python_change_no_version(tmp_path: Path) -> None:
    home = str(tmp_path)
    sections = [{}, {"slurm": {"timeout": 3.0}}, {"docker": {}}]
    shipping = [Shipping.of(Config(home=tmp_path, data=home, backends=one)) for one in sections]
    assert [one.needed for one in shipping] == [False, False, False]

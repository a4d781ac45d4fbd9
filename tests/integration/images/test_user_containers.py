"""Python tasks in containers: the code in the image, or sent along; and what is said when it goes wrong."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from tests.integration.images.conftest import Place
from tests.servers.images import ALULA, PYTHON

pytestmark = pytest.mark.timeout(300)  # several commands with containers each
FLOWS = f'''
import os, sys
from pathlib import Path
from alula import ImageSpec, dynamic, map_task, task, workflow
import helper

image = ImageSpec(
    name="flows", base_image="{ALULA}", commands=["echo made > /made"], env={{"KIND": 'a "b" $HOME'}}
)

@task(container_image=image)
def where(x: int) -> str:
    made = Path("/made").read_text().strip()
    return f"{{x}} {{made}} {{os.environ['KIND']}} {{helper.greet()}} {{image.is_container()}}"

@task(container_image=image)
def double(x: int) -> int:
    return 2 * x

@dynamic(container_image=image)
def both(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]

@workflow
def wf(x: int = 3) -> tuple[str, list[int], list[int]]:
    return where(x=x), both(n=2), map_task(double)(x=[1, 2])
'''
PLAIN = f'''
from alula import task

@task(container_image="{ALULA}")
def fails(x: int) -> int:
    raise ValueError(f"no {{x}} for me")

@task(container_image="{PYTHON}")
def bare(x: int) -> int:
    return x

@task
def default(x: int) -> str:
    import lazily
    return f"{{lazily.NAME}} {{x}}"
'''


def test_a_workflow_runs_in_the_image_that_it_says_with_its_code_sent_along(place: Place) -> None:
    place.write("flows.py", FLOWS)
    place.write("helper.py", "def greet() -> str:\n    return 'hello'\n")
    first = place.run("flows.py", "wf", "-o", "json")
    assert '3 made a \\"b\\" $HOME hello True' in first.out
    assert "[\n    0,\n    2\n  ]" in first.out or "[0, 2]" in first.out
    assert "Step 3/" in first.err  # the build is shown
    [bundle] = (place.root / "home" / "data" / ".code").iterdir()
    with tarfile.open(bundle) as archive:
        assert archive.getnames() == ["flows.py", "helper.py"]  # the modules of the program, and nothing else
    place.write("helper.py", "def greet() -> str:\n    return 'good morning'\n")
    second = place.run("flows.py", "where", "--x", "4")
    assert "good morning" in second.out  # the change went along
    assert "Step" not in second.err  # and the image was there
    assert place.engine.containers() == []


def test_failures_say_what_is_wrong_and_where(place: Place) -> None:
    place.write("plain.py", PLAIN)
    place.fails(["run", "plain.py", "fails", "--x", "1"], "ValueError: no 1 for me", "in fails", "plain.py:6")
    place.fails(["run", "plain.py", "bare", "--x", "1"], f"the image {PYTHON} has no Alula", "ImageSpec(base_image=")
    place.fails(["run", "plain.py", "default", "--x", "1"], "no default image", "--image registry/name:tag", "[images]")
    place.fails(
        ["run", "--image", ALULA, "plain.py", "default", "--x", "1"], "No module named 'lazily'"
    )  # only what is loaded goes along
    place.write("lazily.py", "NAME = 'lazy'\n")
    said = place.run("--image", ALULA, "--copy", "all", "plain.py", "default", "--x", "1")
    assert "lazy 1" in said.out


def test_the_code_may_be_in_the_image(place: Place) -> None:
    place.write("plain.py", PLAIN)
    place.write("lazily.py", "NAME = 'from the image'\n")
    place.write(
        "images.py",
        f"from alula import ImageSpec\nbaked = ImageSpec(name='baked', base_image='{ALULA}', "
        "copy=['plain.py', 'lazily.py'])\n",
    )
    built = place.alula("image", "build", "images.py")
    assert built.code == 0, built
    image = built.out.strip()
    place.write("lazily.py", "NAME = 'from here'\n")
    said = place.run("--copy", "none", "--image", image, "plain.py", "default", "--x", "2")
    assert "from the image 2" in said.out
    assert not (place.root / "home" / "data" / ".code").exists()


def test_a_bundle_that_is_gone_or_was_tampered_with_is_refused(place: Place) -> None:
    place.write("plain.py", PLAIN)
    place.write("lazily.py", "NAME = 'lazy'\n")
    place.run("--image", ALULA, "--copy", "all", "--name", "first", "plain.py", "default", "--x", "1")
    [bundle] = (place.root / "home" / "data" / ".code").iterdir()
    bundle.unlink()
    place.fails(["rerun", "first"], "the bundle with the code of the task is not there", bundle.name, "anew")
    for archive, why in ((_escaping(), "outside of the archive's own directory"), (_harmless(), "was expected")):
        bundle.write_bytes(archive)
        place.fails(["rerun", "first"], "the bundle with the code of the task is refused", why)


def _escaping() -> bytes:
    return _archive({"../../etc/evil": b"x"})


def _harmless() -> bytes:
    return _archive({"plain.py": b"print('not yours')"})


def _archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb") as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()

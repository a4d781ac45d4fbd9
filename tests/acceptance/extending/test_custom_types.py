"""Case 1: a type of your own, a group of files that belong together. It crosses processes and containers."""

from __future__ import annotations

import pytest

from tests.integration.images.conftest import Place
from tests.servers.images import ALULA

pytestmark = pytest.mark.timeout(300)  # several commands with containers each
TYPE = '''
import tempfile
from pathlib import Path
from typing import Any

from alula import TypeTransformer, types
from alula.data import uris
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.types import Place, Types


class Album:
    """Pictures that belong together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def titles(self) -> list[str]:
        return sorted(path.stem for path in self.folder.iterdir())


class AlbumTransformer(TypeTransformer[Album]):
    python_type = Album

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.STRING)

    async def to_literal(self, value: Album, t: Any, at: Place) -> Literal:
        uri = at.new_uri()
        await at.objects.upload(value.folder, uri)
        return literals.string(uri)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Album:
        folder = Path(tempfile.mkdtemp()) / "album"
        await at.objects.download(lit.scalar.primitive.string_value, folder)
        return Album(folder)


types.register(AlbumTransformer())
'''
PROGRAM = f'''
import tempfile
from pathlib import Path

from album import Album
from alula import task, workflow


@task
def shoot(names: list[str]) -> Album:
    folder = Path(tempfile.mkdtemp())
    for name in names:
        (folder / f"{{name}}.png").write_bytes(b"png")
    return Album(folder)


@task(container_image="{ALULA}")
def titles(album: Album) -> list[str]:
    return album.titles


@workflow
def wf(names: list[str]) -> list[str]:
    return titles(album=shoot(names=names))
'''


def test_a_group_of_files_is_a_type_in_workers_and_in_containers(place: Place) -> None:
    place.write("album.py", TYPE)
    place.write("flows.py", PROGRAM)
    words = ("flows.py", "wf", "--names", '["sea", "dawn"]', "-o", "json")
    contained = place.run("--image", ALULA, *words)
    assert contained.out.split() == ["[", '"dawn",', '"sea"', "]"]
    place.write("alula.toml", "")
    assert place.run(*words).out == contained.out

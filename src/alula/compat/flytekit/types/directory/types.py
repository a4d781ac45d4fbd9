"""`FlyteDirectory`: a directory, with flytekit's names for what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from alula.compat.declared import show_as
from alula.compat.flytekit.core.type_engine import LentTransformer
from alula.compat.flytekit.types.file.file import FlyteFile, Later
from alula.compat.names import mirror
from alula.types.directories import Directory


class FlyteDirectory(Later, Directory[str]):
    """A directory, wherever it is stored. See `alula.Directory`.

    Args:
        path: A local path, or a URI of what is stored already.
        downloader: Called before the directory is first used by its path.
        remote_directory: Where to upload it to; False: nowhere.
    """

    __slots__ = ("_downloader", "_later")

    def __init__(
        self, path: Any, downloader: Callable[[], Any] | None = None, remote_directory: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(path, remote_path=kwargs.pop("remote_path", remote_directory), **kwargs)
        self._downloader = downloader
        if downloader is not None:
            self._local = None

    @property
    def remote_directory(self) -> Any:
        return self.remote_path

    @property
    def sep(self) -> str:
        return "/"

    def new_file(self, name: str | None = None) -> FlyteFile:
        return _as(FlyteFile, super().new_file(name))  # type: ignore[no-any-return]

    def new_dir(self, name: str | None = None) -> FlyteDirectory:
        return _as(FlyteDirectory, super().new_dir(name))  # type: ignore[no-any-return]

    @staticmethod
    def listdir(directory: Directory[Any]) -> list[Any]:  # type: ignore[override]
        """The files and directories in one, without fetching them: `FlyteDirectory.listdir(d)`."""
        found = Directory.listdir(directory)
        return [_as(FlyteDirectory if isinstance(each, Directory) else FlyteFile, each) for each in found]

    def crawl(self, maxdepth: int | None = None, topdown: bool = True, **kwargs: Any) -> Iterator[Any]:
        found = list(super().crawl(maxdepth))
        return iter(found if topdown else reversed(found))


def _as(cls: Any, found: Any) -> Any:
    return cls.from_source(found.uri, objects=found._objects) if found.uri is not None else cls(found.source)


class FlyteDirToMultipartBlobTransformer(LentTransformer):
    serves = FlyteDirectory


show_as(Directory, FlyteDirectory)
__getattr__, __dir__ = mirror(__name__, {})

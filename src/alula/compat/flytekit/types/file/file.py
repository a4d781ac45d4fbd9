"""`FlyteFile`: a file, with flytekit's names for what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from alula._kits import bridge
from alula.compat.declared import show_as
from alula.compat.flytekit.core.type_engine import LentTransformer
from alula.compat.names import mirror
from alula.data import uris
from alula.data.workspace import workspace
from alula.types.files import File


def noop() -> None: ...


class Later:
    """What `FlyteFile` and `FlyteDirectory` do otherwise than Alula's: their `path` fetches nothing.

    What is stored on another machine is fetched to that path when it is opened, downloaded, or asked for its path by
    `os.fspath`.
    """

    __slots__ = ()

    @property
    def path(self: Any) -> Any:
        """A path on this machine."""
        return self._target() if self._local is None and _elsewhere(self.uri) else super().path  # type: ignore[misc]

    def download(self: Any) -> Any:
        return super().path  # type: ignore[misc]

    def __fspath__(self: Any) -> Any:
        return super().path  # type: ignore[misc]

    def __str__(self) -> str:
        return str(self.path)

    def _target(self: Any) -> str:
        if not getattr(self, "_later", ""):
            self._later = str(workspace().new_path(uris.name(self.uri or "")))
        return str(self._later)

    def _fetch(self: Any) -> Any:
        if getattr(self, "_downloader", noop) not in (noop, None):
            self._downloader()
            return self.source
        if _elsewhere(self.uri):
            bridge.run(self.objects.download(self.uri, Path(self._target())))
            return self._target()
        return super()._fetch()  # type: ignore[misc]

    def to_dict(self: Any, **kwargs: Any) -> dict[str, Any]:
        fields: dict[str, Any] = self._as_field()
        return fields

    def to_json(self, **kwargs: Any) -> str:
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        made: Self = cls._of_field(data)  # type: ignore[attr-defined]
        return made

    @classmethod
    def from_json(cls, data: str, **kwargs: Any) -> Self:
        return cls.from_dict(json.loads(data))


class FlyteFile(Later, File[str]):
    """One file, wherever it is stored. See `alula.File`.

    Args:
        path: A local path, or a URI of what is stored already.
        downloader: Called before the file is first used by its path.
        remote_path: Where to upload it to; False: nowhere.
        metadata: Free words that travel with it.
    """

    __slots__ = ("_downloader", "_later")

    def __init__(
        self,
        path: Any,
        downloader: Callable[[], Any] = noop,
        remote_path: Any = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(path, remote_path=remote_path, metadata=metadata)
        self._downloader = downloader
        if downloader is not noop:
            self._local = None

    def open(self, mode: str = "r", cache_type: Any = None, cache_options: Any = None, **kwargs: Any) -> Any:
        """A stream. See `alula.File.open`; how much is read ahead is Alula's business."""
        return super().open(mode, **kwargs)


class FlyteFilePathTransformer(LentTransformer):
    serves = FlyteFile


def _elsewhere(uri: str | None) -> bool:
    """Whether something is stored on another machine."""
    return uri is not None and "://" in uri and not uri.startswith(("file://", "memory://"))


show_as(File, FlyteFile)
__getattr__, __dir__ = mirror(__name__, {})

"""`FlyteFile`: a file, with flytekit's names for what it does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from alula.compat.declared import show_as
from alula.compat.flytekit.core.type_engine import LentTransformer
from alula.compat.names import mirror
from alula.types.files import File


def noop() -> None: ...


class FlyteFile(File[str]):
    """One file, wherever it is stored. See `alula.File`.

    Args:
        path: A local path, or a URI of what is stored already.
        downloader: Called before the file is first used by its path.
        remote_path: Where to upload it to; False: nowhere.
        metadata: Free words that travel with it.
    """

    __slots__ = ("_downloader",)

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

    def _fetch(self) -> str:
        if getattr(self, "_downloader", noop) is noop:
            return super()._fetch()
        self._downloader()
        return self.source

    def __str__(self) -> str:
        return self.source if self.uri is None else self.path

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        return self._as_field()

    def to_json(self, **kwargs: Any) -> str:
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> FlyteFile:
        return cls._of_field(data)

    @classmethod
    def from_json(cls, data: str, **kwargs: Any) -> FlyteFile:
        return cls.from_dict(json.loads(data))

    def __fspath__(self) -> str:
        return os.fspath(self.path)


class FlyteFilePathTransformer(LentTransformer):
    serves = FlyteFile


show_as(File, FlyteFile)
__getattr__, __dir__ = mirror(__name__, {})

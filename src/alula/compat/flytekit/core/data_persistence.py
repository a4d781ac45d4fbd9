"""`FileAccessProvider`: files by path and URI, as custom types and plugins of flytekit move them."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from alula._kits import bridge, lazy
from alula.compat.names import mirror
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.data.workspace import Workspace, workspace

fsspec = lazy.module("fsspec")


class FileAccessProvider:
    """Moves files between this machine and the store of a workspace.

    Args:
        local_sandbox_dir: Local paths that it makes up lie below it.
        raw_output_prefix: Remote ones lie below this URI.
    """

    def __init__(
        self,
        local_sandbox_dir: str | os.PathLike[str],
        raw_output_prefix: str,
        data_config: Any = None,
        execution_metadata: Any = None,
    ) -> None:
        directory = Path(local_sandbox_dir)
        directory.mkdir(parents=True, exist_ok=True)
        self._given: Workspace | None = replace(
            workspace(), directory=directory, prefix=os.fspath(raw_output_prefix).rstrip("/")
        )
        self.data_config = data_config

    @classmethod
    def of_workspace(cls) -> FileAccessProvider:
        """The one of wherever the code runs that uses it."""
        made = cls.__new__(cls)
        made._given, made.data_config = None, None
        return made

    @property
    def workspace(self) -> Workspace:
        return self._given or workspace()

    @property
    def objects(self) -> ObjectStore:
        return self.workspace.objects

    @property
    def raw_output_prefix(self) -> str:
        return self.workspace.prefix + "/"

    @property
    def local_sandbox_dir(self) -> Path:
        return self.workspace.directory

    local_access = local_sandbox_dir

    @staticmethod
    def is_remote(path: str | os.PathLike[str]) -> bool:
        text = os.fspath(path)
        return "://" in text and not text.startswith("file://")

    @staticmethod
    def strip_file_header(path: str, trim_trailing_sep: bool = False) -> str:
        path = path.removeprefix("file://")
        return path.rstrip("/") if trim_trailing_sep else path

    @staticmethod
    def get_random_string() -> str:
        return uuid.uuid4().hex

    @staticmethod
    def get_file_tail(file_path_or_file_name: str) -> str:
        return os.path.basename(file_path_or_file_name.rstrip("/"))

    def sep(self, file_system: Any = None) -> str:
        return "/"

    def join(self, *args: str, unstrip: bool = False, fs: Any = None) -> str:
        return uris.join(args[0], *args[1:])

    def exists(self, path: str) -> bool:
        local = self.objects.local_path(path)
        if local is not None:
            return local.exists()
        return bridge.run(self._exists(path))

    def get_random_local_path(self, file_path_or_file_name: str | None = None) -> str:
        """A local path that nobody else gets, with the name of what is given; its directory exists."""
        name = self.get_file_tail(file_path_or_file_name or "")
        path = self.local_sandbox_dir / "local_flytekit" / uuid.uuid4().hex / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def get_random_local_directory(self) -> str:
        path = self.get_random_local_path()
        Path(path).mkdir(parents=True, exist_ok=True)
        return path

    def get_random_remote_path(self, file_path_or_file_name: str | None = None) -> str:
        """A URI that nobody else gets, with the name of what is given."""
        name = self.get_file_tail(file_path_or_file_name or "")
        return uris.join(self.workspace.prefix, uuid.uuid4().hex, *([name] if name else []))

    def get_random_remote_directory(self) -> str:
        return self.get_random_remote_path()

    def generate_new_custom_path(self, fs: Any = None, alt: str | None = None, stem: str | None = None) -> str:
        parts = [part for part in (alt, uuid.uuid4().hex if stem is None or alt is None else None, stem) if part]
        return uris.join(self.workspace.prefix, *parts)

    async def async_put_data(
        self, local_path: str | os.PathLike[str], remote_path: str, is_multipart: bool = False, **kwargs: Any
    ) -> str:
        await self.objects.upload(Path(local_path), os.fspath(remote_path))
        return os.fspath(remote_path)

    async def async_get_data(self, remote_path: str, local_path: str, is_multipart: bool = False, **kwargs: Any) -> str:
        await self.objects.download(os.fspath(remote_path), Path(local_path))
        return os.fspath(local_path)

    async def async_put_raw_data(
        self,
        lpath: Any,
        upload_prefix: str | None = None,
        file_name: str | None = None,
        skip_raw_data_prefix: bool = False,
        **kwargs: Any,
    ) -> str:
        """Store bytes, a stream, or what is at a local path, below the prefix; where it is now."""
        at_path = isinstance(lpath, (str, os.PathLike))
        prefix = (
            (upload_prefix or "") if skip_raw_data_prefix else uris.join(self.workspace.prefix, upload_prefix or "")
        )
        name = file_name or (self.get_file_tail(os.fspath(lpath)) if at_path else "")
        to = uris.join(prefix, *([] if upload_prefix else [uuid.uuid4().hex]), *([name] if name else []))
        if at_path:
            await self.objects.upload(Path(lpath), to)
        else:
            content = lpath if isinstance(lpath, bytes) else lpath.read()
            await self.objects.write(to, content.encode() if isinstance(content, str) else content)
        return to

    def put_raw_data(
        self, lpath: Any, upload_prefix: str | None = None, file_name: str | None = None, **kw: Any
    ) -> str:
        return bridge.run(self.async_put_raw_data(lpath, upload_prefix, file_name, **kw))

    def put_data(
        self, local_path: str | os.PathLike[str], remote_path: str, is_multipart: bool = False, **kwargs: Any
    ) -> str:
        return bridge.run(self.async_put_data(local_path, remote_path))

    def get_data(self, remote_path: str, local_path: str, is_multipart: bool = False, **kwargs: Any) -> str:
        return bridge.run(self.async_get_data(remote_path, local_path))

    def upload(self, file_path: str, to_path: str, **kwargs: Any) -> str:
        return self.put_data(file_path, to_path)

    def upload_directory(self, local_path: str, remote_path: str, **kwargs: Any) -> str:
        return self.put_data(local_path, remote_path)

    def download(self, remote_path: str, local_path: str, **kwargs: Any) -> str:
        return self.get_data(remote_path, local_path)

    def download_directory(self, remote_path: str, local_path: str, **kwargs: Any) -> str:
        return self.get_data(remote_path, local_path)

    def get(self, from_path: str, to_path: str, recursive: bool = False, **kwargs: Any) -> str:
        return self.get_data(from_path, to_path)

    def open(self, path: str, mode: str = "r", **kwargs: Any) -> IO[Any]:
        """A stream to or from a local path or a URI."""
        local = self.objects.local_path(path)
        if local is not None:
            local.parent.mkdir(parents=True, exist_ok=True)
            return open(local, mode, **kwargs)
        opened: IO[Any] = bridge.run(self.objects.open_reader(path) if "r" in mode else self.objects.open_writer(path))
        return opened

    def get_filesystem(self, protocol: str | None = None, anonymous: bool = False, **kwargs: Any) -> Any:
        """A file system of fsspec, for programs that have that installed."""
        return fsspec.filesystem(protocol or "file", **({"anon": True} if anonymous else {}))

    def get_filesystem_for_path(self, path: str = "", anonymous: bool = False, **kwargs: Any) -> Any:
        return self.get_filesystem(path.partition("://")[0] if self.is_remote(path) else "file", anonymous)

    async def _exists(self, uri: str) -> bool:
        async for _ in self.objects.list(uri):
            return True
        return False


def get_fsspec_storage_options(protocol: str, data_config: Any = None, anonymous: bool = False, **kw: Any) -> Any:
    """What fsspec is told beside a URI, for plugins that use it: that it may ask without credentials."""
    return {"auto_mkdir": True} if protocol == "file" else {**({"anon": True} if anonymous else {}), **kw}


flyte_tmp_dir = ""
"""flytekit's directory for temporary files; Alula makes its own when it is first needed."""
default_local_file_access_provider = FileAccessProvider.of_workspace()
__getattr__, __dir__ = mirror(__name__, {})

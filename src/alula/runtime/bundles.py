"""Code bundles on this machine: fetched once, unpacked once for each content, with suspicion."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from alula._kits import bridge
from alula.data.archive import unpack
from alula.data.stores import Objects
from alula.errors import AlulaError, ConfigError

_PICKLED = "pkl.gz"
"""The file name of a bundle that is one pickled function: flytekit finds it under this name, as it is."""
_CONTENTS = "contents"


def fetch(bundle: str, directory: Path) -> str:
    """Make `directory` the content of a bundle; what went wrong. Bundles of one content have one directory on disk.

    Several processes may do so at a time.
    """
    part = directory.with_name(f"{directory.name}-{os.getpid()}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        name = bundle.rstrip("/").rpartition("/")[2]
        archive = part / name
        bridge.run(Objects().download(bundle, archive))
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        content = directory.parent / _CONTENTS / digest
        if not content.exists():
            unpacked = part / "unpacked"
            _lay_out(archive, name, unpacked)
            content.parent.mkdir(exist_ok=True)
            _settle(unpacked, content)
        with suppress(FileExistsError):
            os.symlink(content, directory, target_is_directory=True)
    except (AlulaError, OSError) as exc:
        return f"the code bundle cannot be unpacked: {exc}"
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ""


def fetch_apart(bundle: str, directory: Path) -> str:
    """`fetch`, in a process of its own, since the client of a store starts threads, and zygotes must have none."""
    heard, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(said, fetch(bundle, directory).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(said)
    with open(heard, "rb") as answer:
        problem = answer.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return problem or ("" if directory.exists() else f"the process that fetched {bundle} died")


def _lay_out(archive: Path, name: str, to: Path) -> None:
    """Raises ConfigError, DataError."""
    if name.endswith(".tar.gz"):
        unpack(archive, to)
    elif name == _PICKLED:
        to.mkdir()
        os.rename(archive, to / name)
    else:
        raise ConfigError(
            f"{name!r} is no code bundle", fix="pass the URI of a .tar.gz, or of a pkl.gz as flytekit's notebooks do"
        )


def _settle(unpacked: Path, content: Path) -> None:
    """Move it to its place, unless somebody was faster."""
    try:
        os.rename(unpacked, content)
    except OSError:
        if not content.exists():
            raise


def main() -> None:
    """`python -m alula.runtime.bundles URI DIRECTORY`: says what went wrong on stdout."""
    sys.stdout.write(fetch(sys.argv[1], Path(sys.argv[2])))


if __name__ == "__main__":
    main()

"""Removing what lies below a prefix, and nothing else: links are removed and never followed.

Tasks write below the prefix what they like, so names and links there are not to be trusted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alula._kits.aio import gather, to_thread
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.errors import DataError, ObjectNotFound

_AT_A_TIME = 16
_DEEPEST = 200
"""Directories in directories; whoever nests more has something else in mind than keeping files."""
Keep = Callable[[str], bool]
"""Whether a file stays, by its path relative to the prefix."""


@dataclass(slots=True)
class Erased:
    files: int = 0
    bytes: int = 0
    kept: list[str] = field(default_factory=list)
    """Relative paths of the files that stay."""
    faults: list[str] = field(default_factory=list)

    def add(self, other: Erased) -> None:
        self.files += other.files
        self.bytes += other.bytes
        self.kept += other.kept
        self.faults += other.faults


async def erase(
    objects: ObjectStore, root: str, names: tuple[str, ...], *, keep: Keep, dry_run: bool = False
) -> Erased:
    """Remove all files below `names`, one directory inside the other below `root`, but those to be kept.

    Args:
        root: A URI prefix that is ours; nothing outside of it is touched.
        names: At least one; none of them leads anywhere else.
        keep: What stays.
        dry_run: Only count.

    Raises:
        DataError: A name is none.
    """
    if not names or any(name in ("", ".", "..") or "/" in name or "\0" in name for name in names):
        raise DataError(
            f"{'/'.join(names)!r} is no place below {root}", where=root, fix="name one directory in another"
        )
    path = objects.local_path(root)
    if path is not None:
        return await to_thread(_erase_local, path, names, keep, dry_run)
    return await _erase_remote(objects, uris.join(root, *names), keep, dry_run)


async def _erase_remote(objects: ObjectStore, prefix: str, keep: Keep, dry_run: bool) -> Erased:
    done = Erased()

    async def one(uri: str) -> None:
        name = uri.removeprefix(uris.base(prefix))
        if keep(name):
            done.kept.append(name)
            return
        try:
            size = await objects.size(uri)
            if not dry_run:
                await objects.delete(uri)
        except ObjectNotFound:
            return
        except DataError as exc:
            done.faults.append(f"{uri}: {exc.what}")
            return
        done.files += 1
        done.bytes += size

    await gather(one, objects.list(prefix), limit=_AT_A_TIME)
    done.kept.sort()
    return done


def _erase_local(root: Path, names: tuple[str, ...], keep: Keep, dry_run: bool) -> Erased:
    """Every step goes from an open directory to a name in it, so that nothing can be swapped for a link on the way."""
    done = Erased()
    opened: list[int] = []
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for name in names[:-1]:
            opened.append(_enter(opened[-1], name))
        _remove(opened[-1], names[-1], "", keep, dry_run, done)
        if not dry_run:
            for parent, name in reversed(list(zip(opened, names[:-1], strict=False))):
                _remove_empty(parent, name)
    except FileNotFoundError:
        pass
    except OSError as exc:
        done.faults.append(f"{root}/{'/'.join(names)}: {exc.strerror or exc}")
    finally:
        for handle in reversed(opened):
            os.close(handle)
    done.kept.sort()
    return done


def _enter(parent: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def _remove(parent: int, name: str, path: str, keep: Keep, dry_run: bool, done: Erased) -> None:
    """Remove one entry of a directory. `path` is its path relative to the prefix; empty for the prefix itself."""
    try:
        here = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(here.st_mode) and path.count("/") > _DEEPEST:
            done.faults.append(f"{path[:80]}...: more than {_DEEPEST} directories in each other; remove it by hand")
        elif stat.S_ISDIR(here.st_mode):
            inside = _enter(parent, name)
            try:
                with os.scandir(inside) as entries:
                    below = sorted(entry.name for entry in entries)
                for each in below:
                    _remove(inside, each, f"{path}/{each}" if path else each, keep, dry_run, done)
            finally:
                os.close(inside)
            if not dry_run:
                _remove_empty(parent, name)
        elif keep(path):
            done.kept.append(path)
        else:
            if not dry_run:
                os.unlink(name, dir_fd=parent)
            done.files += 1
            done.bytes += here.st_size
    except FileNotFoundError:
        return
    except OSError as exc:
        done.faults.append(f"{path or name}: {exc.strerror or exc}")


def _remove_empty(parent: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return  # something is left in it

"""URIs taken apart and put together; pure."""

from __future__ import annotations

import re
from functools import lru_cache

from alula.errors import DataError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_ALIASES = {"": "file", "s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az", "azure": "az", "https": "http"}


def scheme(uri: str) -> str:
    """The scheme that serves a URI: `file` for plain paths, and one name for those that mean the same."""
    found = _SCHEME.match(uri)
    name = found[1].lower() if found else ""
    return _ALIASES.get(name, name)


def is_remote(uri: str) -> bool:
    """Whether a string is a URI of anything but a file of this machine."""
    return _SCHEME.match(uri) is not None and scheme(uri) != "file"


def rest(uri: str) -> str:
    """What follows the scheme."""
    found = _SCHEME.match(uri)
    return uri[found.end() :] if found else uri


@lru_cache(maxsize=256)  # the places of one attempt are below one prefix
def base(prefix: str) -> str:
    """What the URIs of all objects below a prefix begin with: the prefix and one slash, or a bare scheme."""
    path = rest(prefix)
    head = prefix[: len(prefix) - len(path)]
    return f"{head}{path.rstrip('/')}/" if path else head


def join(prefix: str, *names: str) -> str:
    """A URI below `prefix`; one slash between the parts, whether or not the prefix ends in one."""
    return base(prefix) + "/".join(names)


def name(uri: str) -> str:
    """The last part of a URI: a file name. A web address's query, which may be a long signature, is no part of it."""
    path = rest(uri)
    if scheme(uri) == "http":
        path = _QUERY.sub("", path)
    return path.rstrip("/").rpartition("/")[2]


def members(prefix: str, uri: str) -> tuple[str, ...]:
    """The parts of the relative path of an object below a prefix, fit for a local path.

    Raises:
        DataError: the path is empty or absolute, or has a part that means another directory.
    """
    start = base(prefix)
    parts = tuple(uri.removeprefix(start).split("/"))
    if not uri.startswith(start) or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise DataError(
            f"the object {uri!r} has no safe place in a directory",
            where=prefix,
            fix="rename it: its name below the prefix may have no empty part and no '.' or '..'",
        )
    return parts

"""Names that inputs and outputs may have, being names of files."""

from __future__ import annotations

from collections.abc import Iterable

ERROR = "_ERROR"
"""A file among the outputs with the text of why the task failed."""
_RESERVED = frozenset({"inputs.json", "inputs.yaml", "inputs.pb", ERROR})


def misnamed(names: Iterable[str], *, reserved: bool = True) -> dict[str, str]:
    """Why names can be none of a file, for those that cannot.

    Args:
        reserved: Names that mean something else here are no good either.
    """
    found = {name: _why(name, reserved) for name in names}
    return {name: why for name, why in found.items() if why}


def _why(name: str, reserved: bool) -> str:
    if not name or name in (".", "..") or "/" in name or "\0" in name or "\\" in name:
        return "is no name of a file"
    if len(name.encode()) > 255:
        return "is too long for the name of a file"
    return "is the name of another file there" if reserved and name in _RESERVED else ""

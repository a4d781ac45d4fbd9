"""The Alula that runs here as a wheel, so that an image gets this very version, released or not."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from alula.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parents[2]
_TIME = (1980, 1, 1, 0, 0, 0)
_TAG = "py3-none-any"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of pure Python."""

    name: str
    content: bytes


def of_alula() -> Wheel:
    """The package as it is installed here, always the same bytes for the same files.

    Raises:
        ConfigError: It is no installed distribution.
    """
    try:
        found = metadata.distribution("alula")
    except metadata.PackageNotFoundError as exc:
        raise ConfigError(
            "alula runs from files that are not installed, so that no image can be given it",
            where=str(_PACKAGE),
            fix="pip install alula, or name a base image that has it",
        ) from exc
    info = f"alula-{found.version}.dist-info"
    files = {f"alula/{name}": path.read_bytes() for name, path in _files()}
    files[f"{info}/METADATA"] = (found.read_text("METADATA") or "").encode()
    files[f"{info}/entry_points.txt"] = (found.read_text("entry_points.txt") or "").encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: alula\nRoot-Is-Purelib: true\nTag: {_TAG}\n".encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, _TIME)
            member.external_attr, member.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return Wheel(f"alula-{found.version}-{_TAG}.whl", out.getvalue())


def _files() -> Iterator[tuple[str, Path]]:
    for path in sorted(_PACKAGE.rglob("*")):
        inside = path.relative_to(_PACKAGE)
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in inside.parts):
            yield inside.as_posix(), path


def _record(files: dict[str, bytes], own: str) -> bytes:
    """Every file with its hash. Source: https://packaging.python.org/specifications/recording-installed-packages"""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(content)])
    writer.writerow([own, "", ""])
    return out.getvalue().encode()

"""Images with Python and Alula, made of what is installed here: no registry, no network, a few seconds.

The interpreter keeps its place. Packages lie in a virtual environment, so that `pip` finds what there is.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from tests.servers.docker import Docker

PYTHON = "alula-test-python:1"
"""Python with `pip`; no Alula."""
ALULA = "alula-test-alula:1"
"""The same with Alula, and all that it needs."""
TABLES = "alula-test-tables:1"
"""The same with pandas and pyarrow, and with drivers of databases."""
HOME = "/usr/local/python"
_SITE = f"{HOME}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
_LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "site-packages"}
_LEFT_OUT |= {"dist-packages", "pydoc_data", "ensurepip"}
_LIBRARIES = "libnss_files.so.2 libnss_dns.so.2 libresolv.so.2 libgcc_s.so.1 libstdc++.so.6 libpthread.so.0 libdl.so.2 "
_LIBRARIES += "librt.so.1 libm.so.6 libutil.so.1"
"""What is loaded by name, or by wheels that were made for an older C library."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def python_image(engine: Docker) -> str:
    """The image `PYTHON`, made when it is first asked for."""
    return _made(engine, PYTHON, "pip")


def alula_image(engine: Docker) -> str:
    """The image `ALULA`, made when it is first asked for."""
    return _made(engine, ALULA, "pip", "alula")


def tables_image(engine: Docker) -> str:
    """The image `TABLES`, made when it is first asked for."""
    return _made(engine, TABLES, "pip", "alula", "pandas", "pyarrow", "psycopg", "psycopg-binary", "pymysql")


def _made(engine: Docker, image: str, *packages: str) -> str:
    if not engine.has(image):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            tree = _Tree(archive)
            _python(tree)
            for name, content in _distributions(packages):
                tree.add(name, content, 0o755 if f"{HOME}/bin/" in name else 0o644)
        engine.load(image, made.getvalue(), f"ENV PATH={HOME}/bin:/usr/bin:/bin")
    return image


def _python(tree: _Tree) -> None:
    """This interpreter, with a shell."""
    for folder in ("dev", "proc", "root", "sys", "tmp", "usr/bin", "bin", "etc"):
        tree.folder(folder, 0o1777 if folder == "tmp" else 0o755)
    _shell(tree)
    interpreter = Path(sys.executable).resolve()
    paths = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
    libraries = {interpreter}
    tree.add(str(interpreter), interpreter, 0o755)
    for directory in sorted({Path(paths["stdlib"]), Path(paths["platstdlib"])}):
        for path in _files(directory):
            tree.add(str(path), path)
            if path.suffix == ".so":
                libraries.add(path)
    for library in sorted(_needed(libraries)):
        tree.add(library, Path(library), 0o755)
    tree.add(f"{HOME}/pyvenv.cfg", f"home = {interpreter.parent}\ninclude-system-site-packages = false\n".encode())
    for name in ("python", "python3"):
        tree.link(f"{HOME}/bin/{name}", str(interpreter))


def _shell(tree: _Tree) -> None:
    binary = Path(shutil.which("busybox") or "").resolve()
    tree.add("bin/busybox", binary, 0o755)
    listed = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name != "busybox":
            tree.link(f"bin/{name}", "busybox")
    tree.add("etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    tree.add("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    tree.add("etc/nsswitch.conf", b"hosts: files dns\n")


def _distributions(names: Iterable[str]) -> Iterator[tuple[str, bytes | Path]]:
    waiting, seen = list(names), set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name != "pip":
                raise
            yield from _bundled_pip()
            continue
        yield from _content(found)
        waiting += [_NAME.match(one).group() for one in found.requires or () if _wanted(one)]  # type: ignore[union-attr]


def _wanted(requirement: str) -> bool:
    """Whether a requirement holds here, as far as our dependencies have conditions."""
    condition = requirement.partition(";")[2]
    if "extra" in condition or "win32" in condition or "Windows" in condition or "emscripten" in condition:
        return False
    name = _NAME.match(requirement)
    try:
        return bool(name and metadata.distribution(name.group()))
    except metadata.PackageNotFoundError:
        return False


def _content(found: metadata.Distribution) -> Iterator[tuple[str, bytes | Path]]:
    here = Path(str(found.locate_file(""))).resolve()
    name = found.metadata["Name"]
    if name == "alula":  # installed in place
        yield from _own(found)
    else:
        for one in found.files or ():
            path = Path(str(found.locate_file(one))).resolve()
            if path.is_relative_to(here) and path.is_file() and not {"tests", "include"} & {*one.parts}:
                yield from _with_compiled(f"{_SITE}/{path.relative_to(here)}", path)
    for point in found.entry_points:
        if point.group == "console_scripts":
            module, _, attribute = point.value.partition(":")
            script = f"#!{HOME}/bin/python\nimport sys\nfrom {module} import {attribute}\nsys.exit({attribute}())\n"
            yield f"{HOME}/bin/{point.name}", script.encode()


def _own(found: metadata.Distribution) -> Iterator[tuple[str, bytes | Path]]:
    root = Path(__file__).resolve().parents[2] / "src"
    names = []
    for path in _files(root / "alula"):
        names.append(str(path.relative_to(root)))
        yield f"{_SITE}/{path.relative_to(root)}", path
    info = f"{_SITE}/alula-{found.version}.dist-info"
    for name in ("METADATA", "entry_points.txt"):
        yield f"{info}/{name}", (found.read_text(name) or "").encode()
    yield f"{info}/RECORD", "".join(f"{name},,\n" for name in names).encode()


def _with_compiled(name: str, path: Path) -> Iterator[tuple[str, bytes | Path]]:
    """A file, and what Python has compiled of it: in a container it would do so each time."""
    yield name, path
    if path.suffix == ".py" and (compiled := Path(cache_from_source(str(path)))).exists():
        yield f"{Path(name).parent}/__pycache__/{compiled.name}", compiled


def _bundled_pip() -> Iterator[tuple[str, bytes | Path]]:
    """What comes with Python, where no `pip` is installed."""
    [wheel] = (Path(sysconfig.get_paths()["stdlib"]) / "ensurepip" / "_bundled").glob("pip-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            yield f"{_SITE}/{name}", archive.read(name)


def _files(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith((".", "config-")))
        yield from (Path(folder, name) for name in sorted(names) if not name.endswith(".a"))


def _needed(programs: Iterable[Path]) -> set[str]:
    """The libraries that programs load, the loader itself among them."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    found = set(re.findall(r"(?:=> |^\s+)(/\S+)", said, re.MULTILINE))
    folders = {Path(path).parent for path in found}
    found |= {str(folder / name) for folder in folders for name in _LIBRARIES.split() if (folder / name).exists()}
    return found


class _Tree:
    """The files of an image, each once. Times are kept, since compiled files bear those of their sources."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive, self._there = archive, set[str]()

    def folder(self, name: str, mode: int = 0o755) -> None:
        if member := self._new(name):
            member.type, member.mode = tarfile.DIRTYPE, mode
            self._archive.addfile(member)

    def add(self, name: str, content: bytes | Path, mode: int = 0o644) -> None:
        if member := self._new(name):
            data = content if isinstance(content, bytes) else content.read_bytes()
            member.size, member.mode = len(data), mode
            member.mtime = 0 if isinstance(content, bytes) else int(content.stat().st_mtime)
            self._archive.addfile(member, io.BytesIO(data))

    def link(self, name: str, target: str) -> None:
        if member := self._new(name):
            member.type, member.linkname = tarfile.SYMTYPE, target
            self._archive.addfile(member)

    def _new(self, name: str) -> tarfile.TarInfo | None:
        name = name.lstrip("/")
        if name in self._there:
            return None
        self._there.add(name)
        return tarfile.TarInfo(name)


def wheel(name: str, version: str, modules: dict[str, str]) -> tuple[str, bytes]:
    """A small wheel, for packages that no index has: its file name, and its content."""
    info = f"{name}-{version}.dist-info"
    files = {f"{module}.py": text for module, text in modules.items()}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}")
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{name}-{version}-py3-none-any.whl", out.getvalue()

"""Where the code of an execution lies, as facts that are kept with it, and whether it is still there as it was."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alula.engine.facts import environment_of as environment_of
from alula.engine.facts import with_environment as with_environment
from alula.errors import ConfigError

_OURS = str(Path(__file__).resolve().parents[1]) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Code:
    """What another process must import to find the tasks of a program."""

    interpreter: str
    root: str
    """What comes first on `sys.path`."""
    module: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Path below `root` to the digest of its content, of the program's own modules that were loaded."""
    target: str = ""
    """The program as its user named it: `flows/train.py`."""

    @property
    def digest(self) -> str:
        """Changes with the content of any of the files."""
        listed = json.dumps([self.module, sorted(self.files.items())])
        return hashlib.sha256(listed.encode()).hexdigest()[:12]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The same for programs that one zygote can serve."""
        return self.interpreter, self.root, self.module, self.digest

    def facts(self) -> dict[str, str]:
        return {
            "code.interpreter": self.interpreter,
            "code.root": self.root,
            "code.module": self.module,
            "code.files": json.dumps(dict(self.files), sort_keys=True),
            "code.target": self.target,
        }

    @classmethod
    def of_facts(cls, facts: Mapping[str, str]) -> Code | None:
        """What an execution was created with; None: nothing was said, as for one without Python tasks."""
        if "code.module" not in facts:
            return None
        return cls(
            interpreter=facts.get("code.interpreter", sys.executable),
            root=facts.get("code.root", ""),
            module=facts["code.module"],
            files=json.loads(facts.get("code.files", "{}")),
            target=facts.get("code.target", ""),
        )

    @classmethod
    def loaded(cls, module: str, *, target: str = "") -> Code:
        """The code of a module that this process has imported, with those of its neighbours that it imported."""
        file = _file_of(module)
        root = _root_of(module, file)
        files = {}
        if file:
            for path in _neighbours(root):
                files[os.path.relpath(path, root)] = _digest(path)
        return cls(
            sys.executable, os.path.realpath(root), module, dict(sorted(files.items())), target or file or module
        )

    def check(self) -> None:
        """Raises ConfigError if the code is gone, or is not what it was."""
        if not Path(self.interpreter).exists():
            raise ConfigError(
                f"the Python that the execution was made with is gone: {self.interpreter}",
                fix="make that environment again, or go on with another one: alula recover, in its environment",
            )
        changed = []
        for name, digest in self.files.items():
            path = os.path.join(self.root, name)
            if not os.path.isfile(path):
                changed.append(f"{name} is gone")
            elif _digest(path) != digest:
                changed.append(f"{name} has changed")
        if changed:
            more = f", and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
            raise ConfigError(
                f"the code of the execution is not what it was: {', '.join(changed[:_MOST_NAMED])}{more}",
                where=self.root,
                fix="put it back; or go on with the code as it is now: alula recover, after alula abort if it is open",
            )


def _file_of(module: str) -> str:
    found = sys.modules.get(module) or sys.modules.get("__main__")
    file = getattr(found, "__file__", None)
    return os.path.abspath(file) if file and file.endswith(".py") else ""


def _neighbours(root: str) -> list[str]:
    """The files of all modules below a directory that were imported and belong to no installed package."""
    inside = root + os.sep
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    below = {file for file in files if file and file.startswith(inside) and file.endswith(".py")}
    return [file for file in below if not _is_installed(file)]


def _root_of(module: str, file: str) -> str:
    """The directory from which a module is imported under its name."""
    if not file:
        return os.getcwd()
    path = Path(file)
    parts = module.split(".")
    up = path.parent if path.stem == "__init__" else path
    for part in reversed(parts):
        if up.stem != part:
            return str(path.parent)
        up = up.parent
    return str(up)


def _is_installed(path: str) -> bool:
    return path.startswith((_OURS, sys.prefix + os.sep)) or any(part in path for part in _INSTALLED)


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return ""

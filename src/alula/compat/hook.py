"""The import hook: `flytekit.x` is `alula.compat.flytekit.x`, one module under two names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from alula.compat.names import NotMirrored
from alula.errors import ConfigError

THEIRS = "flytekit"
OURS = "alula.compat.flytekit"


class Mirror(MetaPathFinder):
    """Finds flytekit's modules in this room, whether the real flytekit is installed or not."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != THEIRS and not fullname.startswith(THEIRS + "."):
            return None
        ours = OURS + fullname.removeprefix(THEIRS)
        found = find_spec(ours)
        if found is None:
            raise NotMirrored.module(fullname)
        return ModuleSpec(fullname, _Alias(ours), is_package=found.submodule_search_locations is not None)


class _Alias(Loader):
    """Loads a module by handing out another one, which stays what it is."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self._ours)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there
        if self._ours == OURS:
            module.load_implicit_plugins()


def install() -> None:
    """From now on `import flytekit` in this process gives Alula's mirror of it. Does nothing the second time.

    Raises:
        ConfigError: the real flytekit has been imported already.
    """
    if any(isinstance(finder, Mirror) for finder in sys.meta_path):
        return
    loaded = sys.modules.get(THEIRS)
    if loaded is not None:
        raise ConfigError(
            f"the real {THEIRS} has been imported already",
            where=str(getattr(loaded, "__file__", THEIRS)),
            fix="call alula.compat.install() before the first import of flytekit, or run: python -m alula.compat FILE",
        )
    sys.meta_path.insert(0, Mirror())


def uninstall() -> None:
    """Undo `install`: the next `import flytekit` looks for the real one."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Mirror)]
    for name, module in list(sys.modules.items()):
        if (name == THEIRS or name.startswith(THEIRS + ".")) and getattr(module, "__name__", "").startswith(OURS):
            del sys.modules[name]

"""One vocabulary for two worlds: `sdk.task` is flytekit's where flytekit runs, and Alula's here.

The modules that both worlds load (`value_table`, `reference_workflows`, `extra_workflows`) import `sdk` from here and
nothing from either package. The world is chosen by the environment variable `ALULA_ORACLE_WORLD`, which
`flytekit_side.py` sets before it loads them; without it the world is Alula.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

WORLD = os.environ.get("ALULA_ORACLE_WORLD", "alula")

_FLYTEKIT = {
    "File": "flytekit:FlyteFile",
    "Directory": "flytekit:FlyteDirectory",
    "Error": "flytekit.types.error:FlyteError",
    "JSON": "flytekit.types.iterator:JSON",
    "Pickle": "flytekit.types.pickle:FlytePickle",
    "create_node": "flytekit.core.node_creation:create_node",
    "ShellTask": "flytekit.extras.tasks.shell:ShellTask",
    "OutputLocation": "flytekit.extras.tasks.shell:OutputLocation",
    "Annotation": "flytekit.core.annotation:FlyteAnnotation",
    "Recoverable": "flytekit.exceptions.user:FlyteRecoverableException",
    "Identity": "flytekit.models.security:Identity",
    "accelerators": "flytekit.extras.accelerators:",
}
"""Names that flytekit keeps elsewhere, or calls otherwise: `module:attribute`, no attribute for the module itself."""

_ALULA = {"Error": "alula:TaskError"}
"""The same for Alula; a name that is not listed is an attribute of the package."""


class Sdk:
    """Attribute access to the authoring names of one world."""

    def __init__(self, world: str) -> None:
        self.world = world
        self._elsewhere = _FLYTEKIT if world == "flytekit" else _ALULA

    def __getattr__(self, name: str) -> Any:
        where = self._elsewhere.get(name, f"{self.world}:{name}")
        module_name, _, attribute = where.partition(":")
        module = importlib.import_module(module_name)
        return getattr(module, attribute) if attribute else module


sdk: Any = Sdk(WORLD)

"""Which Python tasks run in containers of their images rather than in workers, as the settings of plugins say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alula.hosting.registry import RUNNER, Backends, Known

DOCKER = "docker"


def contained(backends: Mapping[str, Any]) -> Mapping[str, bool]:
    """Types of task, and whether they run in containers; the empty name stands for all that are not named.

    Raises:
        ConfigError: A section is wrong.
    """
    if not backends:
        return {}
    found = Backends.of(backends)
    made = {type: _has_images(found.known(name)) for type, name in found.routes.items()}
    if not found.sections:
        return made
    for known in found.everything():
        if known.info is not None and known.kind != RUNNER and found.active(known):
            for type in known.info.task_types:
                made.setdefault(type, _has_images(known))
    if found.taker and _has_images(found.known(found.taker)):
        made.setdefault("", True)
    return made


def _has_images(known: Known) -> bool:
    return known.name == DOCKER or known.kind == "k8s"

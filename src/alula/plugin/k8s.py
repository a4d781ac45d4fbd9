"""One Kubernetes object per attempt. The engine applies, watches and deletes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from alula.plugin.context import TaskContext
from alula.plugin.core import Plugin
from alula.plugin.phase import PhaseInfo

Manifest = dict[str, Any]
"""A Kubernetes object as its JSON."""


class K8sPlugin(Plugin, ABC):
    """What to build, and how to read it. Name, namespace, labels, finalizer and deletion are the engine's."""

    api_version: str = "v1"
    kind: str = "Pod"

    @abstractmethod
    def build(self, task: TaskContext, pod: Manifest) -> Manifest:
        """The object to apply. No I/O.

        Args:
            pod: The task as a pod (`metadata` and `spec`), made from its container or pod template: ready to be used
                as it is, or put into the object. The caller's to keep.
        """

    @abstractmethod
    def phase(self, task: TaskContext, resource: Manifest, *, now: datetime) -> PhaseInfo:
        """Read the object's status. No I/O.

        An object that somebody else deletes, or that is gone, is the engine's affair: it is not asked for here.

        Args:
            now: The time by the clock of the API server, which also stamped what is in the object: for grace periods.
        """

    def log_of(self, task: TaskContext, resource: Manifest) -> tuple[str, str] | None:
        """The pod and the container whose log is kept as that of the attempt. None: there is none. No I/O."""
        return None

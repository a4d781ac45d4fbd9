"""What a plugin remembers of an attempt, as bytes in a row and back."""

from __future__ import annotations

import json
from typing import Any

from alula.errors import PluginError
from alula.hosting.calls import BROKEN, Garbage, said
from alula.hosting.secrets import Censor
from alula.hosting.ward import Ward
from alula.plugin import typed
from alula.plugin.core import CorePlugin, Plugin


class States:
    """Packs and reads the states of one plugin.

    Args:
        core: Says what a state is.
        plugin: Reads the states of its former versions.
    """

    def __init__(self, plugin: Plugin, core: CorePlugin[Any], censor: Censor) -> None:
        self.name, self.version = core.info.name, core.info.state_version
        self._plugin, self._censor = plugin, censor
        kind = getattr(core, "state_kind", None)
        self._kind: Any = core.state_type if kind is None else kind

    def pack(self, state: Any) -> bytes:
        """A state as it is kept. Raises Garbage."""
        if state is None:
            return b""
        try:
            data = json.dumps(typed.shape_of(self._kind).write(state), sort_keys=True, separators=(",", ":"))
        except BROKEN as exc:  # it may be any object
            what = said(exc).removeprefix("TypeError: ")
            raise Garbage(
                f"the state of {self.name} cannot be kept: {what}", fix="it is a fault of the plugin"
            ) from exc
        if self._censor.holds(data):
            raise Garbage(f"the state of {self.name} holds a secret", fix="keep what it is for, and ask for it again")
        return data.encode()

    def read(self, ward: Ward) -> None:
        """Take up what was kept of an attempt; why that is impossible goes into its `problem`."""
        job = ward.task.job
        if not job.state:
            return
        version = self.version
        where = f"the state of {self.name}, version {job.state_version}"
        try:
            document = json.loads(job.state)
            if job.state_version > version:
                raise PluginError(f"{where}: this is version {version} of the plugin, and cannot read later ones")
            if job.state_version != version and isinstance(document, dict):
                document = self._plugin.upgrade(document, job.state_version)
            faults: list[str] = []
            ward.state = typed.shape_of(self._kind).read(document, "state", faults)
            if faults:
                raise PluginError(f"{where}, cannot be read: {'; '.join(faults)}")
        except BROKEN as exc:
            ward.state = None
            what = exc.what if isinstance(exc, PluginError) else f"{where}, cannot be read: {said(exc)}"
            ward.problem = self._censor.text(what)

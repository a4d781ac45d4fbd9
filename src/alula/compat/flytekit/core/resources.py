"""What a task asks for."""

from __future__ import annotations

from typing import Any

from alula.compat.flytekit.models.task import Resources as Model
from alula.compat.names import mirror
from alula.sdk.resources import to_message


def convert_resources_to_resource_model(requests: Any = None, limits: Any = None) -> Model:
    return Model.from_flyte_idl(to_message(requests, limits))


__getattr__, __dir__ = mirror(__name__, {"alula.sdk.resources": "Resources ResourceSpec"})

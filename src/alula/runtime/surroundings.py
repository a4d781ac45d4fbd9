"""What the platform says about a task in the environment variables of its container.

The names are Flyte's, whose platforms set them. Source: flytekit `bin/entrypoint.py`, `configuration`.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
from collections.abc import Mapping
from typing import Any

from alula.errors import ConfigError
from alula.idl import WorkflowExecutionIdentifier
from alula.sdk.compiler import PASSED_ON
from alula.sdk.image import Image, ImageConfig
from alula.sdk.serialize import SerializationSettings
from alula.types.transformer import Place

Environment = Mapping[str, str]


def first(environment: Environment, *names: str) -> str:
    """The first of these variables that is set and not empty; else the empty string."""
    return next((environment[name] for name in names if environment.get(name)), "")


def execution_id(environment: Environment) -> WorkflowExecutionIdentifier:
    """The execution that the task is a part of."""
    return WorkflowExecutionIdentifier(
        project=first(environment, "FLYTE_INTERNAL_EXECUTION_PROJECT", "_F_PRJ"),
        domain=first(environment, "FLYTE_INTERNAL_EXECUTION_DOMAIN", "_F_DM"),
        name=first(environment, "FLYTE_INTERNAL_EXECUTION_ID", "_F_NM"),
    )


def settings(environment: Environment, place: Place) -> SerializationSettings:
    """Under which ids, and with which images, the nodes of a dynamic task are registered: those of the task itself.

    Raises:
        ConfigError: the settings that the platform passes cannot be read.
    """
    passed = _passed(environment.get(PASSED_ON, ""))
    shipped = passed.get("fast_serialization_settings") or {}
    bundle = str(shipped.get("distribution_location") or "") if shipped.get("enabled") else ""
    execution = execution_id(environment)
    task_project = first(environment, "FLYTE_INTERNAL_TASK_PROJECT", "_F_TK_PRJ")
    task_domain = first(environment, "FLYTE_INTERNAL_TASK_DOMAIN", "_F_TK_DM")
    task_version = first(environment, "FLYTE_INTERNAL_TASK_VERSION", "_F_TK_V")
    return SerializationSettings(
        project=passed.get("project") or task_project or execution.project,
        domain=passed.get("domain") or task_domain or execution.domain,
        version=task_version or passed.get("version") or "",
        image_config=_images(passed.get("image_config"), first(environment, "FLYTE_INTERNAL_IMAGE")),
        env=passed.get("env") or {},
        place=place,
        processes=bool(passed.get("processes")),
        contained=passed.get("contained") or {},
        bundle=(lambda: bundle) if bundle else None,
        builds=False,  # whoever registered the task has built them, and there is no engine in a container
    )


def _passed(text: str) -> dict[str, Any]:
    """Settings as flytekit packs them for its dynamic tasks: JSON, gzip, base64."""
    if not text:
        return {}
    try:
        found = json.loads(gzip.decompress(base64.b64decode(text)))
    except (binascii.Error, OSError, EOFError, ValueError) as exc:
        raise ConfigError(
            f"the registration settings of the task cannot be read: {exc}",
            where=f"environment variable {PASSED_ON}",
            fix="register the task again",
        ) from exc
    return found if isinstance(found, dict) else {}


def _images(passed: dict[str, Any] | None, default: str) -> ImageConfig | None:
    if passed:
        first_image = passed.get("default_image")
        return ImageConfig(
            default_image=Image(**first_image) if first_image else None,
            images=[Image(**one) for one in passed.get("images") or ()],
        )
    return ImageConfig.auto(default) if default else None

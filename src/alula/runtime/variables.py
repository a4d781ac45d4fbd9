"""The environment variables of a task: those of its container, those that say which task and which attempt it is.

It also runs where only flytekit's packages are installed, so it imports no more than messages.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from alula.idl import Container, TaskTemplate

_SECRET_PREFIX = "_FSEC_"


def of_template(template: TaskTemplate, container: Container) -> dict[str, str]:
    """Variables of a task's container, those that say which task it is, and its secrets."""
    id = template.id
    made = {pair.key: pair.value for pair in container.env}
    made |= {
        "FLYTE_INTERNAL_TASK_PROJECT": id.project,
        "FLYTE_INTERNAL_TASK_DOMAIN": id.domain,
        "FLYTE_INTERNAL_TASK_NAME": id.name,
        "FLYTE_INTERNAL_TASK_VERSION": id.version,
    }
    if container.image:
        made["FLYTE_INTERNAL_IMAGE"] = container.image
    return made | _secrets(template)


def _secrets(template: TaskTemplate) -> dict[str, str]:
    """The secrets that a task asks for and this process has, under the names by which a container finds them.

    On a machine of one's own nobody injects secrets: `DB_PASSWORD` in the environment is the password of `db`.
    """
    made: dict[str, str] = {}
    for secret in template.security_context.secrets:
        words = [word for word in (secret.group, secret.group_version, secret.key) if word]
        plain = "_".join(words).upper()
        value = os.environ.get(_SECRET_PREFIX + plain, os.environ.get(plain))
        if value is not None:
            made[_SECRET_PREFIX + plain] = value
            if secret.env_var:
                made[secret.env_var] = value
    return made


def of_attempt(attempt: tuple[str, str, str, int], index: int, given: Mapping[str, str]) -> dict[str, str]:
    """The variables that say which attempt this is, after those that the execution adds."""
    project, domain, execution, number = attempt
    made = {
        **given,
        "FLYTE_INTERNAL_EXECUTION_PROJECT": project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": domain,
        "FLYTE_INTERNAL_EXECUTION_ID": execution,
        "FLYTE_ATTEMPT_NUMBER": str(number),
    }
    if index >= 0:
        made["BATCH_JOB_ARRAY_INDEX_VAR_NAME"] = "FLYTE_K8S_ARRAY_INDEX"
        made["FLYTE_K8S_ARRAY_INDEX"] = str(index)
    return made


def says_so(environment: Mapping[str, str]) -> bool:
    """Whether flytekit was asked to say by its exit code that there is an `error.pb`."""
    return environment.get("FLYTE_FAIL_ON_ERROR", "").lower() in ("1", "true", "t", "yes", "y", "on")

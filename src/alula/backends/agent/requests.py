"""What agents are told of an attempt: the template with its arguments filled in, and all about its execution."""

from __future__ import annotations

import json

from alula.backends.agent.channels import Headers
from alula.backends.agent.settings import Endpoint
from alula.data.layout import Attempt
from alula.idl import (
    Identity,
    NodeExecutionIdentifier,
    TaskExecutionIdentifier,
    TaskTemplate,
    WorkflowExecutionIdentifier,
)
from alula.idl.agent import FRESH, KEY, RAW, SECRET, TaskExecutionMetadata
from alula.plugin import template as templates
from alula.plugin.context import TaskContext
from alula.plugin.runner import AttemptId

_LAST_IS_SAFE = -1
"""Of `interruptible_failure_threshold`: the last attempt runs where nothing takes its machine away."""


async def template(task: TaskContext) -> TaskTemplate:
    """The task's template, with the arguments of its container filled in, as connectors expect. Files that the
    arguments point to are there. Raises Rejected."""
    given = task.template
    args = list(given.container.args) if given.HasField("container") else []
    if not any("{{" in arg for arg in args):
        return given
    if templates.uses(args, "Input") or templates.uses(args, "InputPrefix"):
        await task.inputs_uri()
    if templates.uses(args, "TaskTemplatePath"):
        await task.objects.write(Attempt(task.output_prefix).template, given.SerializeToString(deterministic=True))
    filled = TaskTemplate()
    filled.CopyFrom(given)
    filled.container.args[:] = task.fill(args)
    return filled


def execution(id: AttemptId, task: TaskTemplate) -> TaskExecutionIdentifier:
    """The attempt in Flyte's words. Together with the store it says the idempotency key."""
    return TaskExecutionIdentifier(
        task_id=task.id,
        node_execution_id=NodeExecutionIdentifier(
            node_id=id.path,
            execution_id=WorkflowExecutionIdentifier(project=id.project, domain=id.domain, name=id.execution),
        ),
        retry_attempt=id.number,
    )


def metadata(task: TaskContext) -> TaskExecutionMetadata:
    """Everything that there is to say about an attempt: all eleven fields."""
    id, given = task.id, task.template
    identity = Identity()
    if given.security_context.HasField("run_as"):
        identity.CopyFrom(given.security_context.run_as)
    if not identity.k8s_service_account:
        identity.k8s_service_account = "default"
    if not identity.execution_identity:
        identity.execution_identity = f"{id.project}/{id.domain}/{id.execution}"
    annotations = {"alula.dev/name": task.name, "alula.dev/store": id.store}
    if task.raw_prefix != Attempt(task.output_prefix).raw:
        annotations[RAW] = task.raw_prefix
    return TaskExecutionMetadata(
        task_execution_id=execution(id, given),
        namespace=f"{id.project}-{id.domain}",
        labels=dict(task.labels),
        annotations=annotations,
        k8s_service_account=identity.k8s_service_account,
        environment_variables=task.environ(),
        max_attempts=task.attempts,
        interruptible=task.interruptible,
        interruptible_failure_threshold=_LAST_IS_SAFE,
        overrides=task.overrides,
        identity=identity,
    )


async def headers(task: TaskContext, endpoint: Endpoint, *, fresh: bool = False) -> Headers:
    """The idempotency key; and the secrets of the task, if the agent may have them.

    Args:
        fresh: No job can have been made for this attempt yet.

    Raises:
        Unknown: One of its secrets is missing.
    """
    made: list[tuple[str, str | bytes]] = [(KEY, task.name)]
    if fresh:
        made.append((FRESH, "1"))
    if endpoint.send_secrets and (not endpoint.plaintext or endpoint.near):
        for wanted in task.template.security_context.secrets:
            value = await task.secret(wanted.key, wanted.group)
            made.append((SECRET, json.dumps({"group": wanted.group, "key": wanted.key, "value": value}).encode()))
    return made

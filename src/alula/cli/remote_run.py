"""`alula run --remote`: register a program at a control plane, run something of it there, and show what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from alula._kits import scratch
from alula.cli import results
from alula.cli.answers import typed
from alula.cli.aside import aside
from alula.cli.card import ABORTED, FAILED, OK, TIMEOUT
from alula.cli.options import Options
from alula.cli.program import Program
from alula.cli.register import checked, messages, sender, settings_of
from alula.cli.remote_gates import Gates
from alula.cli.reports import reported
from alula.cli.submit import complete
from alula.client.profiles import profile as profile_of
from alula.client.remote import Remote
from alula.config import load
from alula.data.stores import Objects
from alula.errors import RemoteError
from alula.idl import Identifier, LiteralMap, ResourceType, WorkflowExecutionIdentifier
from alula.idl import WorkflowExecution as Phases
from alula.idl.admin import Envs
from alula.idl.service import (
    ExecutionCreateRequest,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetRequest,
)
from alula.sdk.graph import Entity
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.local import place_at
from alula.sdk.reference import ReferenceEntity
from alula.sdk.workflow import BaseWorkflow
from alula.types.transformer import Place

_ENDS = {Phases.SUCCEEDED: OK, Phases.FAILED: FAILED, Phases.ABORTED: ABORTED, Phases.TIMED_OUT: TIMEOUT}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0
_FAILURES = 20
"""So often in a row a control plane may not answer."""


def run(entity: Entity, program: Program, options: Options, literals: Callable[[Place], LiteralMap]) -> int:
    """Run an entity at a control plane; the exit code.

    Args:
        literals: Makes the inputs that were given, with a place for files.
    """
    with reported(f"running {entity.short_name}"), scratch.Lent("inputs") as here:
        config = load()
        where = profile_of(config.home, name=options.profile, endpoint=options.endpoint)
        project, domain = where.project or config.project, where.domain or config.domain
        place = place_at(str(here), Objects())
        if not isinstance(entity, ReferenceEntity):
            typed(entity, options.answers, place)  # what cannot be is said before anything runs
        inputs = LiteralMap(literals=dict(complete(entity, literals(place), place)))
        with Remote(where) as remote:
            id = _registered(entity, program, options, remote, project, domain)
            request = ExecutionCreateRequest(project=project, domain=domain, name=options.name)
            request.spec.launch_plan.CopyFrom(id)
            request.spec.overwrite_cache = options.overwrite_cache
            request.spec.max_parallelism = options.max_parallelism or 0
            request.spec.envs.CopyFrom(_variables(options))
            if options.raw_output_data_prefix:
                request.spec.raw_output_data_config.output_location_prefix = options.raw_output_data_prefix
            inputs = remote.upload_inputs(inputs, project=project, domain=domain, below=str(here))
            request.inputs.CopyFrom(inputs)
            made = remote.call("CreateExecution", request).id
            if not options.quiet:
                aside(f"execution {made.name} in {made.project}/{made.domain} at {where.endpoint}")
            if options.detach or not options.wait:
                click.echo(made.name)
                return OK
            return _awaited(remote, made, options)


def _registered(
    entity: Entity, program: Program, options: Options, remote: Remote, project: str, domain: str
) -> Identifier:
    """What is to be run, once it is registered there."""
    if isinstance(entity, ReferenceEntity):
        return entity.id
    config, send = load(), sender(remote, project, domain)
    settings = settings_of(
        program, config, send, project=project, domain=domain, image=options.image, copy=options.copy
    )
    remote.register(*messages(checked([entity], settings)))
    kind = ResourceType.LAUNCH_PLAN if isinstance(entity, BaseWorkflow | LaunchPlan) else ResourceType.TASK
    return Identifier(resource_type=kind, project=project, domain=domain, name=entity.name, version=settings.version)


def _awaited(remote: Remote, id: WorkflowExecutionIdentifier, options: Options) -> int:
    try:
        found = _ended(remote, id, options)
    except KeyboardInterrupt:
        aside(f"\nexecution {id.name} goes on without this command")
        raise click.exceptions.Exit(ABORTED) from None
    if found.closure.phase == Phases.SUCCEEDED:
        if text := results.untyped(_outputs(remote, id), options.output):
            click.echo(text)
    else:
        aside(_why(found))
    code: int = _ENDS[found.closure.phase]
    return code


def _outputs(remote: Remote, id: WorkflowExecutionIdentifier) -> LiteralMap:
    """What it gave; what is too large for an answer lies in a file."""
    data = remote.call("GetExecutionData", WorkflowExecutionGetDataRequest(id=id))
    found: LiteralMap = data.full_outputs
    if not found.literals and data.outputs.url:
        found = LiteralMap.FromString(remote.read(data.outputs.url))
    return found


def _ended(remote: Remote, id: WorkflowExecutionIdentifier, options: Options) -> Any:
    """The execution at its end; gates are answered on the way."""
    pause, gates, failed = _FIRST_PAUSE, Gates(remote, id, options.answers), 0
    while True:
        try:
            found = remote.call("GetExecution", WorkflowExecutionGetRequest(id=id))
            if found.closure.phase in _ENDS:
                return found
            gates.attend(quiet=options.quiet)
            failed = 0
        except RemoteError:
            failed += 1  # it may be started again just now; the execution goes on
            if failed > _FAILURES:
                raise
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)


def _why(found: Any) -> str:
    name = Phases.Phase.Name(found.closure.phase).lower().replace("_", " ")
    if found.closure.HasField("abort_metadata"):
        return f"{name}: {found.closure.abort_metadata.cause}"
    return f"{name}: {found.closure.error.code} {found.closure.error.message}"


def _variables(options: Options) -> Envs:
    made = Envs()
    for key, value in options.environment.items():
        made.values.add(key=key, value=value)
    return made

"""From a command line to an execution: code forked first of all, inputs and answers as literals, faults as cards."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alula._kits import lazy, loops
from alula.admin.names import name_fault, new_name, prefix_fault
from alula.cli import durable, texts
from alula.cli.options import Options
from alula.cli.program import Program
from alula.cli.reports import reported
from alula.client.asynchronous import Answers, Ask
from alula.client.shipping import Shipping
from alula.client.submission import CONSTANTS, submission
from alula.config import Config, load
from alula.data import uris
from alula.data.layout import Execution as Files
from alula.data.settings import adopt
from alula.data.stores import Objects
from alula.engine.facts import RAW_PREFIX
from alula.errors import ConfigError, ConversionError
from alula.idl import Literal, LiteralMap, LiteralType, packing
from alula.sdk.graph import Entity
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.local import place_at
from alula.serve.code import Code, with_environment
from alula.serve.crews import fork
from alula.types import maps
from alula.types.transformer import Place

if TYPE_CHECKING:
    from alula.cli import building
else:
    building = lazy.module("alula.cli.building")  # 20 ms, for programs with tasks in containers


def run(entity: Entity, program: Program, options: Options, literals: Callable[[Place], LiteralMap]) -> int:
    """Run an entity durably, as a command line asks for it; the exit code.

    Args:
        literals: Makes the inputs that were given, with a place for files.
    """
    if options.name and (fault := name_fault(options.name)):
        raise click.UsageError(fault)
    with reported(f"running {entity.short_name}"):
        config = durable.settings(load(), options)
        adopt(config.storage, os.environ)  # before there is a process that is to know it
        here = options.wait and not options.detach
        forked = fork(Code.loaded(program.module, target=program.shown)) if here else None
        name = options.name or new_name(random.Random())
        place = _place(config, name)
        inputs = complete(entity, literals(place), place)
        made = submission(
            entity,
            project=config.project,
            domain=config.domain,
            place=place_at(uris.join(config.data_prefix, CONSTANTS), Objects()),
            target=program.shown,
            module=program.module,
            shipping=_shipping(config, options),
        )
        facts = {"cwd": str(Path.cwd()), **with_environment(options.environment), **_user_data(options)}
        ask = Ask(name, durable.wanted(options), _answers(options) if options.answer else None, facts=facts)
        return loops.run(durable.run(config, durable.Job(entity, made, inputs, ask, options, forked)))


def _shipping(config: Config, options: Options) -> Shipping:
    """What tasks in containers get; images are built before our eyes."""
    made = Shipping.of(config, copy=options.copy, images=options.image)
    if made.needed:
        building.say_builds(quiet=options.quiet)
    elif options.image or options.copy:
        raise click.UsageError(
            "--image and --copy are for tasks that run in containers, and here the workers run them: "
            'write `python-task = "docker"` below [backends.routes] in alula.toml'
        )
    return made


def _place(config: Config, name: str) -> Place:
    files = Files.under(config.data_prefix, project=config.project, domain=config.domain, name=name)
    return place_at(uris.join(files.prefix, "given"), Objects())


def complete(entity: Entity, given: LiteralMap, place: Place) -> Mapping[str, Literal]:
    """The inputs with the defaults that Python declares; a launch plan's spec has its own."""
    found = dict(given.literals)
    if not isinstance(entity, LaunchPlan):
        for name, one in entity.interface.inputs.items():
            if name not in found:
                found[name] = maps.literal(one.default, one.converter, place)
    return found


def _user_data(options: Options) -> Mapping[str, str]:
    """Where files go, if not below `data`."""
    wanted = options.raw_output_data_prefix
    if not wanted:
        return {}
    prefix = wanted if "://" in wanted else str(Path(wanted).absolute())
    if fault := prefix_fault(prefix):
        raise click.UsageError(f"--raw-output-data-prefix: {fault.partition(': ')[2]}")
    return {RAW_PREFIX: prefix}


def _answers(options: Options) -> Answers:
    """Makes answers to gates of what the command line says. Raises ConfigError for one that does not fit."""

    def made(types: Mapping[str, LiteralType]) -> Mapping[str, Literal]:
        return {gate: answer(gate, text, types) for gate, text in options.answers.items()}

    return made


def answer(gate: str, text: str, types: Mapping[str, LiteralType]) -> Literal:
    """One answer to a gate, from text. Raises ConfigError."""
    lt = types.get(gate)
    if lt is None:
        there = ", ".join(sorted(types)) or "none"
        raise ConfigError(f"there is no gate {gate!r}", where=f"the gates are: {there}")
    try:
        return packing.literal_of(texts.from_text(text, lt, datetime.now(UTC)), lt)
    except ConversionError as exc:
        raise ConfigError(f"the answer to gate {gate} is wrong: {exc.what}", fix=exc.fix) from None

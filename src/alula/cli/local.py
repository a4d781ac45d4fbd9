"""`alula run --local`: the entity called in this process, for debuggers; nothing is kept."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from alula._kits import lazy
from alula.cli import results
from alula.cli.aside import aside
from alula.cli.execution import Outcome, Run, Settings, run_entity
from alula.cli.options import Options
from alula.cli.program import kind_of
from alula.cli.progress import Progress
from alula.errors import ConfigError
from alula.idl import LiteralMap
from alula.sdk.graph import Entity

if TYPE_CHECKING:
    from alula.cli import answers, card
else:
    answers = lazy.module("alula.cli.answers")  # only a run with gates comes there
    card = lazy.module("alula.cli.card")  # only a run that fails


def run(entity: Entity, literals: LiteralMap, run: Run, options: Options) -> int:
    """Run an entity to its end, and print what it gives; the exit code."""
    progress = None if options.quiet else Progress()
    title = f"{kind_of(entity)} {entity.short_name}"
    try:
        settings = Settings(
            cache=options.cache,
            overwrite_cache=options.overwrite_cache,
            answers=answers.typed(entity, options.answers, run.place) if options.answer else {},
            observe=progress.tell if progress else None,
        )
        with progress.watching() if progress else nullcontext():
            outcome = run_entity(entity, literals, run, settings)
    except ConfigError as exc:
        raise click.UsageError(str(exc)) from None
    except BaseException as exc:  # noqa: BLE001 - the boundary to the user's code, which may raise anything
        if isinstance(exc, KeyboardInterrupt):
            aside(f"{click.style('✗', fg='red')} {title} aborted")
        else:
            aside(card.card(exc, title, verbose=options.verbose))
            _say_reports(run)
        return card.exit_code(exc)
    text = results.shown(outcome.outputs, entity.interface, run.place, options.output)
    if text:
        click.echo(text)
    if not options.quiet:
        _farewell(title, outcome, run)
    return 0


def _farewell(title: str, outcome: Outcome, run: Run) -> None:
    took = click.style(f"  {outcome.seconds:.1f} s", dim=True) if outcome.seconds >= 0.1 else ""
    aside(f"{click.style('✓', fg='green')} {title} succeeded{took}")
    _say_reports(run)


def _say_reports(run: Run) -> None:
    if run.reports.is_dir():
        for path in sorted(run.reports.iterdir()):
            aside(f"  report: {path}")

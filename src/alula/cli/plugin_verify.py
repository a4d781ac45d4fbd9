"""`alula plugin verify`: a plugin against the real engine, with everything that can go wrong at each of its calls."""

from __future__ import annotations

import os
import sys

import click

from alula.cli.documents import as_json
from alula.errors import AlulaError
from alula.testing.kit import verify as verified
from alula.testing.kit.found import harnesses_of


@click.command()
@click.argument("package")
@click.option("--seed", default=0, show_default=True, help="Which pairs of faults are tried.")
@click.option("--pairs", default=600, show_default=True, help="How many pairs of faults at most.")
@click.option("--seconds", type=float, default=None, help="Leave out what is not tried by then, per harness.")
@click.option("--only", default="", help="The harness of this name, where there are several.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(package: str, seed: int, pairs: int, seconds: float | None, only: str, output: str) -> None:
    """Try everything that can go wrong at each call of a plugin, and grade it.

    PACKAGE is a distribution, a module, a plugin's name, or module:Class. Exit code 1: it breaks a promise.
    """
    if os.getcwd() not in sys.path:  # modules of the folder, as for `python -m`
        sys.path.insert(0, os.getcwd())
    try:
        harnesses = [one for one in harnesses_of(package) if only in ("", one.name)]
    except AlulaError as exc:
        raise click.ClickException(str(exc)) from exc
    if not harnesses:
        raise click.ClickException(f"{package} has no harness {only!r}")
    reports = [verified(harness, seed=seed, pairs=pairs, seconds=seconds) for harness in harnesses]
    if output == "json":
        click.echo(as_json([report.plain() for report in reports]))
    else:
        click.echo("\n".join(report.text() for report in reports))
    sys.exit(not all(report.ok for report in reports))

"""`alula`: the commands, each loaded when it is called."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from alula._kits import lazy, standard
from alula.cli.aside import aside, give_up
from alula.cli.groups import LazyGroup
from alula.errors import AlulaError

if TYPE_CHECKING:
    from importlib import metadata
else:
    metadata = lazy.module("importlib.metadata")  # 15 ms that no other command need pay

GROUP = "alula.cli"
"""Entry points whose name is a command: a click command."""

COMMANDS = {
    "run": ("alula.cli.run:run", "Run a task or workflow of a file or module."),
    "get": ("alula.cli.get:get", "Show executions, nodes, inputs, outputs and logs."),
    "logs": ("alula.cli.logs:logs", "Show what tasks printed; -f follows them."),
    "why": ("alula.cli.why:why", "Say why an execution or a node does not go on."),
    "approve": ("alula.cli.answering:approve", "Say yes or no at a gate."),
    "signal": ("alula.cli.answering:signal", "Give a gate its value."),
    "abort": ("alula.cli.again:abort", "Stop an execution."),
    "recover": ("alula.cli.again:recover", "Go on from what succeeded in an execution that failed."),
    "rerun": ("alula.cli.again:rerun", "Run nodes of an execution again."),
    "pool": ("alula.cli.pool:pool", "Look after units that tasks share: quotas."),
    "leaks": ("alula.cli.leaks:leaks", "List what is alive and should not be; stop it."),
    "gc": ("alula.cli.gc:gc", "Remove old executions, their files, and cache entries."),
    "serve": ("alula.cli.serve:serve", "Drive all executions in the store."),
    "token": ("alula.cli.token:token", "Look after the API tokens of a control plane."),
    "inspect": ("alula.cli.inspect:inspect", "Show what a file or module holds."),
    "register": ("alula.cli.register:register", "Register a program, here or at a control plane."),
    "export": ("alula.cli.export:export", "Write a package that registers at a stock Flyte."),
    "compile": ("alula.cli.compile:compile", "Check workflows, and write the specs that register them."),
    "cache": ("alula.cli.cache:cache", "Forget cached results."),
    "image": ("alula.cli.image:image", "Build the images of tasks that run in containers."),
    "plugin": ("alula.cli.plugin:plugin", "Look after backend plugins: verify and grade them."),
    "agent": ("alula.cli.agent:agent", "Serve plugins as agents, and check agents."),
    "container": ("alula.cli.container:container", "Try out container tasks without a container engine."),
    "doctor": ("alula.cli.doctor:doctor", "Show versions, plugins, and which types are available."),
}
"""Command to where it is, and what it does in one line: `alula --help` imports none of them."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_STAYS = "What was done stays: alula get shows it."
HIDDEN = {"drive": "alula.cli.serve:drive"}
"""Commands that other commands start."""


class Commands(LazyGroup):
    """The table above, and what other distributions add."""

    table = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(set(lazy.entry_points(GROUP)) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS or cmd_name in HIDDEN:
            return self.loaded(HIDDEN.get(cmd_name) or COMMANDS[cmd_name][0])
        if cmd_name not in lazy.entry_points(GROUP):
            return None
        try:
            return lazy.load(GROUP, cmd_name)  # type: ignore[no-any-return]
        except AlulaError as exc:
            raise click.ClickException(str(exc)) from exc

    def lines(self) -> list[tuple[str, str]]:
        theirs = sorted(lazy.entry_points(GROUP).items())
        return super().lines() + [
            (name, f"from {lazy.distribution(point)}") for name, point in theirs if name not in COMMANDS
        ]

    def main(self, *args: Any, **extra: Any) -> Any:
        if os.environ.get("NO_COLOR"):
            extra.setdefault("color", False)
        try:
            return super().main(*args, **extra)
        except OSError as exc:
            if exc.filename is not None or exc.errno not in _FULL:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is buffered would fail once more at the exit
            aside(f"Error: what was to be printed has no place: {exc.strerror}. {_STAYS}")
            sys.exit(1)
        finally:
            give_up()


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"alula {metadata.version('alula')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def app() -> None:
    """Typed tasks, composed into workflows, run anywhere.

    Start with: alula run FILE
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script. Exit codes: 0 ok, 1 failed, 2 usage, 3 aborted, 4 timeout, 5 server."""
    standard.fill()
    app.main(args=None if argv is None else list(argv), prog_name="alula")
    raise AssertionError("unreachable: click exits")


if __name__ == "__main__":
    main()

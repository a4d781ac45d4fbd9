"""`alula agent`: serve plugins to any engine that calls agents, and look at agents from outside."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "serve": ("alula.cli.agent_serve:serve", "Serve plugins as an agent of Flyte's protocol."),
    "check": ("alula.cli.agent_check:check", "Say what an agent serves, and whether it keeps the protocol."),
}
"""Command to where it is, and what it does in one line."""


class _Commands(click.Group):
    """The table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            found: click.Command = getattr(import_module(module), name)
        except ModuleNotFoundError as exc:
            if exc.name is None or not exc.name.startswith("grpc"):
                raise
            raise click.ClickException("agents need gRPC: pip install 'alula[agents]'") from exc
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(cls=_Commands)
def agent() -> None:
    """Serve plugins as agents, and check agents."""

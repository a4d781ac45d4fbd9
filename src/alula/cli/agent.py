"""`alula agent`: serve plugins to any engine that calls agents, and look at agents from outside."""

from __future__ import annotations

import click

from alula.cli.groups import LazyGroup

COMMANDS = {
    "serve": ("alula.cli.agent_serve:serve", "Serve plugins as an agent of Flyte's protocol."),
    "check": ("alula.cli.agent_check:check", "Say what an agent serves, and whether it keeps the protocol."),
}
"""Command to where it is, and what it does in one line."""


class _Commands(LazyGroup):
    table = COMMANDS
    needs = dict.fromkeys(("grpc", "grpc_health", "grpc_reflection"), "agents need gRPC: pip install 'alula[agents]'")


@click.group(cls=_Commands)
def agent() -> None:
    """Serve plugins as agents, and check agents."""

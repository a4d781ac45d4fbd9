"""`alula agent check`: an agent from outside."""

from __future__ import annotations

import asyncio
import sys

import click

from alula.backends.agent.channels import Channels, Peer
from alula.backends.agent.checking import Check, check_agent
from alula.backends.agent.settings import Endpoint
from alula.cli.documents import as_json
from alula.cli.reports import reported
from alula.plugin.announcing import is_loopback


@click.command()
@click.argument("address", metavar="HOST:PORT")
@click.option("--ca", default="", type=click.Path(), help="PEM file with the authorities of its certificate.")
@click.option("--cert", default="", type=click.Path(), help="PEM file with our own certificate.")
@click.option("--key", default="", type=click.Path(), help="PEM file with its key.")
@click.option("--server-name", default="", help="The name in its certificate.")
@click.option("--token-file", default="", type=click.Path(), help="File with the token that it wants.")
@click.option("--plaintext/--tls", default=None, help="Plain text or TLS; by default plain text to this machine only.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(
    address: str,
    *,
    ca: str,
    cert: str,
    key: str,
    server_name: str,
    token_file: str,
    plaintext: bool | None,
    output: str,
) -> None:
    """Say what an agent serves, whether it answers, and whether it keeps the protocol.

    Nothing is started: it is asked about jobs and task types that there are not. Exit code 1: it breaks the protocol.
    """
    with reported(f"checking {address}"):
        plain = (is_loopback(address) and not ca) if plaintext is None else plaintext
        endpoint = Endpoint(
            address=address,
            plaintext=plain,
            ca_file=ca,
            cert_file=cert,
            key_file=key,
            server_name=server_name,
            token_file=token_file,
        )
        checks = asyncio.run(_check(Peer("checked", address, endpoint)))
    if output == "json":
        click.echo(as_json([{"name": one.name, "ok": one.ok, "said": one.said} for one in checks]))
    else:
        for one in checks:
            mark = {True: "ok  ", False: "FAIL", None: "note"}[one.ok]
            click.echo(f"{mark} {one.name}: {one.said}")
    sys.exit(any(one.ok is False for one in checks))


async def _check(peer: Peer) -> list[Check]:
    channels = Channels()
    try:
        return await check_agent(channels, peer)
    finally:
        await channels.aclose()

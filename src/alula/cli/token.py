"""`alula token`: API tokens for a control plane. The file holds names and digests; a token is shown once."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

import click

from alula.cli.reports import reported
from alula.config import load
from alula.errors import ConfigError
from alula.services.gate import parse_tokens

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}")
_file = click.option(
    "--file", "path", type=click.Path(path_type=Path), default=None, help="Instead of [server] tokens."
)


@click.group()
def token() -> None:
    """Look after the API tokens of a control plane."""


@token.command()
@click.argument("name")
@_file
def new(name: str, path: Path | None) -> None:
    """Make a token for NAME, and print it; it cannot be shown again."""
    with reported("making a token"):
        where = _where(path)
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a token", fix="letters, digits and . _ @ -, 63 at most")
        if name in _names(where):
            raise ConfigError(f"{name} has a token already", where=str(where), fix=f"alula token drop {name}")
        made = f"alula_{secrets.token_urlsafe(32)}"
        lines = _lines(where)
        _write(where, [*lines, f"{name} {hashlib.sha256(made.encode()).hexdigest()}"])
        click.echo(made)
        click.echo(f"kept as a digest in {where}: [server] tokens names this file", err=True)


@token.command(name="list")
@_file
def list_(path: Path | None) -> None:
    """Name all who have a token."""
    with reported("listing tokens"):
        for name in _names(_where(path)):
            click.echo(name)


@token.command()
@click.argument("name")
@_file
def drop(name: str, path: Path | None) -> None:
    """Take NAME's token back; running servers notice it at once."""
    with reported("dropping a token"):
        where = _where(path)
        names = _names(where)
        if name not in names:
            raise ConfigError(f"{name} has no token", where=str(where), fix=f"there are: {', '.join(names) or 'none'}")
        _write(where, [line for line in _lines(where) if line.split()[:1] != [name]])


def _where(path: Path | None) -> Path:
    config = load()
    return path or config.server.tokens or config.home / "tokens"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except OSError as exc:
        raise ConfigError(f"the file of tokens cannot be read: {exc.strerror}", where=str(path)) from exc


def _names(path: Path) -> list[str]:
    return sorted(parse_tokens("\n".join(_lines(path)), str(path)).values())


def _write(path: Path, lines: list[str]) -> None:
    """All or nothing, readable by its owner only."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
        part.replace(path)
    except OSError as exc:
        raise ConfigError(f"the file of tokens cannot be written: {exc.strerror}", where=str(path)) from exc

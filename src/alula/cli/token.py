"""`alula token`: API tokens for a control plane. The file holds names and digests; a token is shown once."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from alula._kits.units import duration
from alula.cli.reports import reported
from alula.config import load
from alula.errors import ConfigError
from alula.services.gate import Whose, parse_tokens

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}")
_file = click.option(
    "--file", "path", type=click.Path(path_type=Path), default=None, help="Instead of [server] tokens."
)
_NEVER = datetime.max.replace(tzinfo=UTC)


def _span(ctx: click.Context, param: click.Parameter, text: str | None) -> timedelta | None:
    try:
        return duration(text) if text else None
    except ValueError as exc:
        raise click.BadParameter(str(exc), ctx, param) from None


@click.group()
def token() -> None:
    """Look after the API tokens of a control plane."""


@token.command()
@click.argument("name")
@click.option("--expires", callback=_span, metavar="AGE", help="It ends after that, such as 90d.  [default: never]")
@_file
def new(name: str, expires: timedelta | None, path: Path | None) -> None:
    """Make a token for NAME, and print it; it cannot be shown again."""
    with reported("making a token"):
        where = _where(path)
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a token", fix="letters, digits and . _ @ -, 63 at most")
        if any(one.name == name for one in _known(where)):
            fix = f"alula token roll {name} makes another; alula token drop {name} takes it back"
            raise ConfigError(f"{name} has a token already", where=str(where), fix=fix)
        _make(where, _lines(where), name, expires)


@token.command(short_help="Make another token for NAME, and let the old one end.")
@click.argument("name")
@click.option("--expires", callback=_span, metavar="AGE", help="The new one ends after that.  [default: never]")
@click.option(
    "--keep", callback=_span, default="1h", metavar="AGE", help="So long the old one is good, too.", show_default=True
)
@_file
def roll(name: str, expires: timedelta | None, keep: timedelta, path: Path | None) -> None:
    """Make another token for NAME, and print it; the one before is good for a while, so that all can change."""
    with reported("rolling a token"):
        where = _where(path)
        _check_known(where, name)
        _make(where, [_ending(line, name, _after(keep)) for line in _lines(where)], name, expires)


@token.command(name="list")
@_file
def list_(path: Path | None) -> None:
    """Name all who have a token, and when it ends."""
    with reported("listing tokens"):
        now = datetime.now(UTC)
        if not _known(_where(path)):
            click.echo("no tokens yet: alula token new NAME makes one", err=True)
        for one in sorted(_known(_where(path)), key=lambda one: (one.name, one.until or _NEVER)):
            end = (
                ""
                if one.until is None
                else f"  {'ended' if one.until <= now else 'until'} {one.until:%Y-%m-%d %H:%M} UTC"
            )
            click.echo(f"{one.name}{end}")


@token.command()
@click.argument("name")
@_file
def drop(name: str, path: Path | None) -> None:
    """Take NAME's tokens back; running servers notice it at once."""
    with reported("dropping a token"):
        where = _where(path)
        _check_known(where, name)
        _write(where, [line for line in _lines(where) if line.split()[:1] != [name]])


def _make(where: Path, lines: list[str], name: str, expires: timedelta | None) -> None:
    made = f"alula_{secrets.token_urlsafe(32)}"
    line = f"{name} {hashlib.sha256(made.encode()).hexdigest()}"
    _write(where, [*lines, line if expires is None else f"{line} {_after(expires).isoformat()}"])
    click.echo(made)
    click.echo(f"kept as a digest in {where}: [server] tokens names this file", err=True)


def _ending(line: str, name: str, until: datetime) -> str:
    """A line whose token ends then at the latest, if it is NAME's."""
    words = line.split("#", 1)[0].split()
    if words[:1] != [name] or (len(words) > 2 and datetime.fromisoformat(words[2]) <= until):
        return line
    return f"{words[0]} {words[1]} {until.isoformat()}"


def _after(span: timedelta) -> datetime:
    try:
        return datetime.now(UTC).replace(microsecond=0) + span
    except OverflowError:
        raise ConfigError(
            f"{span} is longer than any calendar", fix="leave it out: the token never ends then"
        ) from None


def _check_known(where: Path, name: str) -> None:
    names = sorted({one.name for one in _known(where)})
    if name not in names:
        raise ConfigError(f"{name} has no token", where=str(where), fix=f"there are: {', '.join(names) or 'none'}")


def _where(path: Path | None) -> Path:
    config = load()
    return path or config.server.tokens or config.home / "tokens"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except OSError as exc:
        raise ConfigError(f"the file of tokens cannot be read: {exc.strerror}", where=str(path)) from exc


def _known(path: Path) -> list[Whose]:
    return list(parse_tokens("\n".join(_lines(path)), str(path)).values())


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

"""`alula gc`: what goes away with time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from alula._kits import lazy
from alula._kits.units import duration, size
from alula.admin.retention import Collected, Policy, collect
from alula.cli.desk import at_desk, store_option
from alula.client.asynchronous import AsyncClient
from alula.data.erase import Erased

if TYPE_CHECKING:
    from alula.services import uploaded
else:
    uploaded = lazy.module("alula.services.uploaded")  # the wire of the control plane, for those who have served one

_SHOWN = 20


def _span(ctx: click.Context, param: click.Parameter, text: str | None) -> timedelta | None:
    try:
        return duration(text) if text else None
    except ValueError as exc:
        raise click.BadParameter(str(exc), ctx, param) from None


def _bytes(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    try:
        return size(text) if text else None
    except ValueError as exc:
        raise click.BadParameter(str(exc), ctx, param) from None


@click.command()
@click.option("--older-than", callback=_span, metavar="AGE", help="Executions that ended longer ago, such as 30d.")
@click.option("--keep", type=click.IntRange(min=0), default=None, metavar="N", help="All but the newest N that ended.")
@click.option("--cache", "cache_age", callback=_span, metavar="AGE", help="Cache entries unused for so long.")
@click.option("--cache-size", callback=_bytes, metavar="SIZE", help="The cache's longest unused above it, as 5GB.")
@click.option("--uploads", callback=_span, metavar="AGE", help="Uploads that old, to which nothing refers.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@store_option
def gc(
    older_than: timedelta | None,
    keep: int | None,
    cache_age: timedelta | None,
    cache_size: int | None,
    uploads: timedelta | None,
    **where: Any,
) -> None:
    """Remove executions that ended, with their files, cache entries, and uploads. What is open, or in use, stays."""
    dry_run: bool = where["dry_run"]
    if all(one is None for one in (older_than, keep, cache_age, cache_size, uploads)):
        raise click.UsageError(
            "say what may go: --older-than AGE, --keep N, --cache AGE, --cache-size SIZE or --uploads AGE"
        )
    if uploads is not None and uploads < uploaded.SAFE:
        raise click.UsageError("--uploads: 1h is the least, for who has just uploaded something may be about to use it")

    async def work(client: AsyncClient) -> int:
        limit = client.config.cache.limit_bytes if cache_size is None else cache_size
        policy = Policy(older_than=older_than, keep=keep, cache_unused_for=cache_age, cache_above_bytes=limit)
        found = await collect(client.desk, policy, dry_run=dry_run)
        gone = await uploaded.collect_uploads(client.desk, uploads, dry_run=dry_run) if uploads else Erased()
        found = replace(
            found,
            files=found.files + gone.files,
            freed_bytes=found.freed_bytes + gone.bytes,
            faults=(*found.faults, *gone.faults),
        )
        _tell(found, dry_run)
        return 1 if found.faults else 0

    at_desk("cleaning up", work, store=where["store"])


def _tell(found: Collected, dry_run: bool) -> None:
    for key in found.executions[:_SHOWN]:
        click.echo(key.name)
    if len(found.executions) > _SHOWN:
        click.echo(f"... and {len(found.executions) - _SHOWN:,} more")
    would = "would remove" if dry_run else "removed"
    size = f", {found.freed_bytes / 1e6:,.1f} MB" if found.freed_bytes else ""
    counts = f"{_count(len(found.executions), 'execution')}, {_count(len(found.entries), 'cache entry')}"
    click.echo(f"{would} {counts}, {_count(found.files, 'file')}{size}", err=True)
    if found.kept:
        click.echo(f"files of {_count(len(found.kept), 'attempt')} stay: something else uses them", err=True)
    for fault in found.faults:
        click.echo(f"{click.style('✗', fg='red')} {fault}", err=True)


def _count(count: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what if count == 1 else plural}"

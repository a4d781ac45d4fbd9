"""What the control plane runs when it is timed."""

from __future__ import annotations

from alula import task, workflow


@task
def nothing() -> int:
    """Do nothing."""
    return 1


@workflow
def one() -> int:
    """One task."""
    return nothing()


@workflow
def nine() -> None:
    """Nine of them."""
    for _ in range(9):
        nothing()

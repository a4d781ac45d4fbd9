"""Stand-ins for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

from alula import testing
from alula.compat.names import mirror


@contextmanager
def task_mock(t: Any) -> Iterator[MagicMock]:
    """Calls of a task go to the mock while the block lasts."""
    with testing.task_mock(getattr(t, "__alula_entity__", t)) as mock:
        yield mock


def patch(target: Any) -> Callable[..., Any]:
    """`task_mock` as a decorator of a test, which gets the mock as one more argument."""
    return testing.patch(getattr(target, "__alula_entity__", target))


__getattr__, __dir__ = mirror(__name__, {"alula.sdk.secrets": "SecretsManager"})

"""The two ways to watch an engine, each imported only when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alula._kits import lazy
from alula.errors import ConfigError

if TYPE_CHECKING:
    from alula.observability.metrics import Metrics
    from alula.observability.spans import Spans


def open_metrics() -> Metrics:
    """Metrics with a registry of their own. Raises ConfigError if the extra `metrics` is not installed."""
    try:
        made: Metrics = lazy.module("alula.observability.metrics").Metrics()
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"metrics need the package that {exc.name} is in, which is not installed",
            fix="pip install 'alula[metrics]'",
        ) from exc
    return made


def open_spans() -> Spans | None:
    """Spans for the OpenTelemetry SDK that this process has set up; None if it has none, so that nothing is spent."""
    try:
        made: Spans | None = lazy.module("alula.observability.spans").open_spans()
    except ModuleNotFoundError:
        return None  # nobody can have set it up
    return made

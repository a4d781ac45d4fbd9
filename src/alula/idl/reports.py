"""Messages in which executions are reported: logs, cached outputs, spans of time. Loaded by who shows executions."""

from flyteidl.core.catalog_pb2 import CatalogArtifactTag, CatalogCacheStatus, CatalogMetadata
from flyteidl.core.execution_pb2 import TaskLog
from flyteidl.core.metrics_pb2 import Span
from flyteidl.event.event_pb2 import ExternalResourceInfo, TaskExecutionMetadata

__all__ = [
    "CatalogArtifactTag",
    "CatalogCacheStatus",
    "CatalogMetadata",
    "ExternalResourceInfo",
    "Span",
    "TaskExecutionMetadata",
    "TaskLog",
]

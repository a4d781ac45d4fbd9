"""Messages of the two catalogs of outputs (flyteidl.datacatalog, flyteidl.cacheservice), by module: names repeat.

`datacatalog.GetArtifactRequest`, `cache.GetCacheRequest`. Loaded only by those who serve one or call one.
"""

from flyteidl.cacheservice import cacheservice_pb2 as cache
from flyteidl.datacatalog import datacatalog_pb2 as datacatalog

__all__ = ["cache", "datacatalog"]

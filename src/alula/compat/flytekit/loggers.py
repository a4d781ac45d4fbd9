"""flytekit's loggers, by their names."""

import logging

from alula.compat.names import mirror

LOGGING_ENV_VAR = "FLYTE_SDK_LOGGING_LEVEL"
LOGGING_FMT_ENV_VAR = "FLYTE_SDK_LOGGING_FORMAT"
LOGGING_RICH_FMT_ENV_VAR = "FLYTE_SDK_RICH_TRACEBACKS"

logger = logging.getLogger("flytekit")
developer_logger = logging.getLogger("developer")
user_space_logger = logging.getLogger("user_space")

__getattr__, __dir__ = mirror(__name__, {})

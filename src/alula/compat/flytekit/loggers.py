"""flytekit's loggers, by their names."""

import logging

from alula.compat.names import mirror

LOGGING_ENV_VAR = "FLYTE_SDK_LOGGING_LEVEL"
LOGGING_FMT_ENV_VAR = "FLYTE_SDK_LOGGING_FORMAT"
LOGGING_RICH_FMT_ENV_VAR = "FLYTE_SDK_RICH_TRACEBACKS"

LOGGING_DEV_ENV_VAR = "FLYTE_SDK_DEV_LOGGING_LEVEL"

logger = logging.getLogger("flytekit")
developer_LOGGING_DEV_ENV_VAR = "FLYTE_SDK_DEV_LOGGING_LEVEL"

logger = logging.getLogger("developer")
user_space_LOGGING_DEV_ENV_VAR = "FLYTE_SDK_DEV_LOGGING_LEVEL"

logger = logging.getLogger("user_space")


def is_rich_logging_enabled() -> bool:
    return False


def initialize_global_loggers() -> None:
    """Nothing: whoever runs the program sets up its logging."""


__getattr__, __dir__ = mirror(__name__, {})

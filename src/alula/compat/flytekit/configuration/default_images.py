"""Images by Python version, as plugins of flytekit name theirs."""

from __future__ import annotations

import enum
import sys
from typing import ClassVar

from alula.compat.names import mirror


class PythonVersion(enum.Enum):
    PYTHON_3_8 = (3, 8)
    PYTHON_3_9 = (3, 9)
    PYTHON_3_10 = (3, 10)
    PYTHON_3_11 = (3, 11)
    PYTHON_3_12 = (3, 12)


class DefaultImages:
    """The start of an image's name for each Python version; a plugin has its own."""

    _DEFAULT_IMAGE_PREFIXES: ClassVar[dict[PythonVersion, str]] = {}

    @classmethod
    def default_image(cls) -> str:
        return cls.find_image_for()

    @classmethod
    def find_image_for(cls, python_version: PythonVersion | None = None, flytekit_version: str | None = None) -> str:
        """The image for a Python version, by default this one; empty if the plugin has none."""
        wanted = python_version.value if python_version is not None else sys.version_info[:2]
        prefix = next((p for v, p in cls._DEFAULT_IMAGE_PREFIXES.items() if v.value == wanted), "")
        return f"{prefix}{flytekit_version or cls.get_version_suffix()}" if prefix else ""

    @classmethod
    def get_version_suffix(cls) -> str:
        return "latest"


__getattr__, __dir__ = mirror(__name__, {})

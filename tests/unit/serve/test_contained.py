"""Which types of task run in containers, as settings say."""

from __future__ import annotations

from typing import Any

import pytest

from alula.serve.contained import contained


@pytest.mark.parametrize(
    ("backends", "python"),
    [
        ({}, False),
        ({"docker": {}}, False),
        ({"docker": {"user_containers": True}}, True),
        ({"docker": {"user_containers": True}, "routes": {"python-task": "workers"}}, False),
        ({"routes": {"python-task": "docker"}}, True),
    ],
)
def test_python_tasks_run_in_containers_where_settings_say_so(backends: dict[str, Any], python: bool) -> None:
    found = contained(backends)
    assert found.get("python-task", found.get("", False)) is python

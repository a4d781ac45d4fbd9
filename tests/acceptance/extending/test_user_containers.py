"""Case 2: something prepared around the user's function, in the user's container. Here: wait for a file first."""

from __future__ import annotations

import pytest

from tests.integration.images.conftest import Place
from tests.servers.images import ALULA

pytestmark = pytest.mark.timeout(300)  # several commands with containers each
PLUGIN = '''
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alula import TaskPlugin
from alula.errors import TaskTimeout
from alula.sdk import taskplugin


@dataclass(frozen=True)
class After:
    """The function runs when a file is there."""

    file: str
    seconds: float = 20.0


class AfterPlugin(TaskPlugin[After]):
    task_type = "python-task"
    config_type = After

    def custom(self, config: After) -> Mapping[str, object]:
        return {"file": config.file}

    def around(self, config: After) -> AbstractContextManager[Mapping[str, object]]:
        return waiting(config)


@contextmanager
def waiting(config: After) -> Iterator[Mapping[str, object]]:
    end = time.monotonic() + config.seconds
    while not Path(config.file).exists():
        if time.monotonic() > end:
            raise TaskTimeout(f"{config.file} did not come within {config.seconds:g} s")
        time.sleep(0.01)
    yield {"found": Path(config.file).read_text()}


taskplugin.register(AfterPlugin())
'''
PROGRAM = f'''
from after import After
from alula import current_context, task


@task(task_config=After("/etc/passwd"), container_image="{ALULA}")
def first_user() -> str:
    return current_context().found.partition(":")[0]


@task(task_config=After("/never", seconds=0.1), container_image="{ALULA}")
def never() -> str:
    return "not reached"
'''


def test_a_function_is_dressed_by_its_config_in_its_own_container(place: Place) -> None:
    place.write("after.py", PLUGIN)
    place.write("flows.py", PROGRAM)
    assert place.run("flows.py", "first_user").out.strip() == "root"
    place.fails(["run", "flows.py", "never"], "/never did not come within 0.1 s")

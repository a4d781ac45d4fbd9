"""Case 3: a kind of task without a function. Its executor is in an image of its own; the user's program is not."""

from __future__ import annotations

import pytest

from tests.integration.images.conftest import Place
from tests.servers.images import ALULA

pytestmark = pytest.mark.timeout(300)  # several commands with containers each
KIND = '''
from typing import Any

from alula import PrebuiltTask, TemplateExecutor, kwtypes
from alula.idl import TaskTemplate


class Count(TemplateExecutor):
    """Runs in the prebuilt image: template and inputs in, outputs out."""

    def execute(self, template: TaskTemplate, **inputs: Any) -> int:
        return inputs["text"].count(self.custom(template)["letter"])


class CountTask(PrebuiltTask):
    task_type = "count-letters"
    image = "{{.image.count}}"
    executor = Count

    def __init__(self, name: str, letter: str) -> None:
        self.letter = letter
        super().__init__(name, inputs=kwtypes(text=str), outputs=kwtypes(n=int))

    def custom(self) -> dict[str, str]:
        return {"letter": self.letter}
'''
IMAGE = f'''
from alula import ImageSpec

image = ImageSpec(name="count", base_image="{ALULA}", copy=["count_letters.py"])
'''
PROGRAM = """
from alula import workflow
from count_letters import CountTask

letters = CountTask("letters.e", "e")


@workflow
def wf(text: str) -> int:
    return letters(text=text)
"""


def test_the_template_is_all_that_the_image_gets_of_a_program(place: Place) -> None:
    place.write("count_letters.py", KIND)
    place.write("image.py", IMAGE)
    built = place.alula("image", "build", "image.py")
    assert built.code == 0, built
    place.write(
        "alula.toml",
        f'[images]\ncount = "{built.out.strip()}"\n[backends.routes]\ncount-letters = "docker"\n'
        '[backends.docker]\nnetwork = "none"\npull = "never"\n',
    )
    place.write("flows.py", PROGRAM)
    assert place.run("flows.py", "wf", "--text", "engineer").out.strip() == "3"
    data = place.root / "home" / "data"
    assert not (data / ".code").exists()
    [template] = data.rglob("task.pb")
    assert b"count_letters:Count" in template.read_bytes()

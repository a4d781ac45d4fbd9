"""Case 5: any program in any image. It sees words on its command line and files, and knows nothing of Alula."""

from __future__ import annotations

import pytest

from tests.integration.images.conftest import Place
from tests.servers.docker import BUSYBOX

pytestmark = pytest.mark.timeout(300)  # several commands with containers each
PROGRAM = f'''
from alula import ContainerTask, kwtypes, task, workflow

area = ContainerTask(
    name="ellipse.area",
    image="{BUSYBOX}",
    inputs=kwtypes(a=float, b=float, unit=str),
    outputs=kwtypes(area=float, note=str),
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    command=[
        "sh",
        "-c",
        """
        [ "$1" != inches ] || {{ echo "no $1, please" > /var/outputs/_ERROR; exit 1; }}
        awk -v a="$0" -v b="$(cat /var/inputs/b)" 'BEGIN {{ print 3 * a * b }}' > /var/outputs/area
        echo "square $1" > /var/outputs/note
        """,
        "{{{{.inputs.a}}}}",
        "{{{{.Inputs.unit}}}}",
    ],
)


@task
def told(area: float, note: str) -> str:
    return f"{{area:g}} {{note.strip()}}"


@workflow
def wf(a: float, b: float, unit: str = "metres; rm -rf /") -> str:
    got = area(a=a, b=b, unit=unit)
    return told(area=got.area, note=got.note)
'''


def test_a_shell_script_is_a_task_with_types(place: Place) -> None:
    place.write("alula.toml", '[backends.docker]\nnetwork = "none"\npull = "never"\n')
    place.write("flows.py", PROGRAM)
    said = place.run("flows.py", "wf", "--a", "2", "--b", "1.5")
    assert said.out.strip() == "9 square metres; rm -rf /"  # one word stays one word
    place.fails(["run", "flows.py", "wf", "--a", "2", "--b", "1", "--unit", "inches"], "no inches, please")
    assert place.engine.containers() == []

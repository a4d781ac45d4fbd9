"""What is handed to Slurm: no value in a script or on a command line, and nothing that a shell could misread."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alula import File, Resources, Secret, kwtypes, task
from alula.backends.slurm import script
from alula.backends.slurm.config import SlurmJob, SlurmSettings
from alula.backends.slurm.transport import Submission
from alula.errors import Rejected
from alula.idl import Literal, literals
from alula.tasks.slurm import Slurm, SlurmTask
from tests.unit.backends.lending import lent, template_of

SECRET = "s3cr'et $(touch x)"
texts = some.text(some.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40)


@task(task_config=Slurm(partition="long"), requests=Resources(cpu="1500m", mem="2Gi"))
def double(x: int) -> int:
    return 2 * x


def greet(text: str = "echo {{.inputs.who}}", config: Slurm | None = None) -> SlurmTask:
    return SlurmTask(
        name="greet",
        script=text,
        inputs=kwtypes(who=str),
        outputs=kwtypes(said=File),
        task_config=config,
        secret_requests=[Secret(group="db", key="pw", env_var="DB")],
        environment={"COLOUR": "red"},
    )


async def prepared(one: SlurmTask, who: Literal, home: Path) -> tuple[Submission, str]:
    context = lent(template_of(one), {"who": who}, prefix=str(home), secrets={"ALULA_SECRET_DB_PW": SECRET})
    return await script.prepared(context, context.custom(SlurmJob), SlurmSettings(), home)


async def test_values_and_secrets_are_in_variables_only(tmp_path: Path) -> None:
    made, text = await prepared(greet(), literals.string("wörld; rm -rf /"), tmp_path)
    assert made.environment["ALULA_INPUT_who"] == "wörld; rm -rf /"
    assert made.environment["_FSEC_DB_PW"] == made.environment["DB"] == SECRET
    assert made.environment["COLOUR"] == "red"
    seen = f"{made.script} {text} {made.options} {made.comment} {made!r}"
    assert "rm -rf" not in seen
    assert SECRET not in seen


@given(
    value=texts,
    around=some.sampled_from([("", ""), ("'", "'"), ('"', '"'), ("a", "b"), ("'it''s ", "'"), ('"$(printf %s ', ')"')]),
)
def test_no_value_is_ever_read_as_code(value: str, around: tuple[str, str]) -> None:
    text = script.compiled(f"printf '[%s]' {around[0]}{{{{.inputs.x}}}}{around[1]}")
    env = {"ALULA_INPUT_x": value, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["/bin/sh", "-c", text], env=env, capture_output=True, check=True)
    before, after = around[0].replace("'", "").replace('"', ""), around[1].strip("'\")")
    wanted = value.rstrip("\n") if "$(" in before else f"{before}{value}{after}"
    assert done.stdout.decode() == f"[{wanted}]"


async def test_files_on_the_shared_file_system_are_paths(tmp_path: Path) -> None:
    made, _ = await prepared(greet(), literals.blob(f"file://{tmp_path}/in.txt"), tmp_path)
    assert made.environment["ALULA_INPUT_who"] == f"{tmp_path}/in.txt"
    assert made.environment["ALULA_OUTPUT_said"] == str(script.output_file(tmp_path, "said"))


async def test_the_command_of_a_python_task_is_the_script(tmp_path: Path) -> None:
    context = lent(template_of(double), {"x": literals.integer(3)}, prefix=str(tmp_path))
    made, text = await script.prepared(context, context.custom(SlurmJob), SlurmSettings(account="lab"), tmp_path)
    assert text == ""
    assert "alula-execute --inputs" in made.script
    assert (tmp_path / "inputs.pb").exists()
    assert made.options == {"partition": "long", "account": "lab", "cpus-per-task": 2, "mem": "2048M"}


async def test_limits_of_time_count_in_minutes_and_round_up(tmp_path: Path) -> None:
    made, _ = await prepared(greet(config=Slurm(time_limit=timedelta(seconds=61))), literals.string(""), tmp_path)
    assert made.options["time"] == 2


@pytest.mark.parametrize(
    ("config", "said"),
    [(Slurm(partition="a; reboot"), "partition"), (Slurm(gres="gpu --uid=0"), "gres"), (Slurm(memory="$(id)"), "mem")],
)
async def test_options_that_are_no_options_are_refused(config: Slurm, said: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=said):
        await prepared(greet(config=config), literals.string(""), tmp_path)


@pytest.mark.parametrize("value", ["a\0b", "x" * 130_000])
async def test_a_value_that_no_variable_takes_is_refused_with_a_way_out(value: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="ALULA_INPUT_who") as caught:
        await prepared(greet(), literals.string(value), tmp_path)
    assert "File" in caught.value.fix


async def test_a_script_that_no_shell_reads_gets_variables_and_no_placeholders(tmp_path: Path) -> None:
    _, text = await prepared(greet("#!/usr/bin/env python3\nprint(1)"), literals.string("x"), tmp_path)
    assert text == "#!/usr/bin/env python3\nprint(1)"
    with pytest.raises(Rejected, match="no shell"):
        await prepared(greet("#!/usr/bin/env python3\nprint({{.inputs.who}})"), literals.string("x"), tmp_path)

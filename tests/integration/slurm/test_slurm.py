"""Tasks on a real Slurm cluster, through the real engine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from alula import AsyncClient, File, Secret, kwtypes, task, workflow
from alula.config import Config, EngineConfig
from alula.data.stores import Objects
from alula.tasks.slurm import Slurm as Ask
from alula.tasks.slurm import SlurmTask
from tests.servers.slurm import Slurm

SECRET = "c4n4ry s3cret"

count = SlurmTask(
    name="count",
    script="""\
echo counting "{{.inputs.words}}" on stdout; echo and on stderr >&2; echo "$_FSEC_DB_PW"
printf '%s' {{.inputs.words}} | wc -w > {{.outputs.n}}
printf '%s' {{.inputs.words}} > {{.outputs.copy}}""",
    inputs=kwtypes(words=str),
    outputs=kwtypes(n=int, copy=File),
    secret_requests=[Secret(group="db", key="pw")],
)
seven = SlurmTask(name="seven", script="echo so long; exit 7", retries=1)
ages = SlurmTask(name="ages", script="echo begun; sleep 600 & sleep 600", task_config=Ask(cpus=1, memory="100M"))
brief = SlurmTask(name="brief", script="sleep 600", task_config=Ask(time_limit=timedelta(minutes=1)))
nowhere = SlurmTask(name="nowhere", script="true", task_config=Ask(partition="moon"))
patient = SlurmTask(
    name="patient",
    script="while [ ! -e {{.inputs.gate}} ]; do sleep 0.1; done; echo $SLURM_JOB_ID > {{.outputs.job}}",
    inputs=kwtypes(gate=str),
    outputs=kwtypes(job=int),
)


@task
def length(words: str) -> int:
    return len(words)


@workflow
def counted(words: str) -> tuple[int, File]:
    return count(words=words)


@asynccontextmanager
async def client(cluster: Slurm, home: Path, **settings: object) -> AsyncIterator[AsyncClient]:
    """Engines of the same home share a store."""
    given = {"conf": str(cluster.conf), "timeout": 5.0, **settings}
    config = Config(home=home, data=str(home / "data"), engine=EngineConfig(outage=timedelta(seconds=60)))
    async with AsyncClient(config=replaced(config, given)) as made:
        yield made


def replaced(config: Config, slurm: dict[str, object]) -> Config:
    return replace(config, backends={"slurm": slurm})


async def until(there: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not await there():
        assert time.monotonic() < end, "it has not come to that"
        await asyncio.sleep(0.1)


async def runs_on(cluster: Slurm) -> bool:
    return any(line.endswith("RUNNING") for line in await asyncio.to_thread(cluster.jobs))


async def test_a_script_gets_its_inputs_leaves_its_outputs_and_no_trace(slurm: Slurm, tmp_path: Path) -> None:
    os.environ["ALULA_SECRET_DB_PW"] = SECRET
    try:
        async with client(slurm, tmp_path) as alula:
            run = await alula.run(counted, words="two $(words); 'three'")
            found = await run.outputs()
            assert found["o0"] == 3
            assert Path(found["o1"]).read_text() == "two $(words); 'three'"
            [attempt] = await run.attempts("n0")
            log = (await Objects().read(attempt.log)).decode()
            assert log.splitlines()[:2] == ["counting two $(words); 'three' on stdout", "and on stderr"]
    finally:
        del os.environ["ALULA_SECRET_DB_PW"]
    assert slurm.jobs() == []
    spoken = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert [path.name for path in spoken] == ["log.txt"]  # where the script itself has printed it
    everything = slurm.run("scontrol", "show", "job", "-o") + slurm.run("scontrol", "write", "batch_script", "1", "-")
    assert SECRET not in everything


async def test_an_exit_code_fails_the_attempt_at_the_users_cost(slurm: Slurm, tmp_path: Path) -> None:
    async with client(slurm, tmp_path) as alula:
        run = await alula.run(seven)
        attempts = await run.attempts("n0")
        assert run.phase == "failed"
        assert [one.failure.code for one in attempts if one.failure] == ["USER:Exit7", "USER:Exit7"]
        assert "so long" in (await Objects().read(attempts[1].log)).decode()


async def test_what_the_cluster_refuses_fails_at_once_with_its_words(slurm: Slurm, tmp_path: Path) -> None:
    async with client(slurm, tmp_path) as alula:
        run = await alula.run(nowhere)
        [attempt] = await run.attempts("n0")
        assert attempt.failure is not None
        assert attempt.failure.code == "SlurmRefused"
        assert "invalid partition" in attempt.failure.message.lower()


async def test_abort_leaves_nothing_on_the_cluster(slurm: Slurm, tmp_path: Path) -> None:
    async with client(slurm, tmp_path) as alula:
        run = await alula.run(ages, wait=False)
        await until(lambda: runs_on(slurm))
        await run.abort("enough")
        assert run.phase == "aborted"
        assert slurm.jobs() == []
        sleeping = subprocess.run(["pgrep", "-fx", "sleep 600"], capture_output=True, check=False).stdout
        assert sleeping == b""


async def test_slurms_own_time_limit_is_told(slurm: Slurm, tmp_path: Path) -> None:
    async with client(slurm, tmp_path) as alula:
        run = await alula.run(brief, wait=False)
        await until(lambda: runs_on(slurm))
        [job] = slurm.jobs()
        slurm.run("scontrol", "update", f"JobId={job.split()[0]}", "EndTime=now+2")  # one that has passed is refused
        await run.wait(90)
        [attempt] = await run.attempts("n0")
        assert attempt.failure is not None
        assert attempt.failure.code == "SlurmTimeLimit"


async def test_an_outage_of_the_controller_is_survived_and_nobody_pays(slurm: Slurm, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with client(slurm, tmp_path, timeout=2.0) as alula:
        run = await alula.run(patient, wait=False, gate=str(gate))
        await until(lambda: runs_on(slurm))
        slurm.stop_controller()
        try:

            async def told() -> bool:
                [attempt] = await run.attempts("n0")
                return "squeue" in attempt.reason

            await until(told, 60)
        finally:
            slurm.start_controller()
        gate.touch()  # now: a job that ends without a controller tells it so much later
        await run.wait(90)
        assert (run.phase, len(await run.attempts("n0"))) == ("succeeded", 1)


async def test_a_job_that_the_cluster_has_lost_is_the_systems_fault(slurm: Slurm, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with client(slurm, tmp_path) as alula:
        run = await alula.run(patient, wait=False, gate=str(gate))
        await until(lambda: runs_on(slurm))
        slurm.stop_controller()
        slurm.start_controller(forget=True)

        async def again() -> bool:
            return len(await run.attempts("n0")) == 2

        await until(again, 60)
        gate.touch()
        await run.wait(60)
        first, second = await run.attempts("n0")
        assert first.failure is not None
        assert first.failure.kind == "system"
        assert (run.phase, second.phase) == ("succeeded", "succeeded")


async def test_slurmrestd_does_what_the_commands_do(slurm: Slurm, tmp_path: Path) -> None:
    url = slurm.start_rest()
    os.environ["ALULA_SECRET_SLURM_JWT"] = slurm.token()
    try:
        async with client(slurm, tmp_path, url=url) as alula:
            gate = tmp_path / "gate"
            gate.touch()
            run = await alula.run(patient, gate=str(gate))
            assert run.phase == "succeeded"
            failed = await alula.run(seven)
            assert failed.phase == "failed"
            aborted = await alula.run(ages, wait=False)
            await until(lambda: runs_on(slurm))
            await aborted.abort("enough")
            assert slurm.jobs() == []
    finally:
        del os.environ["ALULA_SECRET_SLURM_JWT"]


PROGRAM = """\
import os
from alula import task, workflow
from alula.tasks.slurm import Slurm

@task(task_config=Slurm(time_limit=None, memory="200M"))
def double(x: int) -> int:
    print("job", os.environ["SLURM_JOB_ID"])
    return 2 * x

@task(task_config=Slurm())
def fails(x: int) -> int:
    raise ValueError(f"no {x}")

@workflow
def wf(x: int) -> int:
    return double(x=double(x=x))
"""

STOPPED = """\
#!/bin/sh
# Hands the job in, and never says so.
{sbatch} "$@" > {home}/said
touch {home}/submitted
exec sleep 60
"""


def alula(program: Path, cluster: Slurm, *words: str, **more: str) -> subprocess.Popen[str]:
    env = {**cluster.environ(), "ALULA_HOME": str(program.parent / "home"), "NO_COLOR": "1", **more}
    at = words.index("--name") + 2 if "--name" in words else 0
    command = [sys.executable, "-m", "alula.cli.main", "run", *words[:at], program.name, *words[at:]]
    return subprocess.Popen(
        command, cwd=program.parent, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_python_functions_run_as_jobs(slurm: Slurm, tmp_path: Path) -> None:
    program = tmp_path / "flow.py"
    program.write_text(PROGRAM)
    out, err = alula(program, slurm, "wf", "--x", "5").communicate(timeout=100)
    assert out.strip() == "20", err
    out, err = alula(program, slurm, "fails", "--x", "5").communicate(timeout=100)
    assert "ValueError: no 5" in err
    assert slurm.jobs() == []


def test_an_engine_that_is_killed_before_it_hears_of_its_job_finds_it_again(slurm: Slurm, tmp_path: Path) -> None:
    program = tmp_path / "flow.py"
    program.write_text(PROGRAM)
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("squeue", "scancel", "sacct"):
        (commands / name).write_text(f'#!/bin/sh\nexec /usr/bin/{name} "$@"\n')
    (commands / "sbatch").write_text(STOPPED.format(sbatch="/usr/bin/sbatch", home=tmp_path))
    for one in commands.iterdir():
        one.chmod(0o755)
    before = set(slurm.jobs(all_states=True))
    first = alula(
        program, slurm, "--name", "once", "double", "--x", "5", ALULA__BACKENDS__SLURM__COMMANDS=str(commands)
    )
    end = time.monotonic() + 60
    while not (tmp_path / "submitted").exists():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, err = alula(program, slurm, "--name", "once", "double", "--x", "5").communicate(timeout=100)
    assert out.strip() == "10", err
    made = set(slurm.jobs(all_states=True)) - before
    assert [line.split()[0] for line in made] == [(tmp_path / "said").read_text().strip()]

"""A real Slurm cluster of one node, made for the test run and thrown away after it. Usable outside of pytest, too:

with slurm_cluster() as cluster:
    subprocess.run(["sinfo"], env=cluster.environ())

It has its own munge, keys, state and ports. Every call of a client has a time limit, because clients hang for minutes
where no controller answers.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmrestd", "sbatch", "squeue", "scontrol", "scancel")
_APT = "apt-get install slurmctld slurmd slurm-client slurmrestd munge slurm-wlm-jwt-plugin"
_START_SECONDS = 40.0
_CALL_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_STARTING = ThreadPoolExecutor(1, thread_name_prefix="slurm")

_CONF = """\
ClusterName=alula
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={home}/jwt.key
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=20000,bf_interval=2,batch_sched_delay=0
MailProg=/bin/true
MinJobAge={forget_after}
KillWait=2
ReturnToService=2
MessageTimeout=10
SlurmdTimeout=300
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=20000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=small Nodes={host} MaxTime=5 State=UP
"""


class NoSlurm(Exception):
    """There is no Slurm on this machine, or it may not be started."""


class Slurm:
    """A cluster with its own state, on free ports of this machine.

    Args:
        home: An empty directory.
        forget_after: Seconds after which it forgets a job that has ended.
    """

    def __init__(self, home: Path, *, forget_after: int = 3600) -> None:
        self.home = home
        self.conf = home / "slurm.conf"
        self.rest_port = 0
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("state", "spool"):
            (home / name).mkdir()
        (home / "jwt.key").write_bytes(secrets.token_bytes(32))
        (home / "jwt.key").chmod(0o600)
        (home / "munge.key").write_bytes(secrets.token_bytes(128))
        (home / "munge.key").chmod(0o600)
        settings = {"host": socket.gethostname().partition(".")[0], "home": home, "forget_after": forget_after}
        settings |= {"ctld_port": _free_port(), "slurmd_port": _free_port()}
        self.conf.write_text(_CONF.format_map(settings))
        self.conf.chmod(0o644)

    def environ(self) -> dict[str, str]:
        """The environment in which Slurm's commands reach this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    def run(self, *argv: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            argv, env=self.environ(), capture_output=True, text=True, timeout=_CALL_SECONDS, check=True
        )
        return done.stdout

    def jobs(self, name: str = "", *, all_states: bool = False) -> list[str]:
        """The jobs that the cluster has, as `ID STATE`: live ones, or all that it remembers."""
        wanted = [f"--name={name}"] if name else []
        states = ["--states=all"] if all_states else []
        return self.run("squeue", "--noheader", "--format=%i %T", *wanted, *states).splitlines()

    def start(self) -> None:
        """Start it, and return when its node takes jobs."""
        munge = ["munged", "--foreground", "--force", f"--socket={self.home}/munge.socket", "--num-threads=2"]
        munge += [f"--key-file={self.home}/munge.key", f"--pid-file={self.home}/munge.pid"]
        munge += [f"--log-file={self.home}/munge.log", f"--seed-file={self.home}/munge.seed"]
        self._start("munged", munge)
        self._until(lambda: (self.home / "munge.socket").exists(), "munged")
        self.start_controller()
        self._start("slurmd", ["slurmd", "-D"])
        self._until(lambda: self._answers("sinfo", "--noheader", "--format=%T").startswith(("idle", "mix")), "slurmd")

    def start_controller(self, *, forget: bool = False) -> None:
        """Start the controller; with all jobs forgotten, as after its state was lost."""
        self._start("slurmctld", ["slurmctld", "-D", *(["-c"] if forget else [])])
        self._until(lambda: "UP" in self._answers("scontrol", "ping"), "slurmctld")

    def stop_controller(self, how: signal.Signals = signal.SIGTERM) -> None:
        """An outage: clients find no controller, while jobs run on."""
        self._stop("slurmctld", how)

    def start_rest(self) -> str:
        """Start `slurmrestd`; its URL."""
        self.rest_port = _free_port()
        command = ["slurmrestd", "-s", "openapi/v0.0.38", "-a", "rest_auth/jwt", f"127.0.0.1:{self.rest_port}"]
        self._start("slurmrestd", command, user="nobody", variables={"SLURM_JWT": "daemon"})
        self._until(self._rest_listens, "slurmrestd")
        return f"http://127.0.0.1:{self.rest_port}"

    def token(self, seconds: int = 3600) -> str:
        """A token for `slurmrestd`."""
        return self.run("scontrol", "token", "username=root", f"lifespan={seconds}").strip().partition("=")[2]

    def stop(self) -> None:
        """End all of it, with the jobs that still run."""
        if "slurmctld" in self._running:
            left = " ".join(line.split()[0] for line in self._answers("squeue", "-h", "-o%i %T").splitlines())
            if left:
                self._answers("scancel", "--signal=KILL", "--full", *left.split())
        for name in ("slurmrestd", "slurmd", "slurmctld", "munged"):
            self._stop(name, signal.SIGTERM)

    def _start(
        self, name: str, command: Sequence[str], *, user: str | None = None, variables: dict[str, str] | None = None
    ) -> None:
        def spawn() -> subprocess.Popen[bytes]:
            with (self.home / f"{name}.out").open("ab") as out:
                return subprocess.Popen(
                    command,
                    env={**self.environ(), **(variables or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=self.home,
                    user=user,
                    group=pwd.getpwnam(user).pw_gid if user else None,
                    extra_groups=[] if user else None,
                    preexec_fn=_die_with_parent,
                )

        # From a thread that stays: Linux takes the end of the thread for that of the parent.
        self._running[name] = _STARTING.submit(spawn).result()

    def _stop(self, name: str, how: signal.Signals) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _until(self, ready: object, name: str) -> None:
        assert callable(ready)
        end = time.monotonic() + _START_SECONDS
        process = self._running[name]
        while process.poll() is None and time.monotonic() < end:
            if ready():
                return
            time.sleep(0.05)
        said = "".join(path.read_text()[-2000:] for path in sorted(self.home.glob(f"{name}.*")) if path.is_file())
        raise NoSlurm(f"{name} did not start ({process.poll()}): {said[-1500:]}")

    def _answers(self, *argv: str) -> str:
        try:
            done = subprocess.run(
                argv, env=self.environ(), capture_output=True, text=True, timeout=_CALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def _rest_listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.rest_port)) == 0


@contextmanager
def slurm_cluster(*, forget_after: int = 3600) -> Iterator[Slurm]:
    """A cluster that runs inside the block.

    Raises:
        NoSlurm: This machine has none, or it does not start here.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise NoSlurm(f"{_APT} (no {', '.join(missing)})")
    if os.geteuid() != 0:
        raise NoSlurm("slurmd must be started by root")
    with tempfile.TemporaryDirectory(prefix="alula-slurm-", ignore_cleanup_errors=True) as made:
        home = Path(made)
        home.chmod(0o755)
        cluster = Slurm(home, forget_after=forget_after)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """No server outlives the tests, also if they are killed."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

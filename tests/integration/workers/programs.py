"""Tasks for the tests of workers: some that behave, and many that do not."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import inspect
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import alula
from alula import Resources, Secret, current_context, dynamic, task
from alula.errors import Recoverable
from alula.idl import TaskTemplate


@task
def add(a: int, b: int = 2) -> int:
    return a + b


@task
async def later(a: int) -> int:
    await asyncio.sleep(0)
    return a + 1


@dynamic
def spread(n: int) -> list[int]:
    return [add(a=i) for i in range(n)]


@task
def whoami() -> tuple[int, int]:
    return os.getpid(), os.getsid(0)


@task
def wait_for(path: str) -> str:
    """Tells its pid in a file, and runs until another one is there."""
    Path(path + ".new").write_text(str(os.getpid()))
    os.rename(path + ".new", path + ".pid")
    while not os.path.exists(path):
        time.sleep(0.005)
    return path


@task
def ends_later(mark: str, how: str = "") -> None:
    """Leaves to the end of its process what a program leaves there."""

    def done() -> None:
        if how == "hang":
            threading.Event().wait()
        Path(mark).write_text(str(os.getpid()))

    atexit.register(done)
    if how == "thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    KEPT.append(tempfile.TemporaryDirectory(dir=Path(mark).parent, prefix="kept-"))


KEPT: list[object] = []


# what is said about the attempt


@task(environment={"FROM_TASK": "task"})
def variables(names: list[str]) -> list[str]:
    return [os.environ.get(name, "-") for name in names]


@task(secret_requests=[Secret(group="db", key="password", env_var="DB_PW")])
def secret() -> list[str]:
    return [current_context().secrets.get("db", "password"), os.environ["DB_PW"]]


@task(enable_deck=True)
def report() -> str:
    return current_context().execution_id.name


@task
def file(text: str) -> alula.File:
    path = Path(current_context().working_directory, "made.txt")
    path.write_text(text)
    return alula.File(str(path))


@task(retries=2)
def resume(fail: bool) -> str:
    checkpoint = current_context().checkpoint
    before = checkpoint.read() if checkpoint.prev_exists() else None
    checkpoint.write((before or b"") + b"+")
    if fail:
        raise RuntimeError("halfway")
    return (before or b"").decode()


@task
def steps(path: str) -> None:
    alula.progress(1, 4, "one")
    for i in range(1000):
        alula.progress(2, 4, f"two {i}")
    while not os.path.exists(path):
        time.sleep(0.005)


# logs


@task
def prints() -> None:
    print("first, to stdout")
    print("second, to stderr", file=sys.stderr)
    os.write(1, b"third, to the descriptor\n")
    subprocess.run(["sh", "-c", "echo fourth, by a subprocess"], check=True)
    os.write(2, b"not UTF-8: \xff\xfe\n")
    print("no newline at the end", end="")


@task
def prints_in_c() -> None:
    ctypes.CDLL(None).puts(b"from C")


@task
def chatters(lines: int) -> None:
    for i in range(lines):
        print(f"line {i} {'x' * 90}")


@task
def closes_output() -> None:
    print("before")
    os.close(1)
    os.close(2)


@task
def replaces_output() -> None:
    sys.stdout = sys.stderr = None  # type: ignore[assignment]


@task
def prints_late(path: str) -> None:
    """A thread prints after the end."""

    def late() -> None:
        while not os.path.exists(path):
            time.sleep(0.002)
        os.write(1, b"far too late\n")

    threading.Thread(target=late, daemon=True).start()


# endings


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@task(retries=1)
def fails(how: str) -> int:
    match how:
        case "value":
            raise ValueError("a bad value")
        case "again":
            raise Recoverable("later perhaps")
        case "unspeakable":
            raise Unspeakable
        case "sys.exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "type":
            return "text"  # type: ignore[return-value]
        case "recursion":
            return fails.fn(how) + 1
        case "shallow":
            print("something")
            sys.setrecursionlimit(len(inspect.stack(0)) + 5)
    return 0


@task
def ends(how: str) -> int:
    match how:
        case "exit":
            os._exit(7)
        case "exit 0":
            os._exit(0)
        case "segfault":
            print("about to crash", flush=True)
            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "socket":
            os.closerange(3, 4096)
        case "nonsense":
            for fd in range(3, 1024):
                with suppress(OSError):
                    socket.socket(fileno=os.dup(fd)).sendall(b"\xff" * 100)
            time.sleep(600)
        case "exec":
            os.execvp("sleep", ["sleep", "600"])
        case _:
            os.kill(os.getpid(), signal.Signals[how])
            time.sleep(60)
    return 1


@task
def forks_twice() -> int:
    os.fork()  # and both return
    return os.getpid()


@task
def ends_children() -> int:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(abs, range(3)))


@task
def ends_forks(count: int) -> int:
    """End children from right after their birth on; how many ended by the signal."""
    ended = 0
    silent, held = os.pipe()
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            os.read(silent, 1)
            os._exit(1)
        until = time.perf_counter() + number % 100 * 10e-6
        while time.perf_counter() < until:
            pass
        os.kill(pid, signal.SIGTERM)
        ended += os.waitpid(pid, 0)[1] == signal.SIGTERM
    os.close(silent)
    os.close(held)
    return ended


@task
def leaves_group() -> int:
    for call in (os.setsid, os.setpgrp):
        with suppress(PermissionError):
            call()
    return 1


@task
def huge(size: int) -> str:
    return "x" * size


# leftovers

LIMITS = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK")


@task
def messes(how: str) -> int:
    match how:
        case "environ":
            os.environ["LEFT_BEHIND"] = "1"
            os.environ.pop("HOME", None)
        case "cwd":
            os.chdir("/")
        case "gone cwd":
            os.mkdir("gone")
            os.chdir("gone")
            os.rmdir("../gone")
        case "umask":
            os.umask(0)
        case "path":
            sys.path.insert(0, "/left/behind")
        case "handler":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        case "mask":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
        case "alarm":
            signal.alarm(1)
        case "thread":
            threading.Thread(target=time.sleep, args=(60,)).start()
        case "process":
            subprocess.Popen(["sleep", "60"])
        case "recursion":
            sys.setrecursionlimit(sys.getrecursionlimit() // 2)
            print("something")
        case "nice":
            os.nice(1)
        case "descriptors":
            os.closerange(3, 100)
        case "reused":
            os.closerange(3, 100)
            KEPT.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(40))
        case _:
            kind = getattr(resource, how)
            soft, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, ((1 << 40 if soft == resource.RLIM_INFINITY else soft - 1), hard))
            print("something")
    return os.getpid()


@task
def state() -> list[str]:
    umask = os.umask(0o22)
    os.umask(umask)
    return [
        str(os.getpid()),
        os.getcwd(),
        oct(umask),
        str("/left/behind" in sys.path),
        os.environ.get("LEFT_BEHIND", "-"),
        str("HOME" in os.environ),
        str(signal.getsignal(signal.SIGINT)),
        str(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        str(signal.getitimer(signal.ITIMER_REAL)),
        str(sys.getrecursionlimit()),
        str(os.nice(0)),
        *(str(resource.getrlimit(getattr(resource, limit))) for limit in LIMITS),
    ]


# process trees

DAEMON = """
import os, signal, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for fd in range(3): os.close(fd)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""
SLEEPER = 'import os, sys, time; open(sys.argv[1], "w").write(str(os.getpid())); time.sleep(600)'


@task
def family(directory: str, how: str) -> None:
    """A subprocess in the group, one in a session of its own, a daemon; and the task hangs, fails or returns."""
    for name, program, alone in (("child", SLEEPER, False), ("session", SLEEPER, True), ("daemon", DAEMON, False)):
        words = [sys.executable, "-c", program, f"{directory}/{name}.pid"]
        subprocess.Popen(words, start_new_session=alone)
    Path(directory, "worker.pid").write_text(str(os.getpid()))
    names = ("child", "session", "daemon")
    while not all(os.path.exists(f"{directory}/{n}.pid") and Path(directory, f"{n}.pid").read_text() for n in names):
        time.sleep(0.005)
    Path(directory, "ready").touch()
    match how:
        case "return":
            return
        case "raise":
            raise RuntimeError("done for")
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "block":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        case "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        time.sleep(60)


@task
def cleans_up(directory: str) -> None:
    Path(directory, "ready").touch()
    try:
        time.sleep(600)
    finally:
        Path(directory, "cleaned").touch()


# memory


@task(limits=Resources(mem="200Mi"), requests=Resources(cpu="100m"))
def allocates(mebibytes: int, in_child: bool) -> int:
    if in_child:
        code = f"x = b'x' * ({mebibytes} << 20); import time; time.sleep(60)"
        subprocess.run([sys.executable, "-c", code], check=True)
        return 0
    held = b"x" * (mebibytes << 20)
    if mebibytes > 200:
        time.sleep(60)
    return len(held)


@task
def grows(mebibytes: int) -> int:
    KEPT.append(b"x" * (mebibytes << 20))
    return os.getpid()


@task(requests=Resources(cpu="64"))
def enormous() -> None: ...


@task
def prints_and_waits(path: str) -> None:
    print("before")
    while not os.path.exists(path):
        time.sleep(0.005)
    print("after")


@task
def floods(path: str) -> None:
    while not os.path.exists(path):
        os.write(1, b"all work and no play\n" * 5000)


@task
def dies_printing() -> None:
    print("last words")
    os._exit(1)


class Counter(alula.TemplateExecutor):
    def execute(self, template: TaskTemplate, **inputs: object) -> int:
        return int(self.custom(template)["count"])


class CountTask(alula.PrebuiltTask):
    task_type = "count"
    image = "example.org/count:1"
    executor = Counter

    def custom(self) -> dict[str, int]:
        return {"count": 3}


counted = CountTask("counted", outputs=alula.kwtypes(n=int))

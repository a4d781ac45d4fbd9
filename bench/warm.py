"""A task that flytekit registered with a code bundle: in warm workers, and as its container would run it.

Ours is the whole way of the task: its execution created in a store on the disk, run, its log kept, and the end of it
committed. Theirs is `pyflyte-fast-execute` alone, the process and no more.
"""

from __future__ import annotations

import asyncio
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from alula import AsyncClient
from alula.admin import entities
from alula.config import Config, WorkersConfig
from alula.idl import LiteralMap
from alula.idl.admin import TaskSpec
from bench.durable import Table
from bench.environments import installed

PARTS = ("flytekit-task",)
_PROGRAM = "from flytekit import task\n\n\n@task\ndef nothing() -> int:\n    return 1\n"
_REGISTER = """
import sys
from collections import OrderedDict
from flytekit.configuration import FastSerializationSettings, Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable
bundle, out = sys.argv[1:]
sys.path.insert(0, "")
import bench_program
fast = FastSerializationSettings(enabled=True, destination_dir=".", distribution_location=bundle)
images = ImageConfig(default_image=Image(name="default", fqn="example.org/default", tag="1"))
settings = SerializationSettings(
    project="bench", domain="bench", version="v1", image_config=images, fast_serialization_settings=fast
)
spec = get_serializable(OrderedDict(), settings, bench_program.nothing)
open(out, "wb").write(spec.to_flyte_idl().SerializeToString())
"""
_TIMES_LESS = 20


def measure(parts: Sequence[str], *, short: bool) -> None:
    """Print the figure."""
    python, table = installed("flytekit"), Table()
    name = "a flytekit task, warm, beside pyflyte-fast-execute"
    if python is None:
        table.note(name, "left out", "make bench installs flytekit with the other figures")
        return
    with tempfile.TemporaryDirectory() as folder:
        spec = _registered(python, Path(folder))
        theirs = median(_fresh(python, spec, Path(folder, f"fresh-{n}")) for n in range(2 if short else 5))
        ours = asyncio.run(_warm(python, spec, Path(folder), 20 if short else 200))
    times = theirs / ours
    table.bar(name, f"{times:.0f} x less", f"at least {_TIMES_LESS} x less", met=times >= _TIMES_LESS)
    table.note("  the two of them", f"{1000 * ours:.1f} and {1000 * theirs:.0f} ms")


def _registered(python: Path, folder: Path) -> TaskSpec:
    (folder / "bench_program.py").write_text(_PROGRAM)
    bundle = folder / "fast.tar.gz"
    with tarfile.open(bundle, "w:gz") as archive:
        archive.add(folder / "bench_program.py", "bench_program.py")
    out = folder / "task.pb"
    subprocess.run([python, "-c", _REGISTER, bundle, out], cwd=folder, check=True, capture_output=True)
    return TaskSpec.FromString(out.read_bytes())


def _fresh(python: Path, spec: TaskSpec, home: Path) -> float:
    """Seconds of the container's command."""
    (home / "work").mkdir(parents=True)
    inputs, out = home / "inputs.pb", home / "out"
    inputs.write_bytes(LiteralMap().SerializeToString())
    places = {
        "{{.input}}": str(inputs),
        "{{.outputPrefix}}": str(out),
        "{{.rawOutputDataPrefix}}": str(home / "raw"),
        "{{.checkpointOutputPrefix}}": str(home / "checkpoint"),
        "{{.prevCheckpointPrefix}}": '""',
    }
    words = [places.get(word, word) for word in spec.template.container.args]
    words[0] = str(python.with_name(words[0]))
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(home)}
    begun = perf_counter()
    subprocess.run(words, cwd=home / "work", env=environment, check=True, capture_output=True)
    took = perf_counter() - begun
    if not (out / "outputs.pb").exists():
        raise SystemExit("bench: pyflyte-fast-execute left no outputs")
    return took


async def _warm(python: Path, spec: TaskSpec, home: Path, count: int) -> float:
    """Seconds of one execution of the task, one after the other."""
    config = Config(
        home=home / "alula", project="bench", domain="bench", workers=WorkersConfig(python=str(python), cpus=1)
    )
    async with AsyncClient(config=config) as client:
        house = client.house
        await entities.register(house.store, entities.Specs.of([spec], []), now=house.clock.now())
        name, taken = spec.template.id.name, []
        for _ in range(count + 3):
            begun = perf_counter()
            run = await client.run(name, version="v1")
            taken.append(perf_counter() - begun)
            if run.phase != "succeeded":
                raise SystemExit(f"bench: the task ended as {run.phase}: {await run.error()}")
    return median(taken[3:])

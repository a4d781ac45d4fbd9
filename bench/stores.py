"""The figure of object stores: a directory up and down, beside the best tools for S3 that install here.

The store is s3rver, a server of its own process on this machine, whose work is the same for all. Every transfer is a
whole process, its start included. The bar is the best of the rivals, for each way by itself.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.durable import Table
from bench.environments import python_with
from tests.servers.object_stores import NoNodeStores, s3rver

PARTS = ("directory",)
_BAR = 0.8
_KEYS = {
    "AWS_ACCESS_KEY_ID": "S3RVER",
    "AWS_SECRET_ACCESS_KEY": "S3RVER",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_OURS = """
import os, sys
from pathlib import Path
from alula._kits.bridge import run
from alula.data.stores import Objects
way, path, uri = sys.argv[1:]
run(Objects().upload(Path(path), uri) if way == "up" else Objects().download(uri, Path(path)))
"""
_BOTO3 = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
way, path, uri = sys.argv[1:]
client, root, (bucket, _, prefix) = boto3.client("s3"), Path(path), uri.removeprefix("s3://").partition("/")
with create_transfer_manager(client, TransferConfig(max_concurrency=16)) as manager:
    if way == "up":
        files = [one for one in root.rglob("*") if one.is_file()]
        moves = [manager.upload(str(one), bucket, f"{prefix}/{one.relative_to(root)}") for one in files]
    else:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        for key in keys:
            (root / key.removeprefix(f"{prefix}/")).parent.mkdir(parents=True, exist_ok=True)
        moves = [manager.download(bucket, key, str(root / key.removeprefix(f"{prefix}/"))) for key in keys]
    for move in moves:
        move.result()
"""


@dataclass(frozen=True, slots=True)
class Size:
    """What the directory holds, and how often it travels."""

    rounds: int
    big: int
    big_mib: int
    small: int

    @property
    def mib(self) -> int:
        return self.big * self.big_mib + self.small


FULL = Size(rounds=3, big=4, big_mib=128, small=512)
SHORT = Size(rounds=1, big=2, big_mib=16, small=32)

Command = Callable[[str, str, str], Sequence[str]]


def measure(parts: Sequence[str], *, short: bool) -> None:
    """Print the figure."""
    table, size = Table(), SHORT if short else FULL
    try:
        with s3rver() as settings, tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "source")
            _fill(source, size)
            _compare(table, size, _tools(settings["endpoint"], short=short), source, settings["endpoint"])
    except NoNodeStores as exc:
        table.note("a directory to S3 and back", "left out", str(exc))


def _tools(endpoint: str, *, short: bool) -> Mapping[str, Command]:
    """Commands that move a directory: `up` or `down`, its path, its URI. Ours comes first."""
    tools: dict[str, Command] = {
        "alula": lambda *words: [sys.executable, "-c", _OURS, *words],
        "boto3 with its transfer manager": lambda *words: [sys.executable, "-c", _BOTO3, *words],
    }
    if short:  # the others must be installed first
        return tools
    programs = python_with("stores").parent
    aws = [str(programs / "aws"), "--endpoint-url", endpoint, "s3", "cp", "--recursive", "--quiet"]
    s5cmd = [str(programs / "s5cmd"), "--endpoint-url", endpoint, "--log", "error", "cp"]
    return tools | {
        "aws s3 cp": lambda way, path, uri: [*aws, *((path, uri) if way == "up" else (uri, path))],
        "s5cmd cp": lambda way, path, uri: [
            *s5cmd,
            *((f"{path}/", f"{uri}/") if way == "up" else (f"{uri}/*", f"{path}/")),
        ],
    }


def _compare(table: Table, size: Size, tools: Mapping[str, Command], source: Path, endpoint: str) -> None:
    seconds: dict[tuple[str, str], list[float]] = {}
    for number in range(size.rounds):
        order = list(tools.items())
        for tool, command in [*order[number % len(order) :], *order[: number % len(order)]]:  # nobody is always first
            copy, uri = source.with_name("copy"), f"s3://box/{tool.split()[0]}-{number}"
            copy.mkdir()
            for way, path in (("up", source), ("down", copy)):
                seconds.setdefault((tool, way), []).append(_timed(command(way, str(path), uri), endpoint))
            if sum(one.stat().st_size for one in copy.rglob("*") if one.is_file()) != size.mib << 20:
                raise SystemExit(f"bench: {tool} lost something on the way")
            shutil.rmtree(copy)
    ours, *rivals = tools
    for way in ("up", "down"):
        best = min(rivals, key=lambda tool: median(seconds[tool, way]))
        rates = {tool: size.mib / median(seconds[tool, way]) for tool in tools}
        ratio = median(b / a for a, b in zip(seconds[ours, way], seconds[best, way], strict=True))
        name = f"{size.mib:,} MiB in {size.big + size.small} files to S3" if way == "up" else "  and back"
        table.bar(name, f"{rates[ours]:.0f} MiB/s, {ratio:.2f} x {best}", f"at least {_BAR} x", met=ratio >= _BAR)
        for tool in rivals:
            table.note(f"  {tool}", f"{rates[tool]:.0f} MiB/s")


def _timed(command: Sequence[str], endpoint: str) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, **_KEYS, "AWS_ENDPOINT_URL": endpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        what = f"{Path(command[0]).name} ended with {done.returncode}"
        raise SystemExit(f"bench: {what}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


def _fill(source: Path, size: Size) -> None:
    rng = random.Random(0)
    for number in range(size.big + size.small):
        path = source / f"{number % 16}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes((size.big_mib if number < size.big else 1) << 20))
    os.sync()  # or the first transfer would wait for the disk

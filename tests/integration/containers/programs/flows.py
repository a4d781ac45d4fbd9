"""Tasks in a shell, in Node and in C that give back what they get, values of every kind; and tasks that fail."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from alula import ContainerTask, Directory, File, StructuredDataset, kwtypes, workflow

IMAGE = os.environ.get("MIRROR_IMAGE", "mirror:1")
PLACES = {"input_data_dir": "/var/inputs", "output_data_dir": "/var/outputs"}


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Record:
    name: str
    sizes: list[int]
    ratio: float
    at: datetime


class All(NamedTuple):
    i: int
    f: float
    s: str
    b: bool
    when: datetime
    span: timedelta
    maybe: int | None
    either: int | str
    color: Color
    numbers: list[int]
    named: dict[str, float]
    spans: list[timedelta]
    record: Record
    raw: bytes
    file: File
    folder: Directory
    files: list[File]
    table: StructuredDataset


TYPES = All.__annotations__


def mirror(name: str, *command: str) -> ContainerTask:
    return ContainerTask(
        name=name,
        image=IMAGE,
        command=[*command, "/var/inputs", "/var/outputs", *TYPES],
        inputs=kwtypes(**TYPES),
        outputs=kwtypes(**TYPES),
        environment={"GREETING": "{{.inputs.s}} & co"},
        **PLACES,
    )


shell = mirror("shell", "sh", "/app/mirror.sh")
node = mirror("node", "node", "/app/mirror.js")
c = mirror("c", "/app/mirror")


@workflow
def chain(
    i: int,
    f: float,
    s: str,
    b: bool,
    when: datetime,
    span: timedelta,
    maybe: int | None,
    either: int | str,
    color: Color,
    numbers: list[int],
    named: dict[str, float],
    spans: list[timedelta],
    record: Record,
    raw: bytes,
    file: File,
    folder: Directory,
    files: list[File],
    table: StructuredDataset,
) -> All:
    given = {
        "i": i, "f": f, "s": s, "b": b, "when": when, "span": span, "maybe": maybe, "either": either, "color": color,
        "numbers": numbers, "named": named, "spans": spans, "record": record, "raw": raw, "file": file,
        "folder": folder, "files": files, "table": table,
    }  # fmt: skip
    for task in (shell, node, c):
        made = task(**given)
        given = {name: getattr(made, name) for name in given}
    return All(**given)


def says(name: str, code: int) -> ContainerTask:
    return ContainerTask(
        name=name,
        image=IMAGE,
        command=["sh", "-c", f"printf 'no rows in %s' '{{{{.inputs.x}}}}' > /var/outputs/_ERROR; exit {code}"],
        inputs=kwtypes(x=str),
        outputs=kwtypes(y=int),
        **PLACES,
    )


stubborn, failing = says("stubborn", 0), says("failing", 3)
reads = ContainerTask(
    name="reads",
    image=IMAGE,
    command=["sh", "-c", "echo started; cat /var/inputs/source > /var/outputs/y"],
    inputs=kwtypes(source=File),
    outputs=kwtypes(y=str),
    **PLACES,
)
big = ContainerTask(
    name="big",
    image=IMAGE,
    command=["sh", "-c", "cp -R /var/inputs/source /var/outputs/copy"],
    inputs=kwtypes(source=Directory),
    outputs=kwtypes(copy=Directory),
    **PLACES,
)
sleeps = ContainerTask(
    name="sleeps",
    image=IMAGE,
    command=["sh", "-c", "sleep 60 & wait"],
    timeout=timedelta(seconds=1),
)

"""Dataclasses as inputs and outputs, nested, with enums, files and attribute access."""

import os
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from typing import Dict, List, Optional

from dataclasses_json import dataclass_json
from mashumaro.mixins.json import DataClassJSONMixin

from flytekit import task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point(DataClassJSONMixin):
    x: int
    y: float = 0.5
    label: Optional[str] = None


@dataclass_json
@dataclass
class Shape:
    name: str
    points: List[Point]
    colors: Dict[str, Color] = field(default_factory=dict)


@dataclass
class Holder:
    file: FlyteFile
    directory: FlyteDirectory
    shape: Shape


@task
def make(n: int) -> Shape:
    return Shape("s", [Point(i, i / 2) for i in range(n)], {"fill": Color.RED})


@task
def count(shape: Shape) -> int:
    return sum(p.x for p in shape.points)


@task
def color_of(shape: Shape, key: str) -> Color:
    return shape.colors[key]


@task
def show(color: Color, p: Point, name: str) -> str:
    return f"{color} {p} {name}"


@workflow
def wf(n: int = 3) -> tuple[int, str]:
    shape = make(n=n)
    text = show(color=color_of(shape=shape, key="fill"), p=shape.points[1], name=shape.name)
    return count(shape=shape), text


@task
def hold() -> Holder:
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "a.txt")
    with open(path, "w") as out:
        out.write("in the file")
    return Holder(FlyteFile(path), FlyteDirectory(folder), Shape("h", []))


@task
def read(h: Holder) -> str:
    with open(h.file) as f:
        text = f.read()
    return text + " " + ",".join(sorted(os.listdir(h.directory))) + " " + h.shape.name


@task
def read_file(f: FlyteFile) -> str:
    with open(f) as stream:
        return stream.read()


@workflow
def holder_wf() -> tuple[str, str]:
    h = hold()
    return read(h=h), read_file(f=h.file)


if __name__ == "__main__":
    print(wf())
    print(make(n=2))
    print(show(color=Color.BLUE, p=Point(1), name="x"))
    print(holder_wf())
    print(make(n=1).to_dict(), Point(1, 2.0).to_json())

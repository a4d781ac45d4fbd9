"""Iterators, JSON lines, open streams to and from stored files, directories that grow file by file."""

import os
from pathlib import Path
from typing import Iterator, List

from flytekit import task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile, JSONLFile
from flytekit.types.iterator import JSON


@task
def numbers(n: int) -> Iterator[int]:
    for i in range(n):
        yield i


@task
def total(values: Iterator[int]) -> int:
    return sum(values)


@task
def rows(n: int) -> Iterator[JSON]:
    for i in range(n):
        yield {"i": i, "text": f"row {i}"}


@task
def texts(values: Iterator[JSON]) -> List[str]:
    return [row["text"] for row in values]


@task
def write() -> FlyteFile:
    f = FlyteFile.new_remote_file("data.csv")
    with f.open("w") as out:
        out.write("a,b\n1,2\n3,4\n")
    return f


@task
def drop_first(ff: FlyteFile) -> FlyteFile:
    made = FlyteFile.new_remote_file("less.csv")
    with ff.open("r") as source, made.open("w") as out:
        lines = source.readlines()
        out.writelines([lines[0], *lines[2:]])
    return made


@task
def grow() -> FlyteDirectory:
    d = FlyteDirectory.new_remote()
    for name in ("x", "y"):
        with d.new_file(f"{name}.txt").open("w") as out:
            out.write(name * 2)
    return d


@task
def read_all(d: FlyteDirectory) -> str:
    folder = d.download()
    return " ".join((Path(folder) / name).read_text() for name in sorted(os.listdir(folder)))


@workflow
def wf(n: int = 4) -> tuple[int, List[str]]:
    return total(values=numbers(n=n)), texts(values=rows(n=n))


@workflow
def files() -> tuple[FlyteFile, str]:
    return drop_first(ff=write()), read_all(d=grow())


if __name__ == "__main__":
    print(wf())
    f, text = files()
    with open(f) as stream:
        print(stream.read().split(), text)
    print(JSONLFile.extension(), os.path.basename(str(f.remote_source)) in ("less.csv", "None", ""))

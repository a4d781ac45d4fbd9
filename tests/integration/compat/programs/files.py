"""Files and directories: made, passed on, read, streamed, listed."""

import csv
import os
from collections import defaultdict
from pathlib import Path
from typing import List

import flytekit
from flytekit import task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import CSVFile, FlyteFile


@task
def write_csv(rows: int) -> FlyteFile["csv"]:
    out = Path(flytekit.current_context().working_directory) / "table.csv"
    with open(out, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["name", "score"])
        for i in range(rows):
            writer.writerow([f"n{i % 2}", i])
    return FlyteFile["csv"](path=str(out))


@task
def normalize(csv_url: FlyteFile, column: str) -> FlyteFile:
    with open(csv_url, newline="") as f:
        values = defaultdict(list)
        for row in csv.DictReader(f):
            for key, value in row.items():
                values[key].append(value)
    numbers = [float(v) for v in values[column]]
    out = os.path.join(flytekit.current_context().working_directory, f"normalized-{Path(csv_url.path).stem}.csv")
    with open(out, "w") as f:
        f.write("\n".join(str(v / max(numbers)) for v in numbers))
    return FlyteFile(out)


@task
def head(f: CSVFile) -> str:
    with f.open("r") as stream:
        return stream.readline().strip()


@task
def split(n: int) -> FlyteDirectory:
    folder = Path(flytekit.current_context().working_directory) / "parts"
    folder.mkdir(exist_ok=True)
    for i in range(n):
        (folder / f"part{i}.txt").write_text(f"content {i}")
    return FlyteDirectory(path=str(folder))


@task
def join(d: FlyteDirectory) -> str:
    return "|".join((Path(d) / name).read_text() for name in sorted(os.listdir(d)))


@task
def names(d: FlyteDirectory) -> List[str]:
    return sorted(os.path.basename(f.path) for f in FlyteDirectory.listdir(d))


@task
def fresh() -> FlyteFile:
    f = FlyteFile.new("made.txt")
    with open(f, "w") as out:
        out.write("made here")
    return f


@task
def text(path: FlyteFile) -> str:
    return Path(path).read_text()


@workflow
def wf(rows: int = 4) -> tuple[str, str, FlyteFile]:
    table = write_csv(rows=rows)
    return text(path=normalize(csv_url=table, column="score")), head(f=table), table


@workflow
def folder_wf(n: int = 2) -> tuple[str, List[str]]:
    d = split(n=n)
    return join(d=d), names(d=d)


if __name__ == "__main__":
    first, top, table = wf()
    print(first.split(), top, os.path.basename(table.path), Path(table).read_text().splitlines()[-1])
    print(isinstance(table, FlyteFile), table.extension(), FlyteFile["csv"].extension(), FlyteFile.extension() == "")
    print(folder_wf())
    print(text(path=fresh()))
    with open("local.txt", "w") as f:
        f.write("a local path")
    print(text(path="local.txt"))
    print(text(path=FlyteFile("local.txt")))
    os.remove("local.txt")
    try:
        text(path="not-there.txt")
    except Exception as e:
        print(type(e).__name__ != "SystemExit", "not-there.txt" in str(e))

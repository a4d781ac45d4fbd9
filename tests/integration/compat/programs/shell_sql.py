"""Shell tasks, SQLite tasks, SQL and container tasks as far as they need no engine."""

import contextlib
import io
import os
import sqlite3
import tempfile
from pathlib import Path

import pandas as pd

from flytekit import ContainerTask, Resources, SQLTask, kwtypes, task, workflow
from flytekit.extras.sqlite3.task import SQLite3Config, SQLite3Task
from flytekit.extras.tasks.shell import OutputLocation, ShellTask
from flytekit.testing import task_mock
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
from flytekit.types.schema import FlyteSchema

folder = Path(tempfile.mkdtemp())

t1 = ShellTask(
    name="task_1",
    script="""
    set -ex
    echo "Hey there! Let's run some bash scripts using a shell task." > {outputs.i}
    echo "{inputs.x}" >> {outputs.i}
    """,
    inputs=kwtypes(x=str),
    output_locs=[OutputLocation(var="i", var_type=FlyteFile, location=str(folder / "i.txt"))],
)
t2 = ShellTask(
    name="task_2",
    script="""
    cp {inputs.x} {inputs.y}
    tar -zcf {outputs.j} -C {inputs.y} .
    """,
    inputs=kwtypes(x=FlyteFile, y=FlyteDirectory),
    output_locs=[OutputLocation(var="j", var_type=FlyteFile, location="{inputs.y}.tar.gz")],
)
t3 = ShellTask(name="task_3", script="test -f {inputs.z}", inputs=kwtypes(z=FlyteFile))


@task
def make_folder() -> FlyteDirectory:
    d = tempfile.mkdtemp()
    return FlyteDirectory(d)


@workflow
def wf(x: str) -> FlyteFile:
    first = t1(x=x)
    archive = t2(x=first, y=make_folder())
    t3(z=archive)
    return first


database = folder / "shop.db"
with sqlite3.connect(database) as connection:
    connection.execute("create table item (id int, name text, price float)")
    connection.executemany("insert into item values (?, ?, ?)", [(1, "a", 1.5), (2, "b", 2.5), (3, "c", 3.5)])

query = SQLite3Task(
    name="shop.items",
    query_template="select * from item where id <= {{ .inputs.limit }}",
    inputs=kwtypes(limit=int),
    output_schema_type=FlyteSchema[kwtypes(id=int, name=str, price=float)],
    task_config=SQLite3Config(uri=str(database)),
)


@task
def spend(items: pd.DataFrame) -> float:
    return float(items["price"].sum())


@workflow
def sql_wf(limit: int) -> float:
    return spend(items=query(limit=limit))


sql = SQLTask(
    "my-query",
    query_template="SELECT * FROM hive.city.fact_airport_sessions WHERE ds = '{{ .Inputs.ds }}' LIMIT 10",
    inputs=kwtypes(ds=str),
    outputs=kwtypes(results=FlyteSchema),
)

container = ContainerTask(
    name="ellipse",
    image="alpine:3",
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    inputs=kwtypes(a=float, b=float),
    outputs=kwtypes(area=float, metadata=str),
    requests=Resources(mem="200Mi"),
    command=["./calculate", "{{.inputs.a}}", "{{.inputs.b}}", "/var/outputs"],
)


@workflow
def container_wf(a: float) -> tuple[float, str]:
    area, metadata = container(a=a, b=2.0)
    return area, metadata


@workflow
def mocked(ds: str) -> FlyteSchema:
    return sql(ds=ds)


if __name__ == "__main__":
    out = wf(x="some text")
    print(Path(out).read_text())
    with contextlib.redirect_stdout(io.StringIO()):  # flytekit says where it connects to
        two, spent = query(limit=2), sql_wf(limit=3)
    print(two.open().all()["name"].tolist(), spent)
    print(sql.get_query(ds="now"), "|", sql.query_template)
    with task_mock(sql) as mock:
        mock.return_value = pd.DataFrame(data={"x": [1, 2]})
        print(mocked(ds="2020").open().all().shape)
    with task_mock(container) as mock:
        mock.side_effect = lambda a, b: (a * b, "ok")
        print(container_wf(a=2.0))
    try:
        ShellTask(name="bad", script="false", inputs=kwtypes(a=int))(a=1)
    except Exception as e:
        print("failed", len(str(e)) > 0)
    print(t1.name, container.name, sql.task_type, os.path.exists(folder / "i.txt"))

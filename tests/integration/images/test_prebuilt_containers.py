"""Kinds of task without user code, in the images whose recipes we ship: only the template is there at run time."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest

from tests.conftest import ROOT
from tests.integration.images.conftest import Place
from tests.servers.docker import Docker
from tests.servers.fixtures import postgres as postgres
from tests.servers.fixtures import postgres_url as postgres_url

pytestmark = pytest.mark.timeout(300)  # several commands with containers each
PROGRAM = """
import pandas as pd
from alula import Secret, SQLite3Config, SQLite3Task, kwtypes, task, workflow
from alula.tasks.sqlalchemy import SQLAlchemyConfig, SQLAlchemyTask

tracks = SQLite3Task(
    name="music.tracks",
    query_template="select id, name from tracks where id <= {{ .inputs.most }} order by id",
    inputs=kwtypes(most=int),
    task_config=SQLite3Config(uri="/shared/music.db"),
    container_image="recipe-sqlite:1",
)
sales = SQLAlchemyTask(
    name="shop.sales",
    query_template="select item, current_setting('application_name') as who from sales where price in {{ .inputs.p }}",
    task_config=SQLAlchemyConfig(
        "POSTGRES", secret_connect_args={"application_name": Secret(group="shop", key="name")}
    ),
    inputs=kwtypes(p=list[int]),
    output_schema_type=pd.DataFrame,
    container_image="recipe-sqlalchemy:1",
)
broken = SQLAlchemyTask(
    name="shop.broken",
    query_template="select nothing from sales",
    task_config=SQLAlchemyConfig("POSTGRES"),
    output_schema_type=pd.DataFrame,
    container_image="recipe-sqlalchemy:1",
)
elsewhere = SQLite3Task(
    name="music.elsewhere",
    query_template="select 1",
    task_config=SQLite3Config(uri="/nowhere/music.db"),
    container_image="alula-test-python:1",
)

@task
def told(tracks: pd.DataFrame, sales: pd.DataFrame) -> list[str]:
    return [*tracks["name"], *sales["item"], *sales["who"]]

@workflow
def wf() -> list[str]:
    return told(tracks=tracks(most=2), sales=sales(p=[3, 4]))
"""


@pytest.fixture(scope="module", autouse=True)
def recipes(docker: Docker, tables: str) -> None:
    """The images of our recipes, on a base that has what they would install."""
    for name in ("sqlite", "sqlalchemy"):
        folder = str(ROOT / "images" / name)
        docker.run("build", "--quiet", "--build-arg", f"BASE={tables}", "--tag", f"recipe-{name}:1", folder)


def test_templates_alone_are_run_by_the_executors_in_the_images(place: Place, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table sales as select * from (values ('tea', 3), ('mate', 5)) t(item, price)")
    shared = place.root / "shared"
    shared.mkdir()
    with closing(sqlite3.connect(shared / "music.db")) as database, database:
        database.execute("create table tracks (id int, name text)")
        database.executemany("insert into tracks values (?, ?)", [(1, "one"), (2, "two"), (3, "three")])
    place.write(
        "alula.toml",
        '[backends.routes]\nsqlite = "docker"\nsqlalchemy = "docker"\n'
        f'[backends.docker]\nnetwork = "host"\npull = "never"\nmounts = ["{shared}:/shared"]\n',
    )
    uri = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    place.write("music.py", PROGRAM.replace("POSTGRES", uri))
    place.more["ALULA_SECRET_SHOP_NAME"] = "a secret clerk"
    said = place.run("music.py", "wf", "-o", "json")
    assert [word for word in ("one", "two", "tea", "a secret clerk") if word not in said.out] == []
    assert "three" not in said.out
    assert not (place.root / "home" / "data" / ".code").exists()  # no code went anywhere
    templates = list((place.root / "home" / "data").rglob("task.pb"))
    assert len(templates) == 2
    assert not [path for path in templates if b"secret clerk" in path.read_bytes()]
    place.fails(["run", "music.py", "broken"], 'column "nothing" does not exist', "select nothing from sales")
    place.fails(["run", "music.py", "elsewhere"], "the image alula-test-python:1 has no Alula")

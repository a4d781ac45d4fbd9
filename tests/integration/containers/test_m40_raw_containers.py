"""M40: raw containers in a shell, in Node and in C: files in, files out, and what they say when they fail.

The same programs run as plain processes, by a container engine, and as pods.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest

from tests.integration.containers.ways import Node, Way, cluster, image, workbench
from tests.servers.docker import Docker

TEXT = 'hé "q" {{.Input}}\n'


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workbench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def docker_way(docker: Docker, bench: Path) -> Way:
    image(docker, bench)
    return Way(("run",), environ=docker.environ())


@pytest.fixture
def pods(bench: Path) -> Iterator[tuple[Way, Node]]:
    with cluster(bench) as made:
        yield made


def process(bench: Path) -> Way:
    return Way(("container", "verify"), after=("--map", f"/app={bench}"))


@pytest.fixture(scope="module")
def document(bench: Path) -> str:
    """The path of a document with inputs of every type."""
    (bench / "folder" / "sub").mkdir(parents=True)
    (bench / "folder" / "a").write_text("a")
    (bench / "folder" / "sub" / "b").write_bytes(b"\x00b")
    (bench / "raw.bin").write_bytes(pickle.dumps(b"\x00\xff"))
    pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}).to_parquet(bench / "table.parquet")
    given = {
        "i": -(2**53) + 1,
        "f": 0.1,
        "s": TEXT,
        "b": True,
        "when": "2026-01-02T03:04:05.500000+00:00",
        "span": 90.25,
        "maybe": None,
        "either": "text",
        "color": "blue",
        "numbers": [1, 2],
        "named": {"a b": 1.0},
        "spans": [1.0, 2.5],
        "record": {"name": "n", "sizes": [1, 2], "ratio": 2.0, "at": "2026-01-02T03:04:05+00:00"},
        "raw": {"path": str(bench / "raw.bin")},
        "file": {"path": str(bench / "mirror.c")},
        "folder": {"path": str(bench / "folder")},
        "files": [{"path": str(bench / "mirror.sh")}, {"path": str(bench / "mirror.js")}],
        "table": {"uri": str(bench / "table.parquet"), "file_format": "parquet"},
    }
    path = bench / "inputs.json"
    path.write_text(json.dumps(given))
    return str(path)


def check(found: dict[str, Any], bench: Path, document: str) -> None:
    """That all values came back."""
    given = json.loads(Path(document).read_text())
    assert pickle.loads(Path(found.pop("raw")["path"]).read_bytes()) == b"\x00\xff"
    assert Path(found.pop("file")["path"]).read_text() == (bench / "mirror.c").read_text()
    folder = Path(found.pop("folder")["path"])
    assert {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()} == {
        "a": b"a",
        "sub/b": b"\x00b",
    }
    texts = [Path(one["path"]).read_text() for one in found.pop("files")]
    assert texts == [(bench / name).read_text() for name in ("mirror.sh", "mirror.js")]
    table = found.pop("table")
    assert table["file_format"] == "parquet"
    assert pd.read_parquet(table["uri"]).to_dict("list") == {"x": [1, 2], "y": ["a", "b"]}
    assert found == {name: given[name] for name in found}
    assert len(found) == len(given) - 5


@pytest.mark.parametrize("language", ["shell", "node", "c"])
def test_m40_values_of_every_type_go_through_files_in_every_language(bench: Path, document: str, language: str) -> None:
    done = process(bench).run(bench, language, "--inputs-file", document, "-o", "json")
    check(done.outputs(), bench, document)
    assert "the image alula-mirror:1 is not used" in done.err
    if language == "shell":
        assert f"greeting: {TEXT} & co" in done.err, "a variable gets values, too"


@pytest.mark.parametrize("options", [(), ("--local",)], ids=["durably", "called"])
def test_m40_the_same_in_containers_one_after_the_other(
    docker_way: Way, docker: Docker, bench: Path, document: str, options: tuple[str, ...]
) -> None:
    done = docker_way.run(bench, "chain", "--inputs-file", document, "-o", "json", *options)
    check(done.outputs(), bench, document)
    assert docker.containers() == []


def test_m40_the_same_in_pods(pods: tuple[Way, Node], bench: Path, document: str) -> None:
    way, node = pods
    done = way.run(bench, "chain", "--inputs-file", document, "-o", "json")
    check(done.outputs(), bench, document)
    assert node.started == ["alula-download", "primary", "alula-upload"] * 3


def test_m40_what_a_task_says_of_its_failure_is_its_error_in_a_process(bench: Path) -> None:
    done = process(bench).run(bench, "failing", "--x", "7")
    assert done.code == 1
    assert "no rows in 7" in done.err


@pytest.mark.parametrize(("task", "options"), [("failing", ()), ("stubborn", ("--local",))])
def test_m40_what_a_task_says_of_its_failure_is_its_error_in_a_container(
    docker_way: Way, docker: Docker, bench: Path, task: str, options: tuple[str, ...]
) -> None:
    done = docker_way.run(bench, task, "--x", "7", *options)
    assert done.code == 1
    assert "no rows in 7" in done.err
    assert docker.containers() == []


def test_m40_what_a_task_says_of_its_failure_is_its_error_in_a_pod(pods: tuple[Way, Node], bench: Path) -> None:
    way, node = pods
    done = way.run(bench, "stubborn", "--x", "7")
    assert done.code == 1
    assert "no rows in 7" in done.err
    assert node.started[-1] == "alula-upload", "its exit code was 0, and it has failed all the same"


def test_m40_a_task_whose_inputs_cannot_be_had_never_starts(
    pods: tuple[Way, Node], docker_way: Way, bench: Path
) -> None:
    nothing = ("--source", "memory://x/nothing")
    for way in (pods[0], docker_way):
        done = way.run(bench, "reads", *nothing)
        assert done.code == 1
        assert "memory://x/nothing" in done.err
        assert "started" not in done.out + done.err
    assert set(pods[1].started) == {"alula-download"}


def test_m40_a_big_directory_goes_around(pods: tuple[Way, Node], bench: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for nth in range(200):
        folder = source / f"d{nth % 7}" / f"e{nth % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{nth}").write_bytes(bytes([nth]) * (256 << 10))
    done = pods[0].run(bench, "big", "--source", str(source), "-o", "json")
    found = Path(done.outputs()["path"])
    contents = {one.relative_to(found): one.read_bytes() for one in found.rglob("*") if one.is_file()}
    assert contents == {one.relative_to(source): one.read_bytes() for one in source.rglob("f*") if one.is_file()}


def test_m40_a_task_that_takes_too_long_is_stopped_with_all_that_it_started(
    docker_way: Way, docker: Docker, bench: Path
) -> None:
    for way, options in ((process(bench), ()), (docker_way, ("--local",))):
        done = way.run(bench, "sleeps", *options)
        assert done.code != 0
        assert "longer than" in done.err
    assert docker.containers() == []


def test_m40_pods_reach_their_own_objects_alone_with_what_they_are_lent(
    s3_address: str, bench: Path, document: str
) -> None:
    keys = {"region_name": "us-east-1", "aws_access_key_id": "engine", "aws_secret_access_key": "key"}
    client = boto3.client("s3", endpoint_url=s3_address, **keys)
    client.create_bucket(Bucket="raw")
    s3 = {"ENDPOINT": s3_address, "ACCESS_KEY_ID": "engine", "SECRET_ACCESS_KEY": "key", "REGION": "us-east-1"}
    s3 |= {"ALLOW_HTTP": "true"}
    more = {f"ALULA__STORAGE__S3__{name}": value for name, value in s3.items()}
    more |= {"ALULA__DATA": "s3://raw/data", "ALULA__BACKENDS__K8S__LEND_STORAGE": "true"}
    with cluster(bench, **more) as (way, node):
        done = way.run(bench, "shell", "--inputs-file", document, "-o", "json")
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert found["file"]["path"].startswith("s3://raw/data/")
        at = found["file"]["path"].removeprefix("s3://raw/")
        assert client.get_object(Bucket="raw", Key=at)["Body"].read() == (bench / "mirror.c").read_bytes()
        download, task, upload = node.environs
        assert download["AWS_SESSION_TOKEN"]
        assert download["AWS_ACCESS_KEY_ID"] == upload["AWS_ACCESS_KEY_ID"] != "engine"
        assert not [name for name in task if name.startswith("AWS_")]

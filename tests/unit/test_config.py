"""Settings from files and the environment: what counts, and what is said of mistakes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from alula.config import Config, Durability, Lending, home, load, storage_of
from alula.errors import ConfigError

EVERYTHING = """
home = "mine"
data = "s3://bucket/data"
project = "flights"
[store]
url = "postgresql://db/alula"
durability = "relaxed"
busy_timeout = "1m30s"
[engine]
lease = 20
executions = 10
inline_bytes = "64MiB"
[workers]
cpus = 1.5
memory_bytes = "4 GB"
[cache]
max_age = "7 days"
"""


def written(directory: Path, text: str) -> Path:
    (directory / "alula.toml").write_text(text)
    return directory


def test_without_a_file_and_variables_everything_is_as_the_code_says(tmp_path: Path) -> None:
    assert load(tmp_path, {"ALULA_HOME": "/h"}) == Config(home=Path("/h"))


def test_every_kind_of_key_is_read_from_the_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, EVERYTHING), {})
    assert (config.home, config.data) == (tmp_path / "mine", "s3://bucket/data")
    assert (config.project, config.domain) == ("flights", "development")
    assert (config.store.url, config.store.durability) == ("postgresql://db/alula", Durability.RELAXED)
    assert config.store.busy_timeout == timedelta(seconds=90)
    assert (config.engine.lease, config.engine.executions) == (timedelta(seconds=20), 10)
    assert config.engine.inline_bytes == 64 << 20
    assert (config.workers.cpus, config.workers.memory_bytes) == (1.5, 4_000_000_000)
    assert config.cache.max_age == timedelta(days=7)


def test_the_nearest_file_above_counts_and_its_paths_start_from_it(tmp_path: Path) -> None:
    written(tmp_path, '[store]\nurl = "a.db"\n')
    below = tmp_path / "flows" / "deep"
    below.mkdir(parents=True)
    assert load(below, {}).store_url == str(tmp_path / "a.db")
    written(below.parent, "")
    assert load(below, {}).store.url == ""


def test_variables_count_before_the_file(tmp_path: Path) -> None:
    written(tmp_path, '[store]\ndurability = "full"\n[workers]\ncpus = 4\n')
    config = load(
        tmp_path, {"ALULA__STORE__DURABILITY": "relaxed", "ALULA__DATA": "gs://b", "ALULA__CACHE__MAX_AGE": "1h"}
    )
    assert (config.store.durability, config.data, config.workers.cpus) == (Durability.RELAXED, "gs://b", 4)
    assert config.cache.max_age == timedelta(hours=1)


FAULTS = [
    ("[stor]\nurl = 'x'", "no section 'stor'; did you mean 'store'?"),
    ("[store]\nurll = 'x'", "[store] has no key 'urll'; did you mean 'url'?"),
    ("[store]\ndurability = 'half'", "'half' is none of full, relaxed"),
    ("[engine]\nlease = 'soon'", "'soon' is no duration"),
    ("[engine]\nlease = '0s'", "is not above zero"),
    ("[engine]\nlease = true", "is no duration"),
    ("[engine]\nexecutions = 1.5", "1.5 is no whole number"),
    ("[workers]\ncpus = -1", "-1 is not a number from 0 on"),
    ("[workers]\nmemory_bytes = '4 apples'", "'4 apples' is no size"),
    ("store = 3", "store is a section"),
    ("data = 3", "3 is no text"),
    ("home = 's3://x'", "no directory of this machine"),
    ("[store]\nurl = {a = 1}", "is no text"),
    ("[server]\nurl = 'alula.example.org:8088'", "is no URL: write https://HOST:PORT"),
    ("[callbacks]\nurl = 'alula.example.org'", "is no URL: write https://HOST:PORT"),
    ("a = ", "alula.toml: "),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), {})
    assert said in caught.value.what
    assert "alula.toml" in caught.value.what


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    written(tmp_path, "[engine]\nlease = 'soon'\nexecutions = 'many'\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"ALULA__WORKERS__CPUS": "all", "ALULA__STORE__A__B": "1"})
    for said in ("4 settings", "[engine] lease", "[engine] executions", "ALULA__WORKERS__CPUS: 'all'", "store.a.b"):
        assert said in caught.value.what


def test_every_key_of_every_section_can_be_set_by_a_variable(tmp_path: Path) -> None:
    samples = {"str": "x", "Durability": "relaxed", "Path": "/x", "int": "3", "float": "3", "timedelta": "3s"}
    samples |= {"Lending": "own", "bool": "true", "tuple[str,": "/x:/y"}
    samples |= {"CatchUp": "none", "Overlap": "skip", "Beyond": "reject"}
    config = Config()
    keys = [(s.name, f) for s in fields(config) if is_dataclass(v := getattr(config, s.name)) for f in fields(v)]
    keys = [(s, f) for s, f in keys if not f.type.startswith("Mapping")]
    environ = {f"ALULA__{s}__{f.name}".upper(): samples[str(f.type).partition(" ")[0]] for s, f in keys}
    environ |= dict.fromkeys(("ALULA__SERVER__URL", "ALULA__CALLBACKS__URL"), "https://x")
    made = load(tmp_path, environ)
    assert all(getattr(getattr(made, s), f.name) != getattr(getattr(config, s), f.name) for s, f in keys)


def test_stores_have_sections_of_their_own_and_keys_that_nobody_lists(tmp_path: Path) -> None:
    text = """
    [storage]
    tasks = "own"
    [storage.s3]
    endpoint = "http://minio:9000"
    virtual_hosted_style_request = false
    [storage.gs]
    service_account = "key.json"
    """
    written(tmp_path, text)
    made = load(tmp_path, {"ALULA__STORAGE__S3__REGION": "x", "ALULA__STORAGE__RETRIES": "0"}).storage
    assert (made.tasks, made.retries) == (Lending.OWN, 0)
    assert made.s3 == {"endpoint": "http://minio:9000", "virtual_hosted_style_request": "false", "region": "x"}
    assert made.gs == {"service_account": str(tmp_path / "key.json")}
    assert "minio" not in repr(made)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[storage]\ns3 = 'x'", r"write \[storage\.s3\] and its keys below"),
        ("[storage.s3]\nendpoint = ['a']", "write one value"),
        ("[storage]\ntasks = 'some'", "'some' is none of limited, own, nothing"),
        ("[storage]\nretry = 1", "has no key 'retry'; did you mean 'retries'"),
    ],
)
def test_faults_of_stores_are_told(text: str, said: str, tmp_path: Path) -> None:
    written(tmp_path, text)
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, {})


def test_the_environment_alone_says_where_stores_are_too() -> None:
    environ = {"ALULA__STORAGE__S3__ENDPOINT": "http://x", "ALULA__STORE__NOTHING": "1"}
    assert storage_of(environ).s3 == {"endpoint": "http://x"}
    with pytest.raises(ConfigError, match="ALULA__STORAGE__RETRIES: 'x' is no number"):
        storage_of({"ALULA__STORAGE__RETRIES": "x"})


def test_home_is_the_users_own_unless_a_variable_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home({}) == tmp_path / ".alula"
    assert home({"ALULA_HOME": "/h"}) == Path("/h")


def test_images_have_names_of_their_own(tmp_path: Path) -> None:
    text = "[images]\ndefault = 'ghcr.io/me/base:1'\ntrain = 'ghcr.io/me/train:2'"
    made = load(written(tmp_path, text), {"ALULA__IMAGES__TRAIN": "here:3"})
    assert made.images == {"default": "ghcr.io/me/base:1", "train": "here:3"}
    with pytest.raises(ConfigError, match="images is a section"):
        load(written(tmp_path, "images = 'a:1'"), {})


def test_workers_of_flytekit_are_set_by_a_python_and_paths_from_where_they_are_written(tmp_path: Path) -> None:
    text = '[workers]\npython = ".venv/bin/python"\nfresh = true\npaths = ["flows", "/srv/lib"]\n'
    workers = load(written(tmp_path, text), {}).workers
    assert workers.python == str(tmp_path / ".venv/bin/python")
    assert workers.fresh
    assert workers.paths == (str(tmp_path / "flows"), "/srv/lib")
    assert load(tmp_path, {"ALULA__WORKERS__PATHS": "/a:/b"}).workers.paths == ("/a", "/b")
    with pytest.raises(ConfigError, match="no list of directories"):
        load(written(tmp_path, "[workers]\npaths = 3\n"), {})

"""Configs as JSON: what is read is what was written, faults are complete, and the published schema agrees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import PluginError, Rejected
from alula.plugin import typed


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the job."""

    gigabytes: int = 10
    kind: Literal["ssd", "hdd"] = "ssd"


@dataclass(frozen=True, slots=True)
class Cluster:
    workers: int
    """How many machines."""
    size: Size = Size.SMALL
    price: float | None = None
    disks: tuple[Disk, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    patience: timedelta = timedelta(seconds=90)
    since: datetime | None = None
    port: int | str = 80
    pair: tuple[int, str] = (1, "a")

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError("workers cannot be below 0")


CLUSTERS = st.builds(
    Cluster,
    workers=st.integers(0, 2**40),
    size=st.sampled_from(Size),
    price=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    disks=st.lists(st.builds(Disk, st.integers(-(2**40), 2**40), st.sampled_from(["ssd", "hdd"])), max_size=3).map(
        tuple
    ),
    labels=st.dictionaries(st.text(), st.text(), max_size=3),
    patience=st.timedeltas(timedelta(0), timedelta(days=10)),
    since=st.none() | st.datetimes(timezones=st.just(UTC)),
    port=st.integers(0, 9) | st.text(),
    pair=st.tuples(st.integers(-9, 9), st.text()),
)


@given(CLUSTERS)
def test_what_is_written_is_read_again_also_after_json(cluster: Cluster) -> None:
    document = typed.write(cluster)
    assert typed.read(json.loads(json.dumps(document)), Cluster) == cluster


@given(CLUSTERS)
def test_whole_numbers_of_a_struct_are_ints_again(cluster: Cluster) -> None:
    document = json.loads(json.dumps(typed.write(cluster)), parse_int=float)
    read = typed.read(document, Cluster)
    assert read == cluster
    assert type(read.workers) is int


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.sampled_from(["small", "ssd", "5s", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["workers", "size", "disks", "gigabytes", "kind", "zz"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["workers", "size", "price", "disks", "labels", "port", "pair", "zz"]), JSON))
def test_what_the_schema_refuses_is_refused(document: dict[str, Any]) -> None:
    published = typed.schema(Cluster)
    fits = jsonschema.Draft202012Validator(published).is_valid(document)
    faults = [one for one in typed.faults_of(document, Cluster) if "cannot be below 0" not in one]
    assert fits == (not faults)


def test_every_fault_is_said_with_its_path_and_a_way_out() -> None:
    with pytest.raises(Rejected) as caught:
        typed.read({"wrokers": 3, "disks": [{"gigabytes": "many"}], "size": "huge"}, Cluster)
    text = str(caught.value)
    for part in (
        "config has no key 'wrokers'; did you mean 'workers'?",
        "config.workers is missing",
        "config.disks[0].gigabytes is 'many', and must be a whole number",
        "config.size is 'huge', and must be one of 'small', 'large'",
    ):
        assert part in text


def test_what_the_class_itself_refuses_is_a_fault() -> None:
    assert typed.faults_of({"workers": -1}, Cluster) == ["config: workers cannot be below 0"]


def test_the_schema_carries_docstrings_and_defaults() -> None:
    published: Any = typed.schema(Cluster)
    cluster = published["$defs"]["Cluster"]
    assert cluster["properties"]["workers"] == {"type": "integer", "description": "How many machines."}
    assert cluster["required"] == ["workers"]
    assert cluster["properties"]["patience"]["default"] == 90.0
    assert published["$defs"]["Disk"]["description"] == "A disk of the job."


def test_a_type_that_json_cannot_hold_is_refused_with_what_can_be_used() -> None:
    @dataclass
    class Odd:
        made: complex

    with pytest.raises(PluginError, match="complex"):
        typed.schema(Odd)

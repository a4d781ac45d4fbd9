from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import CallError
from alula.idl import Resources as Message
from alula.sdk.resources import Resources, ResourceSpec, resource_spec, to_message

ALL = Resources(cpu="1", mem="2Gi", gpu="1", ephemeral_storage="3Gi")


def test_a_container_has_the_bytes_that_flytekit_writes() -> None:
    expected = (
        "0a07080512033347690a0508011201310a0508021201310a07080312033247691207080512033347691205080112013112050802120131"
        "120708031203324769"
    )
    assert to_message(ALL, ALL).SerializeToString() == bytes.fromhex(expected)


def test_an_override_has_the_bytes_that_flytekit_writes() -> None:
    expected = "0a0508011201310a07080312033247690a0508021201310a070805120333476912050803120135"
    assert to_message(ALL, Resources(mem=5), override=True).SerializeToString() == bytes.fromhex(expected)


def test_a_zero_asks_for_nothing_in_a_container_and_stays_in_an_override() -> None:
    assert to_message(Resources(gpu=0)) == Message()
    assert [entry.value for entry in to_message(Resources(gpu=0), override=True).requests] == ["0"]


def test_numbers_become_text() -> None:
    entries = to_message(Resources(cpu=0.5, mem=1024)).requests
    assert [(entry.name, entry.value) for entry in entries] == [(Message.CPU, "0.5"), (Message.MEMORY, "1024")]


def test_resources_takes_pairs_apart_and_a_single_amount_is_a_request() -> None:
    spec = resource_spec(resources=Resources(cpu=("1", "2"), mem=1024, gpu=[1, 1]))
    assert spec == ResourceSpec(Resources(cpu="1", mem=1024, gpu=1), Resources(cpu="2", gpu=1))


@pytest.mark.parametrize("value", ["500m", "1", "0.5", ".5", "2Gi", "1e3", "128Ki", 3, 0.25, ("1", "2"), ["100m", 1]])
def test_quantities_of_kubernetes_are_taken(value: object) -> None:
    assert Resources(cpu=value).cpu == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amounts", "words"),
    [
        ({"mem": "2GB"}, "mem='2GB' is not a quantity"),
        ({"cpu": True}, "cpu=True is neither str or int or float"),
        ({"mem": 1.5}, "mem=1.5 is neither str or int nor"),
        ({"gpu": ("1", "2", "3")}, "3 amounts"),
        ({"cpu": -1}, "cpu=-1 is not a quantity"),
        ({"cpu": ("2", "1500m")}, "requests more than its limit"),
        ({"mem": ("1Gi", "1G")}, "requests more than its limit"),
        ({"cpu": (1, None)}, "cpu=(1, None)"),
    ],
)
def test_an_amount_that_is_none_is_refused_with_its_name_and_value(amounts: dict[str, object], words: str) -> None:
    with pytest.raises(CallError) as caught:
        Resources(**amounts)  # type: ignore[arg-type]
    assert words in caught.value.what
    assert caught.value.fix


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(CallError, match=r"(?s)cpu='x'.*mem='y'"):
        Resources(cpu="x", mem="y")


def test_a_pair_is_refused_as_requests() -> None:
    with pytest.raises(CallError, match="requests takes one amount of each resource, not a pair: cpu="):
        to_message(requests=Resources(cpu=("1", "2")))


def test_resources_beside_limits_is_refused() -> None:
    with pytest.raises(CallError, match="limits= cannot stand beside it"):
        to_message(limits=ALL, resources=ALL)


def test_anything_but_resources_is_refused() -> None:
    with pytest.raises(CallError, match="limits takes a Resources value, got dict"):
        to_message(limits={"cpu": 1})  # type: ignore[arg-type]


@given(
    st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_a_pair_is_taken_just_when_the_request_is_within_the_limit(unit: str, request: int, limit: int) -> None:
    pair = (f"{request}{unit}", f"{limit}{unit}")
    if request <= limit:
        assert Resources(mem=pair).mem == pair
    else:
        with pytest.raises(CallError):
            Resources(mem=pair)

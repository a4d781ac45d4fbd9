from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.idl.content import digest, equal

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text("abc", max_size=3)
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=4)
)


def literal(value: Any) -> Literal:
    match value:
        case None:
            return literals.none()
        case bool():
            return literals.boolean(value)
        case int():
            return literals.integer(value)
        case float():
            return literals.floating(value)
        case str():
            return literals.string(value)
        case list():
            return literals.collection(map(literal, value))
        case _:
            return literals.mapping({k: literal(v) for k, v in value.items()})


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(v) for v in value] if isinstance(value, list) else value


def hashed(lit: Literal, by: str) -> Literal:
    copy = Literal()
    copy.CopyFrom(lit)
    copy.hash = by
    return copy


@given(NESTED)
def test_the_order_of_entries_is_no_part_of_a_value(value: Any) -> None:
    a, b = literal(value), literal(shuffled(value))
    assert equal(a, b)
    assert digest(a) == digest(b)


@given(NESTED)
def test_the_order_of_entries_is_no_part_of_a_msgpack_value(value: Any) -> None:
    a, b = literals.binary(msgpack.packb(value)), literals.binary(msgpack.packb(shuffled(value)))
    assert equal(a, b)
    assert digest(a) == digest(b)


@given(NESTED, NESTED)
def test_values_are_equal_just_when_their_digests_are(a: Any, b: Any) -> None:
    assert equal(literal(a), literal(b)) == (digest(literal(a)) == digest(literal(b)))


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, 1.0), (1, True), (0, False), (0.0, -0.0), ("1", 1), ([], {}), (None, 0), ([1, 2], [2, 1])],
)
def test_values_of_different_types_differ_inside_and_outside_of_msgpack(a: Any, b: Any) -> None:
    for x, y in (
        (literal(a), literal(b)),
        (literals.binary(msgpack.packb({"k": a})), literals.binary(msgpack.packb({"k": b}))),
    ):
        assert not equal(x, y)
        assert digest(x) != digest(y)


def test_a_hash_stands_for_the_content_at_any_depth() -> None:
    def nested(inner: Literal) -> Literal:
        as_union = literals.union(inner, LiteralType(simple=SimpleType.INTEGER))
        return literals.mapping({"k": literals.collection([literals.integer(1), as_union])})

    one, two = literals.integer(1), literals.integer(2)
    assert digest(nested(hashed(one, "h"))) == digest(nested(hashed(two, "h")))
    assert digest(nested(hashed(one, "h"))) != digest(nested(hashed(one, "g")))
    assert digest(nested(one)) != digest(nested(hashed(one, "h")))


def test_equality_looks_at_the_content_and_not_at_the_hash() -> None:
    assert equal(hashed(literals.integer(1), "a"), literals.integer(1))
    assert not equal(hashed(literals.integer(1), "a"), hashed(literals.integer(2), "a"))


def test_metadata_is_part_of_a_value() -> None:
    with_metadata = literals.integer(1)
    with_metadata.metadata["k"] = "v"
    assert not equal(with_metadata, literals.integer(1))


def test_neither_function_changes_what_it_is_given() -> None:
    lit = literals.collection([hashed(literals.binary(msgpack.packb({"b": 1, "a": 2})), "h")])
    before = lit.SerializeToString()
    digest(lit)
    equal(lit, literals.none())
    assert lit.SerializeToString() == before


@pytest.mark.parametrize("packed", [b"\xc1", b"", b"\x81", b"\x82\x01\x01\xc3\x02", b"\x91" * 2000 + b"\x01"])
def test_bytes_that_are_no_readable_msgpack_are_named_by_themselves(packed: bytes) -> None:
    assert digest(literals.binary(packed)) == digest(literals.binary(packed))
    assert digest(literals.binary(packed)) != digest(literals.binary(packed + b"\xc0"))


def test_bytes_of_another_format_are_left_as_they_are() -> None:
    a, b = msgpack.packb({"a": 1, "b": 2}), msgpack.packb({"b": 2, "a": 1})
    assert not equal(literals.binary(a, "other"), literals.binary(b, "other"))


def test_the_digest_is_pinned_because_caches_outlive_processes() -> None:
    inputs = literals.literal_map({"x": literals.integer(1), "y": literals.collection_of_strings(["a", "b"])})
    assert digest(inputs) == "04c2dd13e7081ec4c7f2f59419ed9431060cd5b444716e18b08fc75533c08e72"
    assert digest(inputs) != digest(literals.literal_map({"x": literals.integer(1)}))

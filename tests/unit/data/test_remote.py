"""What buckets are never asked for."""

from __future__ import annotations

import asyncio

import pytest

from alula.data.stores import Objects
from alula.errors import DataError


@pytest.mark.parametrize("name", ["a\nb", "a\0", "caf\udcff", "a\x7fb"])
def test_a_name_that_no_object_can_have_is_refused_at_once_with_what_to_do(name: str) -> None:
    with pytest.raises(DataError, match="no object can be called") as caught:
        asyncio.run(Objects().write(f"s3://bucket/under/{name}", b"x"))
    assert "rename the file" in str(caught.value)
    str(caught.value).encode()

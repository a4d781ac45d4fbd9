"""Servers that speak the protocols of object stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]
import pytest

from tests.conftest import needs
from tests.servers.faulty import Faulty, faulty
from tests.servers.object_stores import NoNodeStores, azurite, s3rver


@pytest.fixture(scope="session")
def az() -> Iterator[Mapping[str, str]]:
    """Settings of an Azurite with the containers `box` and `other`."""
    try:
        with azurite() as settings:
            yield settings
    except NoNodeStores as exc:
        needs("Azurite", str(exc))


@pytest.fixture(scope="session")
def s3_of_node() -> Iterator[Mapping[str, str]]:
    """Settings of an s3rver with the bucket `box`; it knows one key."""
    try:
        with s3rver() as settings:
            yield settings
    except NoNodeStores as exc:
        needs("s3rver", str(exc))


def boto(service: str, address: str) -> Any:
    """A client that is not ours."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return boto3.client(service, endpoint_url=address, region_name="us-east-1", **keys)


@pytest.fixture(scope="session")
def s3(s3_address: str) -> Mapping[str, str]:
    """Settings of a moto with the bucket `box`; it lets everybody in."""
    boto("s3", s3_address).create_bucket(Bucket="box")
    return {"endpoint": s3_address, "access_key_id": "key", "secret_access_key": "secret"}


@pytest.fixture
def proxy(s3: Mapping[str, str]) -> Iterator[Faulty]:
    """In front of that moto."""
    with faulty(int(urlsplit(s3["endpoint"]).port or 0)) as made:
        yield made

"""Stores that fail, cut off, are full, refuse or are not there: what comes through, and what is said of the rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from alula._kits.bridge import run
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import DataError, ObjectNotFound
from tests.servers.faulty import Fault, Faulty

BIG = bytes(range(256)) * 160_000  # 40 MB: three pieces
SLOW_DOWN = Fault(503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
EXPIRED = Fault(400, b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>")
MISMATCH = Fault(403, b"<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message></Error>")
FAILED = Fault(500, b"<Error><Code>InternalError</Code><Message>We failed.</Message></Error>")


@pytest.fixture
def objects(proxy: Faulty, s3: Mapping[str, str]) -> Objects:
    return Objects(StoreSettings(s3={**s3, "endpoint": f"http://127.0.0.1:{proxy.port}"}, retries=1))


@pytest.fixture
def uri() -> str:
    return f"s3://box/{uuid4().hex}"


def test_one_refusal_for_haste_is_waited_out(objects: Objects, proxy: Faulty, uri: str) -> None:
    for method, call in (("PUT", objects.write(uri, b"1")), ("GET", objects.read(uri)), ("HEAD", objects.size(uri))):
        proxy.times(1, SLOW_DOWN, method=method)
        run(call)
    assert proxy.spoiled == 3


def test_a_store_that_stays_overloaded_is_told_with_its_words(objects: Objects, proxy: Faulty, uri: str) -> None:
    proxy.always(SLOW_DOWN)
    for call in (objects.read(uri), objects.write(uri, b"1"), objects.delete(uri), objects.exists(uri)):
        with pytest.raises(DataError, match=r"wants fewer requests|failed") as caught:
            run(call)
        assert "503" in caught.value.what
        assert "2 times" in caught.value.what
        assert not isinstance(caught.value, ObjectNotFound)


def test_an_answer_that_broke_off_is_asked_for_again_from_there(objects: Objects, proxy: Faulty, uri: str) -> None:
    data = bytes(range(256)) * 40
    run(objects.write(uri, data))
    proxy.times(1, Fault(cut_at=1000), method="GET")
    assert run(objects.read(uri)) == data
    assert proxy.spoiled == 1


def test_a_piece_that_fails_is_sent_again_and_only_that(
    objects: Objects, proxy: Faulty, uri: str, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(BIG)
    proxy.times(1, FAILED, method="PUT", path="partNumber=2")
    run(objects.upload(tmp_path / "big", uri))
    assert sum("partNumber" in path for _, path in proxy.seen) == 4
    proxy.heal()
    proxy.times(1, Fault(cut_at=1_000_000), method="GET")
    run(objects.download(uri, tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == BIG


def test_a_big_upload_that_fails_midway_leaves_nothing(
    objects: Objects, proxy: Faulty, uri: str, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(BIG)
    proxy.always(FAILED, method="PUT", path="partNumber=3")
    with pytest.raises(DataError, match=r"the store failed at .*500 InternalError: We failed; tried 2 times"):
        run(objects.upload(tmp_path / "big", uri))
    # The pieces that had come; one that was under way may be answered later, with a refusal.
    assert "DELETE" in [one[0] for one in proxy.seen]
    proxy.heal()
    assert not run(objects.exists(uri))


def test_a_big_download_that_breaks_off_leaves_nothing(
    objects: Objects, proxy: Faulty, uri: str, tmp_path: Path
) -> None:
    run(objects.write(uri, BIG))
    proxy.always(Fault(cut_at=1000), method="GET")
    with pytest.raises(DataError, match=f"broke off at {uri}"):
        run(objects.download(uri, tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_which_a_file_fails_says_which(
    objects: Objects, proxy: Faulty, uri: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(30):
        (source / f"{number}.txt").write_text(f"{number}")
    proxy.always(FAILED, method="PUT", path="/17.txt")
    with pytest.raises(DataError) as caught:
        run(objects.upload(source, uri))
    assert caught.value.where == f"{uri}/17.txt"
    proxy.heal()
    run(objects.upload(source, uri))
    proxy.always(FAILED, method="GET", path="/23.txt")
    with pytest.raises(DataError) as caught:
        run(objects.download(uri, tmp_path / "copy"))
    assert caught.value.where == f"{uri}/23.txt"


def test_a_write_whose_answer_is_lost_is_done_again(objects: Objects, proxy: Faulty, uri: str) -> None:
    proxy.times(1, Fault(swallow=True), method="PUT")
    run(objects.write(uri, b"1"))
    assert run(objects.read(uri)) == b"1"
    assert [method for method, _ in proxy.seen].count("PUT") == 2


def test_credentials_that_expired_are_told_from_wrong_ones(objects: Objects, proxy: Faulty, uri: str) -> None:
    for fault, said in ((EXPIRED, "have expired"), (MISMATCH, "secret key does not fit")):
        proxy.always(fault)
        for call in (objects.read(uri), objects.write(uri, b"1"), objects.delete(uri)):
            with pytest.raises(DataError, match=said):
                run(call)


def test_a_bucket_of_another_region_is_told(objects: Objects, proxy: Faulty, uri: str) -> None:
    proxy.always(Fault(301, b"<Error><Code>PermanentRedirect</Code></Error>"))
    with pytest.raises(DataError, match="bucket 'box' lies in another region"):
        run(objects.read(uri))


def test_a_page_of_something_else_is_no_listing(objects: Objects, proxy: Faulty, uri: str) -> None:
    async def listed() -> list[str]:
        return [one async for one in objects.list(uri)]

    proxy.always(Fault(200, b"Welcome!"), method="GET")
    with pytest.raises(DataError, match="is no object store") as caught:
        run(listed())
    assert f"127.0.0.1:{proxy.port}" in caught.value.fix


def test_a_listing_of_a_missing_bucket_names_it(objects: Objects, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound, match="there is no bucket 'nothing'"):
        run(objects.download("s3://nothing/x", tmp_path / "copy"))


@pytest.mark.parametrize("address", ["not an address", "minio:9000", "ftp://x"])
def test_an_address_that_is_none_is_an_error(address: str, s3: Mapping[str, str]) -> None:
    objects = Objects(StoreSettings(s3={**s3, "endpoint": address}))
    with pytest.raises(DataError, match="is no address of a store"):
        run(objects.read("s3://box/x"))


def test_a_server_that_is_gone_is_named_with_its_address(s3: Mapping[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for objects, uri in (
            (Objects(StoreSettings(s3={**s3, "endpoint": address}, retries=0)), "s3://box/x"),
            (Objects(StoreSettings(gs={"base_url": address}, retries=0)), "gs://box/x"),
            (
                Objects(StoreSettings(az={"endpoint": address, "account_name": "a", "account_key": "a2V5"}, retries=0)),
                "az://box/x",
            ),
        ):
            with pytest.raises(DataError, match=f"the store of {uri} cannot be reached") as caught:
                run(objects.read(uri))
            assert address in caught.value.fix


def test_a_small_image_without_certificates_says_so_where_it_needs_them(s3: Mapping[str, str], uri: str) -> None:
    program = "import sys; from alula._kits.bridge import run; from alula.data.stores import Objects\n"
    program += "run(Objects().write(sys.argv[1], b'1'))"
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    environ = {**os.environ, **keys, "SSL_CERT_FILE": "/nothing", "SSL_CERT_DIR": "/nothing"}
    command = [sys.executable, "-c", program, uri]
    plain = {**environ, "AWS_ENDPOINT_URL": s3["endpoint"]}
    assert subprocess.run(command, env=plain, check=False).returncode == 0
    encrypted = {**environ, "AWS_ENDPOINT_URL": "https://127.0.0.1:1"}
    done = subprocess.run(command, env=encrypted, capture_output=True, text=True, check=False)
    assert "cannot be reached by TLS (No CA certificates were loaded from the system)" in done.stderr
    assert "apt-get install ca-certificates" in done.stderr

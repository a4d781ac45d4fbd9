"""Reading from web servers, good and bad ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alula import File
from alula._kits.bridge import run
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import DataError, ObjectNotFound
from alula.testing.suites.objects import listed

CONTENT = bytes(range(256)) * 30_000


class Handler(BaseHTTPRequestHandler):
    """`/plain`: no ranges; `/ranged`; `/chunked`: no length; `/short`: ends early; `/404` and the like; `/moved`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/")
        self.close_connection = True
        if name.isdigit():
            self.send_error(int(name))
        elif name == "moved":
            self._head(302, {"Location": "/ranged", "Content-Length": "0"})
        elif name == "chunked":
            self._head(200, {"Transfer-Encoding": "chunked"})
            self.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")
        elif name == "short":
            self._head(200, {"Content-Length": "1000"})
            self.wfile.write(b"x" * 10)
        elif name == "ranged" and (wanted := self.headers.get("Range")):
            self._ranged(wanted)
        elif name in ("plain", "ranged"):
            self._head(200, {"Content-Length": str(len(CONTENT))})
            self.wfile.write(CONTENT)
        else:
            self._head(200, {"Content-Length": str(len(self.path))})
            self.wfile.write(self.path.encode())

    def _ranged(self, wanted: str) -> None:
        start, end = wanted.removeprefix("bytes=").split("-")
        if int(start) >= len(CONTENT):
            self._head(416, {"Content-Length": "0"})
            return
        piece = CONTENT[int(start) : int(end) + 1 if end else None]
        covers = f"bytes {start}-{int(start) + len(piece) - 1}/{len(CONTENT)}"
        self._head(206, {"Content-Length": str(len(piece)), "Content-Range": covers})
        self.wfile.write(piece)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has read enough hangs up; that is no error."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def objects() -> Objects:
    return Objects(StoreSettings(timeout_seconds=20))


@pytest.mark.parametrize("name", ["plain", "ranged", "moved"])
def test_objects_are_read_whole_and_in_ranges(objects: Objects, site: str, name: str) -> None:
    uri = f"{site}/{name}"
    assert run(objects.read(uri)) == CONTENT
    assert run(objects.read(uri, start=5, length=3)) == CONTENT[5:8]
    assert run(objects.read(uri, start=len(CONTENT) - 2)) == CONTENT[-2:]
    assert run(objects.read(uri, start=len(CONTENT), length=4)) == b""
    assert run(objects.read(uri, start=3, length=0)) == b""
    assert run(objects.size(uri)) == len(CONTENT)
    assert run(objects.exists(uri))


@pytest.mark.parametrize("name", ["plain", "ranged"])
def test_files_are_downloaded_and_streamed(objects: Objects, site: str, name: str, tmp_path: Path) -> None:
    run(objects.download(f"{site}/{name}", tmp_path / "a" / "copy"))
    assert (tmp_path / "a" / "copy").read_bytes() == CONTENT
    with run(objects.open_reader(f"{site}/{name}")) as reader:
        reader.seek(-3, 2)
        assert reader.read() == CONTENT[-3:]
        reader.seek(0)
        assert reader.read() == CONTENT


def test_an_answer_without_a_length_is_read(objects: Objects, site: str, tmp_path: Path) -> None:
    assert run(objects.read(f"{site}/chunked")) == b"hello"
    assert run(objects.size(f"{site}/chunked")) == 5
    run(objects.download(f"{site}/chunked", tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == b"hello"


def test_an_answer_that_ends_early_leaves_no_file(objects: Objects, site: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cut short: 10 bytes of 1000"):
        run(objects.download(f"{site}/short", tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError):
        run(objects.read(f"{site}/short"))


def test_query_and_odd_letters_reach_the_server(objects: Objects, site: str) -> None:
    assert run(objects.read(f"{site}/a b/ü%20?x=1&y=a%2Fb")) == b"/a%20b/%C3%BC%20?x=1&y=a%2Fb"


def test_a_signed_address_can_be_used_by_path(site: str) -> None:
    file = File(f"{site}/plain.csv?key=a/b&X-Amz-Signature={'a' * 400}")
    assert Path(file).read_text() == file.source.removeprefix(site)
    assert Path(file).name == "plain.csv"


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_page_is_not_found(objects: Objects, site: str, status: int, tmp_path: Path) -> None:
    assert not run(objects.exists(f"{site}/{status}"))
    for call in (objects.read(f"{site}/{status}"), objects.download(f"{site}/{status}", tmp_path / "x")):
        with pytest.raises(ObjectNotFound, match=str(status)):
            run(call)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_is_an_error_and_not_a_missing_object(objects: Objects, site: str, status: int) -> None:
    with pytest.raises(DataError, match=str(status)) as caught:
        run(objects.exists(f"{site}/{status}"))
    assert not isinstance(caught.value, ObjectNotFound)


def test_the_web_is_read_only_and_cannot_be_listed(objects: Objects, site: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    uri = f"{site}/plain"
    calls = [objects.write(uri, b"1"), objects.upload(tmp_path / "file", uri), objects.delete(uri)]
    for call in calls:
        with pytest.raises(DataError, match="read only"):
            run(call)
    with pytest.raises(DataError, match="read only"):
        run(objects.open_writer(uri))
    with pytest.raises(DataError, match="cannot be listed"):
        listed(objects, site)

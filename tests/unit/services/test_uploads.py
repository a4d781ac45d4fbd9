"""Where uploads go, and where they cannot."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data import uris
from alula.errors import RequestError
from alula.idl.service import CreateUploadLocationRequest as Asked
from alula.services.uploads import check_ours, plain, upload_path

MD5 = bytes(range(16))


def test_a_file_goes_by_its_content_or_where_the_client_says() -> None:
    root = base64.b32encode(MD5).decode()
    assert upload_path(Asked(project="p", domain="d", filename="f.gz", content_md5=MD5)) == f"p/d/{root}/f.gz"
    asked = Asked(project="p", domain="d", filename="a/f.gz", filename_root="r", content_md5=MD5)
    assert upload_path(asked) == "p/d/r/a/f.gz"


def test_a_frame_gets_a_name_of_its_own_each_time() -> None:
    asked = Asked(project="p", domain="d", filename_root="00000")
    first, second = upload_path(asked), upload_path(asked)
    assert first.startswith("p/d/00000/")
    assert first != second


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10), st.text(max_size=10))
def test_nothing_leaves_the_place_of_its_project(name: str, root: str, project: str, domain: str) -> None:
    try:
        path = upload_path(Asked(project=project, domain=domain, filename=name, filename_root=root, content_md5=MD5))
    except RequestError:
        return
    assert len(uris.members("/uploads", f"/uploads/{path}")) >= 4
    assert path.startswith(f"{project}/{domain}/")


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (Asked(project="p", domain="d", filename="f"), "either it or filename_root"),
        (Asked(project="p", domain="d", filename="f", content_md5=b"short"), "has 5 bytes"),
        (Asked(project="p", domain="d", filename="../f", content_md5=MD5), "no path below"),
        (Asked(project="p", domain="d", filename="/f", content_md5=MD5), "no path below"),
        (Asked(project="..", domain="d", filename="f", content_md5=MD5), "no name for a project"),
        (Asked(project="p", domain="d", filename_root="x" * 2000), "may have 1024"),
        (Asked(project="p", domain="d", filename="x" * 256, content_md5=MD5), "more than 255"),
    ],
)
def test_what_cannot_be_uploaded_says_why(asked: Asked, what: str) -> None:
    with pytest.raises(RequestError, match=what):
        upload_path(asked)


def test_clients_see_plain_paths() -> None:
    assert plain("file:///data/x") == "/data/x"
    assert plain("s3://data/x") == "s3://data/x"


@pytest.mark.parametrize("uri", ["/data/p/d/x/outputs.pb", "/data/_uploads/p/d/r/f"])
def test_files_of_the_server_may_be_downloaded(uri: str) -> None:
    check_ours(uri, "/data")


@pytest.mark.parametrize("uri", ["/etc/passwd", "/data", "/data/../etc/passwd", "/database/x", "s3://data/x", ""])
def test_other_files_may_not(uri: str) -> None:
    with pytest.raises(RequestError, match="no file of this server"):
        check_ours(uri, "/data")

"""The HTTP side of the control plane, asked by a program that we did not write: schemathesis makes up requests."""

from __future__ import annotations

import os
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.servers.control_plane import ControlPlane

EXAMPLES = int(os.environ.get("ALULA_FUZZ_EXAMPLES", "8"))
"""For each call; 500 take five minutes."""
CHECKS: list[Any] = [
    checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
LEAST_CALLS = 40


def test_whatever_is_asked_the_answer_is_as_described_and_no_fault_of_the_server(control_plane: ControlPlane) -> None:
    schema = schemathesis.openapi.from_url(f"{control_plane.http}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= LEAST_CALLS
    faults = []
    for operation in operations:
        try:
            _fuzzed(operation)
        except (Exception, BaseExceptionGroup) as exc:  # noqa: BLE001 - every call is tried, and all faults are told at once
            faults.append(f"{operation.label}: {exc} {getattr(exc, 'exceptions', '')}")
    assert not faults, "\n\n".join(faults)
    assert "rpc.failed" not in (control_plane.home / "serve.log").read_text()


def _fuzzed(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,  # the machine may be busy
    )
    def asked(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    asked()


def test_a_request_that_another_site_has_a_browser_send_is_refused(control_plane: ControlPlane) -> None:
    body = b'{"id": {"project": "p"}}'
    plain = httpx.post(f"{control_plane.http}/api/v1/tasks", content=body, headers={"Content-Type": "text/plain"})
    assert (plain.status_code, plain.json()["code"]) == (400, 3)
    rebound = httpx.get(f"{control_plane.http}/api/v1/version", headers={"Host": "evil.example"})
    assert (rebound.status_code, rebound.json()["code"]) == (403, 7)


def test_a_message_goes_as_bytes_where_that_is_asked_for(control_plane: ControlPlane) -> None:
    url = f"{control_plane.http}/api/v1/version"
    found = httpx.get(url, headers={"Accept": "application/octet-stream"})
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.content.endswith(httpx.get(url).json()["controlPlaneVersion"]["Version"].encode())


def test_a_path_that_is_none_and_a_verb_that_is_none_are_told_apart(control_plane: ControlPlane) -> None:
    assert httpx.get(f"{control_plane.http}/api/v1/nothing").status_code == 404
    wrong = httpx.put(f"{control_plane.http}/api/v1/version")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
    assert httpx.get(f"{control_plane.http}/healthcheck").text == "ok"


def test_an_upload_is_kept_only_as_it_was_announced(control_plane: ControlPlane) -> None:
    asked = {"project": "up", "domain": "d", "filename": "a.txt", "contentMd5": "XUFAKrxLKna5cZ2REBfFkg=="}  # hello
    made = httpx.post(f"{control_plane.http}/api/v1/dataproxy/artifact_urn", json=asked).json()
    other = httpx.put(made["signedUrl"], content=b"other")
    assert (other.status_code, "MD5" in other.text) == (400, True)
    good = httpx.put(made["signedUrl"], content=b"hello")
    assert good.status_code == 200
    with open(made["nativeUrl"], "rb") as kept:
        assert kept.read() == b"hello"
    forged = made["signedUrl"][:-2] + ("AA" if not made["signedUrl"].endswith("AA") else "BB")
    assert httpx.put(forged, content=b"hello").status_code == 404
    assert httpx.get(made["signedUrl"]).status_code == 404
    below = {"project": "up", "domain": "d", "filenameRoot": "r"}
    for name, status in (("d/e", 200), ("d", 409), ("d/e/f", 409)):
        place = httpx.post(f"{control_plane.http}/api/v1/dataproxy/artifact_urn", json={**below, "filename": name})
        assert httpx.put(place.json()["signedUrl"], content=b"hello").status_code == status
    again = httpx.post(f"{control_plane.http}/api/v1/dataproxy/artifact_urn", json={**below, "filename": "d/e"})
    assert (again.status_code, again.json()["code"]) == (409, 6), "what lies there is somebody's code, or input"
    same = {**below, "filename": "d/e", "contentMd5": asked["contentMd5"]}
    assert httpx.post(f"{control_plane.http}/api/v1/dataproxy/artifact_urn", json=same).status_code == 200
    asked = {"native_url": made["nativeUrl"]}
    link = httpx.get(f"{control_plane.http}/api/v1/dataproxy/artifact_urn", params=asked).json()
    assert httpx.get(link["signedUrl"]).content == b"hello"
    assert httpx.put(link["signedUrl"], content=b"hello").status_code == 404
    key = {"native_url": str(control_plane.home / "server.key")}
    assert httpx.get(f"{control_plane.http}/api/v1/dataproxy/artifact_urn", params=key).status_code == 400

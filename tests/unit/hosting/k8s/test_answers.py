"""What answers of an API server mean for an attempt, by the bodies that a real one gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alula.errors import Rejected
from alula.hosting.k8s.answers import Refused, Wait, of_create, refusal
from alula.plugin.failure import FailureKind
from alula.plugin.phase import PhaseInfo
from tests.servers.kube import server

RECORDED = {
    exchange["name"]: exchange["response"]
    for exchange in map(json.loads, (Path(server.__file__).parent / "recorded.jsonl").read_text().splitlines())
}


def recorded(name: str) -> Refused:
    return refusal(RECORDED[name]["status"], RECORDED[name]["body"], where="here")


def made(status: int, message: str, reason: str = "", **details: Any) -> Refused:
    body = {"kind": "Status", "message": message, "reason": reason, "code": status, "details": details}
    return refusal(status, body, where="here")


def outcome(error: Refused) -> tuple[str, FailureKind, bool]:
    found = of_create(error)
    assert isinstance(found, PhaseInfo)
    assert found.failure is not None
    return found.failure.code, found.failure.kind, found.failure.recoverable


def test_quota_is_waited_for() -> None:
    found = of_create(recorded("create over quota: forbidden"))
    assert isinstance(found, Wait)
    assert found.asked == {"pods": "1"}


def test_a_request_beyond_the_whole_quota_never_fits() -> None:
    text = "exceeded quota: q, requested: cpu=5,memory=1Gi, used: cpu=0,memory=0, limited: cpu=4,memory=2Gi"
    assert outcome(made(403, f'pods "x" is forbidden: {text}', "Forbidden")) == (
        "ResourceRequestsExceedLimits",
        FailureKind.USER,
        False,
    )
    equal = "exceeded quota: q, requested: cpu=4, used: cpu=1, limited: cpu=4"
    assert isinstance(of_create(made(403, equal, "Forbidden")), Wait)


@pytest.mark.parametrize(
    "error",
    [
        made(429, "slow down", "TooManyRequests", retryAfterSeconds=7),
        made(504, "Timeout: request did not complete", "Timeout"),
        made(500, "etcdserver: leader changed"),
        made(500, "try again", "ServerTimeout"),
        made(503, "apiserver not ready", "ServiceUnavailable"),
    ],
)
def test_a_busy_server_is_waited_for(error: Refused) -> None:
    found = of_create(error)
    assert isinstance(found, Wait)
    assert found.seconds == (7.0 if error.status == 429 else None)


def test_other_refusals_may_go_away() -> None:
    limit = 'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
    assert outcome(made(403, limit, "Forbidden")) == ("RuntimeFailure", FailureKind.USER, True)
    role = 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n"'
    assert outcome(made(403, role, "Forbidden")) == ("RuntimeFailure", FailureKind.SYSTEM, True)
    assert "kubernetes.md" in made(403, role, "Forbidden").fix


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            recorded("create invalid pod: fields"),
            "spec.containers[0].image: Required value\nspec.containers[0].resources",
        ),
        (recorded("create invalid pod: name"), "metadata.name: Invalid value"),
        (recorded("create pod with an unknown field, strict"), 'unknown field "spec.contianers"'),
    ],
)
def test_wrong_objects_are_refused_with_every_cause(error: Refused, text: str) -> None:
    with pytest.raises(Rejected) as caught:
        of_create(error)
    assert caught.value.code == "BadTaskFormat"
    assert text in caught.value.what


@pytest.mark.parametrize(
    "error",
    [
        made(413, "Request entity too large: limit is 3145728", "RequestEntityTooLarge"),
        made(500, "etcdserver: request is too large"),
    ],
)
def test_too_much_is_the_users(error: Refused) -> None:
    if error.status == 413:
        with pytest.raises(Rejected) as caught:
            of_create(error)
        assert caught.value.code == "EntityTooLarge"


def test_what_has_nothing_to_do_with_the_object_is_raised() -> None:
    for name in ("wrong token: 401", "create custom resource before its definition: 404", "get missing pod"):
        with pytest.raises(Refused):
            of_create(recorded(name))
    assert recorded("update with an old resourceVersion: conflict").conflict
    assert not recorded("create pod again: conflict").conflict
    assert recorded("get after removal").missing
    assert made(410, "too old resource version: 1 (5)", "Expired").expired

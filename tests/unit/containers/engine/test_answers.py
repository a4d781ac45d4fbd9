from __future__ import annotations

import pytest

from alula.containers.engine import answers
from alula.errors import ImageMissing, Rejected, RemoteError, RemoteNotFound, Throttled

URL = "unix:///engine.sock"


@pytest.mark.parametrize(
    ("status", "said", "kind", "code"),
    [
        (404, "No such image: busybox:1", ImageMissing, ""),
        (404, "No such container: a1", RemoteNotFound, ""),
        (404, "network moon not found", Rejected, "NoNetwork"),
        (400, 'exec: "nope": executable file not found in $PATH', Rejected, "CannotRun"),
        (400, "Range of CPUs is from 0.01 to 2.00", Rejected, "BadContainer"),
        (500, 'could not select device driver "" with capabilities: [[gpu]]', Rejected, "NoDevice"),
        (500, "unable to find user jane: no matching entries", Rejected, "NoUser"),
        (503, "busy", Throttled, ""),
        (500, "the disk is full", RemoteError, ""),
    ],
)
def test_a_refusal_says_who_is_at_fault(status: int, said: str, kind: type[RemoteError], code: str) -> None:
    made = answers.refused(status, said, url=URL, what="start container a1")
    assert type(made) is kind
    assert said in made.what
    assert getattr(made, "code", "") == code


def test_an_engine_that_does_not_answer_is_named_with_the_command_that_tells_more() -> None:
    said = "Cannot connect to Docker Engine via unix://x [Cannot connect to unix socket /x ssl:default [Refused]]"
    made = answers.refused(answers.UNREACHABLE, said, url=URL, what="x")
    assert made.what == f"the container engine at {URL} does not answer: Refused"
    assert "alula doctor" in made.fix


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (
            "pull access denied for x, repository does not exist or may require 'docker login'",
            Rejected,
            "ImagePullDenied",
        ),
        ("Get https://r/v2/x: no basic auth credentials", Rejected, "ImagePullDenied"),
        ("manifest for x:9 not found: manifest unknown: manifest unknown", Rejected, "ImageNotFound"),
        ("no matching manifest for linux/arm64 in the manifest list entries", Rejected, "ImageNotFound"),
        ("invalid reference format", Rejected, "BadImageName"),
        ("toomanyrequests: You have reached your pull rate limit", Throttled, ""),
        ("dial tcp 127.0.0.1:1: connect: connection refused", RemoteError, ""),
        ("net/http: TLS handshake timeout", RemoteError, ""),
    ],
)
def test_a_failed_pull_is_final_only_where_another_try_would_not_help(
    said: str, kind: type[RemoteError], code: str
) -> None:
    made = answers.unpulled("x:9", said, 0, url=URL)
    assert type(made) is kind
    assert getattr(made, "code", "") == code

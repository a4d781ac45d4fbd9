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
        (500, "container create: no command or entrypoint provided, and no CMD", Rejected, "CannotRun"),
        (500, "container-init binary not found on the host: stat catatonit", Rejected, "NoInit"),
        (500, "normalizing image: invalid reference format", Rejected, "BadImageName"),
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


def test_who_only_looks_is_not_told_of_programs() -> None:
    said = "no such file or directory"
    assert type(answers.refused(404, said, url=URL, what="read /out of a1", looks=True)) is RemoteNotFound
    assert type(answers.refused(404, said, url=URL, what="start container a1")) is Rejected


@pytest.mark.parametrize(
    ("status", "said", "conflicts"),
    [
        (409, "whatever", True),
        (500, 'creating container storage: the container name "a1" is already in use by 7c', True),
        (500, "cannot remove container a1 as it is running: container state improper", True),
        (500, "the disk is full", False),
    ],
)
def test_a_conflict_has_a_status_of_docker_or_words_of_podman(status: int, said: str, conflicts: bool) -> None:
    assert answers.conflicts(status, said) is conflicts

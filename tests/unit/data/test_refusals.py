"""What stores say, made into errors."""

from __future__ import annotations

import pytest

from alula.data.refusals import Refusal, refused
from alula.errors import DataError, ObjectNotFound

ANSWER = (
    "Generic S3 error: Error performing GET http://host:9000/b/x in 10.1ms, after 3 retries, max_retries: 3,"
    " retry_timeout: 120s - Server returned non-2xx status code: {} Words: <?xml?>\n<Error><Code>{}</Code>"
    "<Message>It&apos;s so.</Message></Error> Debug source: Generic {{ status code: 999 }}"
)


def test_the_stores_own_words_are_taken_out() -> None:
    found = Refusal.of(ANSWER.format(503, "SlowDown"))
    assert (found.status, found.code, found.message, found.retries) == (503, "SlowDown", "It's so.", 3)
    assert found.told == " (503 SlowDown: It's so; tried 4 times)"


@pytest.mark.parametrize(
    ("status", "code", "said", "missing"),
    [
        (404, "NoSuchBucket", "there is no bucket 'b'", True),
        (404, "NoSuchKey", "s3://b/x does not exist", True),
        (403, "AccessDenied", "access to s3://b/x was refused (403 AccessDenied: It's so; tried 4 times)", False),
        (401, "Unauthorized", "access to s3://b/x was refused", False),
        (403, "RequestTimeTooSkewed", "the clock of this machine is wrong", False),
        (400, "ExpiredToken", "the credentials for s3://b/x have expired", False),
        (400, "InvalidToken", "does not know the access key", False),
        (429, "Odd", "wants fewer requests", False),
        (500, "InternalError", "the store failed at s3://b/x", False),
        (418, "Teapot", "the store did not do as asked (418 Teapot: It's so", False),
    ],
)
def test_each_refusal_has_its_words(status: int, code: str, said: str, missing: bool) -> None:
    made = refused("s3://b/x", ANSWER.format(status, code), endpoint="http://host:9000")
    assert said in made.what
    assert isinstance(made, ObjectNotFound) is missing
    assert isinstance(made, DataError)
    assert made.where == "s3://b/x"
    assert made.fix


def test_what_the_library_calls_missing_is_missing_whatever_else_is_said() -> None:
    assert isinstance(refused("s3://b/x", "Object at location x not found", missing=True), ObjectNotFound)


def test_the_address_is_named_where_it_may_be_wrong() -> None:
    text = "Generic GCS error: Error performing PUT http://host/b/x in 2ms - HTTP error: error sending request"
    made = refused("gs://b/x", text, endpoint="http://host")
    assert made.what == "the store of gs://b/x cannot be reached (HTTP error: error sending request)"
    assert "http://host" in made.fix


def test_azure_has_containers() -> None:
    assert "no container 'c'" in refused("abfs://c@acc.x/y", ANSWER.format(404, "ContainerNotFound")).what

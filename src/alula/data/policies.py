"""Policies of AWS that say what a task may do with S3; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from alula.data import uris
from alula.data.settings import Reach
from alula.errors import DataError

LONGEST = 2048
"""Characters of a session policy. Source: AWS STS, AssumeRole, parameter Policy."""

_READ = ("s3:GetObject",)
_WRITE = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject")


def policy(reach: Reach, *, partition: str = "aws") -> str:
    """The text that allows no more than a task's prefixes, as one line of JSON.

    Reads that are too many for one policy are said by the folder that holds them, then by the folder above it. A whole
    bucket is never opened so, and what may be written is never widened.

    Raises:
        DataError: It stays too long, or a URI names no bucket.
    """
    write = _shortest(_place(uri) for uri in reach.write)
    read = _shortest([*(_place(uri) for uri in reach.read), *write])
    while True:
        text = _text(read, write, partition)
        if len(text) <= LONGEST:
            return text
        wider = _widened(read, write)
        if wider == read:
            raise DataError(
                f"a policy for {len(reach.read)} URIs to read and {len(reach.write)} to write has {len(text)}"
                f" characters; a store takes {LONGEST}",
                where=", ".join([*reach.write, *reach.read][:3]),
                fix="keep the inputs below one prefix of a bucket, or give tasks other credentials: `[storage] tasks`",
            )
        read = wider


def _place(uri: str) -> tuple[str, ...]:
    """Bucket and parts of the key."""
    bucket, *parts = uris.rest(uri).rstrip("/").split("/")
    if not bucket:
        raise DataError(f"{uri!r} names no bucket", where=uri, fix="write it as s3://bucket/some/key")
    return (bucket, *parts)


def _shortest(places: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without those below another one, sorted."""
    found: list[tuple[str, ...]] = []
    for place in sorted(set(places)):
        if not found or place[: len(found[-1])] != found[-1]:
            found.append(place)
    return found


def _widened(read: Sequence[tuple[str, ...]], write: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The deepest of the places that are read only, said by the folders that hold them; the same if they cannot be."""
    deepest = max((len(place) for place in read if place not in write), default=0)
    if deepest <= 2:  # a bucket and one name
        return list(read)
    return _shortest(place[:-1] if len(place) == deepest and place not in write else place for place in read)


def _text(read: Sequence[tuple[str, ...]], write: Sequence[tuple[str, ...]], partition: str) -> str:
    def objects(places: Sequence[tuple[str, ...]]) -> list[str]:
        heads = [f"arn:{partition}:s3:::{place[0]}{_key(place)}" for place in places]
        return [name for head in heads for name in (head, f"{head}/*") if name.count("/") or name.endswith("*")]

    statements: list[dict[str, object]] = []
    if write:
        statements.append({"Effect": "Allow", "Action": list(_WRITE), "Resource": objects(write)})
    if read:
        statements.append({"Effect": "Allow", "Action": list(_READ), "Resource": objects(read)})
    for bucket in dict.fromkeys(place[0] for place in read):
        keys = [_key(place)[1:] for place in read if place[0] == bucket]
        prefixes = [name for key in keys for name in ((key, f"{key}/*") if key else ("*",))]
        statements.append(
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": f"arn:{partition}:s3:::{bucket}",
                "Condition": {"StringLike": {"s3:prefix": prefixes}},
            }
        )
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"), ensure_ascii=False)


_LITERAL = str.maketrans({"*": "${*}", "?": "${?}", "$": "${$}"})
"""How a policy says a character that would stand for others. Source: IAM, policy variables, special characters."""


def _key(place: tuple[str, ...]) -> str:
    """The key of a place behind a slash, as a policy says it; empty for a whole bucket."""
    return "".join(f"/{part.translate(_LITERAL)}" for part in place[1:])

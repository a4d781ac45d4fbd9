"""Pages of listings: how long one is, and the token that says where the next one begins; pure.

A token holds the place of the last row that was seen and a digest of what was asked for. It is opaque to clients, and
good for the same question only. Rows that come and go meanwhile move nothing: no row is seen twice or left out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgpack

from alula.errors import RequestError
from alula.store.records import Plain

USUAL = 100
"""Rows of a page, where nobody says how many."""
MOST = 1_000
_LONGEST = 4_096

Place = tuple[Plain, Plain]


def limit_of(asked: int) -> int:
    """How many rows a page has."""
    return min(asked, MOST) if asked > 0 else USUAL


def token(place: Place, question: str) -> str:
    """Where the next page begins."""
    data = msgpack.packb([_digest(question), *place])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def place_of(text: str, question: str, *, kinds: tuple[type[Plain], type[Plain]]) -> Place | None:
    """Where to go on; None for an empty token: from the beginning.

    Args:
        kinds: Of what the rows are sorted by, and of their ids.

    Raises:
        RequestError: It is no token, or that of another question.
    """
    if not text:
        return None
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        digest, key, id = msgpack.unpackb(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, binascii.Error, msgpack.UnpackException) as exc:
        raise _no_token(text) from exc
    if type(key) is not kinds[0] or type(id) is not kinds[1] or not (_fits(key) and _fits(id)):
        raise _no_token(text)
    if digest != _digest(question):
        raise RequestError(
            "the token is that of another listing",
            where="token",
            fix="send it with the same filters, order and place as before, or leave it out to begin anew",
        )
    return key, id


def _fits(place: Plain) -> bool:
    """Whether a database can compare with it; nobody but us should make tokens, and anybody can."""
    return isinstance(place, str) or -(2**63) <= place < 2**63


def _digest(question: str) -> bytes:
    return hashlib.sha256(question.encode("utf-8", "backslashreplace")).digest()[:8]


def _no_token(text: str) -> RequestError:
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return RequestError(f"{shown!r} is no token", where="token", fix="send back the one of the page before, as it was")

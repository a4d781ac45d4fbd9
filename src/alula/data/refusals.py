"""What an object store answered in place of doing as asked: its words made into one of our errors; pure."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alula.data import uris
from alula.errors import DataError, ObjectNotFound


@dataclass(frozen=True, slots=True)
class Refusal:
    """The words of a store, taken out of what the client library makes of them."""

    text: str
    """All of it, on one line."""
    status: int
    """Of HTTP; 0: there was no answer."""
    code: str
    """The store's own word, as `NoSuchBucket`; may be empty."""
    message: str
    """The store's own sentence; may be empty."""
    retries: int

    @classmethod
    def of(cls, text: str) -> Refusal:
        line = " ".join(text.split())
        shown, _, inside = line.partition(" Debug source:")
        if _NO_ROOTS in inside:
            shown = _NO_ROOTS
        status = re.search(r"status code: (\d{3})", shown) or re.search(r"\(code: (\d{3})\)", shown)
        retries = re.search(r"after (\d+) retries", shown)
        return cls(
            shown,
            int(status[1]) if status else 0,
            _element("Code", shown),
            _element("Message", shown),
            int(retries[1]) if retries else 0,
        )

    @property
    def told(self) -> str:
        """The store's words for a message, in parentheses."""
        words = [str(self.status or ""), self.code, self.message.rstrip(".") if self.message != self.code else ""]
        said = ": ".join(filter(None, [" ".join(filter(None, words[:2])), words[2]]))
        said = said or _NOISE.sub("", self.text)[:300]
        return f" ({said}{f'; tried {self.retries + 1} times' if self.retries else ''})" if said else ""


_NO_ROOTS = "No CA certificates were loaded from the system"
_NOISE = re.compile(r"Generic \w+ error: |Error performing [A-Z]+ \S+ in [^ ,]+(, after [^-]*)? - ")


def _element(name: str, text: str) -> str:
    found = re.search(rf"<{name}>([^<]*)", text)
    return html.unescape(found[1]).strip()[:200] if found else ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One way in which a store refuses."""

    applies: Callable[[Refusal], bool]
    what: str
    fix: str
    missing: bool = False


def _codes(*codes: str) -> Callable[[Refusal], bool]:
    return lambda refusal: refusal.code in codes


def _says(*words: str) -> Callable[[Refusal], bool]:
    return lambda refusal: any(word in refusal.text for word in words)


_CREDENTIALS = (
    "set credentials (for s3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), and check the policy of the {bucket_word}"
)
_KINDS: Sequence[_Kind] = (
    _Kind(
        _codes("NoSuchBucket", "ContainerNotFound"),
        "there is no {bucket_word} {bucket!r}",
        "create it, or check the {bucket_word} and the endpoint in use{endpoint}",
        missing=True,
    ),
    _Kind(
        lambda refusal: (
            refusal.code in ("ExpiredToken", "TokenRefreshRequired", "RequestExpired")
            or (refusal.status in (401, 403) and "expired" in refusal.message)
        ),
        "the credentials for {uri} have expired",
        "sign in again; those of a task live as long as its timeout or `[storage] task_lifetime`",
    ),
    _Kind(
        _codes("InvalidAccessKeyId", "InvalidToken"),
        "access to {uri} was refused: the store does not know the access key",
        "check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN and the endpoint in use{endpoint}",
    ),
    _Kind(
        _codes("SignatureDoesNotMatch"),
        "access to {uri} was refused: the secret key does not fit the access key",
        "check AWS_SECRET_ACCESS_KEY",
    ),
    _Kind(
        _codes("RequestTimeTooSkewed"),
        "access to {uri} was refused: the clock of this machine is wrong",
        "set the clock",
    ),
    _Kind(lambda refusal: refusal.status in (401, 403), "access to {uri} was refused", _CREDENTIALS),
    _Kind(
        lambda refusal: refusal.status == 429 or refusal.code in ("SlowDown", "ServerBusy", "TooManyRequests"),
        "the store of {uri} wants fewer requests",
        "try again later, or lower `[storage] concurrency`",
    ),
    _Kind(
        lambda refusal: refusal.status >= 500,
        "the store failed at {uri}",
        "try again later; the log of the store says more",
    ),
    _Kind(
        _says("incorrectly configured region", "PermanentRedirect", "AuthorizationHeaderMalformed"),
        "the {bucket_word} {bucket!r} lies in another region",
        "set the region: AWS_REGION, or `[storage.s3] region`",
    ),
    _Kind(
        _says("response body error", "IncompleteBody", "error decoding response body"),
        "the answer of the store broke off at {uri}",
        "try again; check the network, and proxies in between",
    ),
    _Kind(
        _says("operation timed out", "Timeout"),
        "the store did not answer in time at {uri}",
        "try again, or raise `[storage] timeout`",
    ),
    _Kind(
        _says(_NO_ROOTS),
        "the store of {uri} cannot be reached by TLS",
        "install certificates in this image (apt-get install ca-certificates), or name a file of them: SSL_CERT_FILE",
    ),
    _Kind(
        _says("error sending request", "HTTP error"),
        "the store of {uri} cannot be reached",
        "check the endpoint in use{endpoint}, and the network",
    ),
    _Kind(
        _says("invalid list response", "InvalidListResponse"),
        "what answers for {uri} is no object store",
        "check the endpoint in use{endpoint}",
    ),
    _Kind(
        lambda refusal: refusal.status == 404,
        "{uri} does not exist",
        "check the {bucket_word} and the key, and the endpoint in use{endpoint}",
        missing=True,
    ),
)
"""The first that applies counts."""


def refused(uri: str, text: str, *, endpoint: str = "", missing: bool = False) -> DataError:
    """The error for what a store said of a URI.

    Args:
        uri: What was asked for.
        text: What the client library says, with the store's answer in it.
        endpoint: The address that the settings have for the store; empty: the vendor's.
        missing: The library says that nothing is there.
    """
    refusal = Refusal.of(text)
    names = {
        "uri": uri,
        "bucket": uris.rest(uri).partition("/")[0].partition("@")[0],
        "bucket_word": "container" if uris.scheme(uri) == "az" else "bucket",
        "endpoint": f", {endpoint}" if endpoint else "",
    }
    kind = next((one for one in _KINDS if one.applies(refusal)), None)
    if missing and (kind is None or not kind.missing):
        kind = _KINDS[-1]
    if kind is None:
        return DataError(
            f"the store did not do as asked{refusal.told}", where=uri, fix="check endpoint, region and network"
        )
    made = ObjectNotFound if kind.missing else DataError
    return made(f"{kind.what.format(**names)}{refusal.told}", where=uri, fix=kind.fix.format(**names))

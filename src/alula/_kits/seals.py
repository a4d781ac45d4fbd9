"""Tokens that say something by themselves, and that only who has the key can have made."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes and reads tokens `content.hmac`, both in URL-safe base64: JSON under HMAC-SHA256.

    Args:
        purpose: What the tokens are for: one for another purpose is none, although the key is the same.
        longest: Characters of the longest token that is looked at.
    """

    key: bytes = field(repr=False)
    purpose: bytes
    longest: int = 4096

    def token(self, said: list[Any]) -> str:
        """What says this. Takes what JSON takes."""
        content = json.dumps(said, separators=(",", ":")).encode()
        return f"{_text(content)}.{_text(self._mac(content))}"

    def read(self, token: str) -> list[Any] | None:
        """What a token says; None: it is none of ours. Takes any text, and never raises."""
        said, _, mac = token.partition(".")
        if len(token) > self.longest:
            return None
        try:
            content, found = _bytes(said), _bytes(mac)
        except (ValueError, binascii.Error):
            return None
        if not hmac.compare_digest(self._mac(content), found):
            return None
        made: list[Any] = json.loads(content)
        return made

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self.key, self.purpose + b"\0" + content, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)

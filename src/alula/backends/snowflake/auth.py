"""How the SQL API knows us: by a token that our private key signs, or by one that somebody gave us."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from alula._kits.clock import Clock
from alula.data.sql.snowflake import private_key

_LIFE = timedelta(minutes=55)
"""Snowflake takes no token that lives for more than an hour."""
_SPARE = timedelta(minutes=5)


class Auth(Protocol):
    """Who we are."""

    def headers(self) -> dict[str, str]:
        """What each request carries."""
        ...

    def expire(self) -> None:
        """The last token was refused: make another one, if there is a way to."""
        ...


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A programmatic access token, or one of OAuth."""

    token: str
    kind: str = "PROGRAMMATIC_ACCESS_TOKEN"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-Snowflake-Authorization-Token-Type": self.kind}

    def expire(self) -> None:
        return None


class KeyPair:
    """Tokens signed with the user's private key.

    Source: Snowflake's documentation of the SQL API, "Using key-pair authentication".
    """

    def __init__(self, account: str, user: str, pem: str, passphrase: str, clock: Clock) -> None:
        self._key, self._clock = private_key(pem, passphrase), clock
        place = account if ".global" in account else account.partition(".")[0]
        self._subject = f"{place.upper()}.{user.upper()}"
        self._token, self._until = "", clock.now()

    def headers(self) -> dict[str, str]:
        if not self._token or self._clock.now() + _SPARE > self._until:
            self._token = self._signed()
        return {"Authorization": f"Bearer {self._token}", "X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT"}

    def expire(self) -> None:
        self._token = ""

    def _signed(self) -> str:
        import jwt

        now = self._clock.now()
        self._until = now + _LIFE
        claims: dict[str, Any] = {
            "iss": f"{self._subject}.{fingerprint(self._key)}",
            "sub": self._subject,
            "iat": now,
            "exp": self._until,
        }
        return jwt.encode(claims, self._key, algorithm="RS256")


def fingerprint(key: Any) -> str:
    """The public half as Snowflake shows it: `SHA256:...`."""
    from cryptography.hazmat.primitives import serialization

    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode()

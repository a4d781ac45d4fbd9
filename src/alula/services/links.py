"""Links that let whoever has one read or write one object, through this server, until their time is over.

A link says all by itself: what may be done with which object, and until when, under an HMAC. So nothing is kept for it,
and any replica that has the key can serve it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alula._kits.clock import Clock
from alula._kits.seals import Seal

PATH = "/objects"
_PURPOSE = b"alula-object-1"


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be done."""

    verb: str
    """`PUT` or `GET`."""
    uri: str
    md5: bytes = b""
    """Of what is put; empty: anything may be."""
    base: str = ""
    """What the caller puts before `/objects/...`; not part of the link's seal."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links, and reads those that it or another server with the same key has made.

    Args:
        longest: The most that anybody may ask for.
    """

    key: bytes = field(repr=False)
    clock: Clock
    lifetime: timedelta = timedelta(hours=1)
    longest: timedelta = timedelta(days=1)

    def url(self, grant: Grant, *, lasting: timedelta | None = None) -> tuple[str, datetime]:
        """A link, and when its time is over."""
        until = self.clock.now() + min(lasting or self.lifetime, self.longest)
        said = [grant.verb, grant.uri, grant.md5.hex(), int(until.timestamp())]
        return f"{grant.base}{PATH}/{Seal(self.key, _PURPOSE).token(said)}", until

    def read(self, token: str) -> Grant | None:
        """What a link allows; None: it is none of ours, or its time is over."""
        said = Seal(self.key, _PURPOSE).read(token)
        if said is None:
            return None
        verb, uri, md5, until = said
        return Grant(verb, uri, bytes.fromhex(md5)) if self.clock.now().timestamp() < until else None

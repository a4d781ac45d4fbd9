"""Who may call, and from where: the rule of loopback, TLS, and API tokens."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from alula._kits.clock import Clock, SystemClock
from alula.errors import ConfigError, NotSignedIn, StoreUnavailable
from alula.idl.service import AUTH_METADATA
from alula.plugin.announcing import is_loopback
from alula.services.binding import Call, Rpc

_REFUSAL = NotSignedIn("a valid token is missing", fix="send the header `authorization: Bearer TOKEN`")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any that is free."""
    cert_file: str = ""
    """A certificate with its chain; empty: plain text."""
    key_file: str = ""
    client_ca_file: str = ""
    """Authorities, one of which must have signed a caller's certificate; empty: callers need none."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(f"{self.host}:{self.port}")


def address(text: str, what: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{text!r} is no address for {what}", fix="give HOST:PORT, as in 127.0.0.1:8089")
    return host.strip("[]") or "127.0.0.1", int(port)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose token it is."""

    name: str
    until: datetime | None = None
    """When it ends; None: never."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """API tokens: whose they are, by the digest of each. A token itself is kept nowhere.

    Args:
        path: A file with a name, the SHA-256 of a token and perhaps the time of its end on each line; read again when
            it has changed.
    """

    path: Path
    clock: Clock = field(default_factory=SystemClock)
    _kept: dict[tuple[int, int, int], Mapping[bytes, Whose]] = field(default_factory=dict)

    def principal(self, token: str) -> str:
        """Whose token it is; empty: nobody's, or not any more.

        Raises:
            StoreUnavailable: The file cannot be read just now.
        """
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = ""
        try:
            known = self.known()
        except ConfigError as exc:
            raise StoreUnavailable(str(exc)) from exc
        now = self.clock.now()
        for digest, whose in known.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(digest, given) and (whose.until is None or now < whose.until):
                found = whose.name
        return found

    def known(self) -> Mapping[bytes, Whose]:
        """Whose tokens they are, by their digests. Raises ConfigError."""
        try:
            found = self.path.stat()
            changed = found.st_mtime_ns, found.st_ino, found.st_size  # two changes may have one time
            if changed not in self._kept:
                read = parse_tokens(self.path.read_text(encoding="utf-8"), str(self.path))
                self._kept.clear()
                self._kept[changed] = read
            return self._kept[changed]
        except OSError as exc:
            raise ConfigError(f"the file of tokens cannot be read: {exc.strerror}", where=str(self.path)) from exc


def parse_tokens(text: str, where: str) -> Mapping[bytes, Whose]:
    """Whose tokens they are, by their digests. Raises ConfigError for a line that is none, without showing it."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            name, digest, *rest = words
            until = datetime.fromisoformat(rest.pop()) if rest else None
            if rest or len(bytes.fromhex(digest)) != hashlib.sha256().digest_size:
                raise ValueError(digest)
            if until is not None and until.tzinfo is None:
                raise ValueError(until)
            found[bytes.fromhex(digest)] = Whose(name, until)
        except ValueError:
            raise ConfigError(
                f"line {number} is no name and SHA-256 of a token, with a time or without",
                where=where,
                fix="alula token new NAME writes one",
            ) from None
    return found


@dataclass(frozen=True, slots=True)
class Gate:
    """What every call passes before it is answered; how to sign in, everybody may ask.

    Args:
        tokens: None: anybody who reaches the server may call.
        base_url: Of this server over HTTP.
    """

    tokens: Tokens | None = None
    base_url: str = ""

    def call(self, rpc: Rpc, headers: Iterable[tuple[str, str | bytes]], peer: str, seconds: float | None) -> Call:
        """What is known of a call. Raises NotSignedIn."""
        principal = "" if rpc.service == AUTH_METADATA else self.principal(headers)
        return Call(principal, peer, seconds, self.base_url)

    def principal(self, headers: Iterable[tuple[str, str | bytes]]) -> str:
        """Who calls, by the token that is sent. Raises NotSignedIn."""
        if self.tokens is None:
            return ""
        given = next((value for key, value in headers if key.lower() == "authorization"), "")
        scheme, _, token = (given if isinstance(given, str) else given.decode("latin-1")).partition(" ")
        name = self.tokens.principal(token.strip()) if scheme.lower() == "bearer" else ""
        if not name:
            raise NotSignedIn(_REFUSAL.what, fix=_REFUSAL.fix)
        return name


def check_reach(listening: Listening, gate: Gate, what: str, *, insecure: bool = False) -> None:
    """Refuse to listen where others than this machine reach it and anybody may call, or read along.

    Raises:
        ConfigError: Tokens or TLS are missing there.
    """
    if bool(listening.cert_file) != bool(listening.key_file):
        raise ConfigError("a certificate and its key go together", where="[server]", fix="give cert and key")
    if listening.client_ca_file and not listening.cert_file:
        raise ConfigError(
            "callers cannot show certificates in plain text", where="[server] client_ca", fix="give cert and key, too"
        )
    if listening.loopback:
        return
    where = f"{what} {listening.host}:{listening.port}"
    if gate.tokens is None and not listening.client_ca_file:
        raise ConfigError(
            f"{listening.host} can be reached from outside, and everybody there could run programs here",
            where=where,
            fix="make a token (alula token new NAME), and name its file: [server] tokens; or name an authority that "
            "signs callers: [server] client_ca; or listen on 127.0.0.1",
        )
    if not listening.cert_file and not insecure:
        raise ConfigError(
            f"{listening.host} can be reached from outside, and tokens would travel there in plain text",
            where=where,
            fix="give [server] cert and key; or [server] insecure = true, behind a proxy that speaks TLS",
        )

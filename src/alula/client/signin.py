"""How a client shows who it is, where no token is named: by a command, or by a name and a secret."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula.errors import ConfigError, NotSignedIn, RemoteError

if TYPE_CHECKING:
    import httpx
else:
    httpx = lazy.module("httpx")

_SECONDS = 60.0
_COMMAND = ("externalcommand", "external_command", "external_process")
_SECRET = ("clientsecret", "client_secret", "client_credentials", "basic")
KEYS = ("auth_mode", "command", "client_id", "client_secret", "client_secret_location", "client_secret_env_var")
"""What Flyte's clients are told of it, as their variables FLYTE_CREDENTIALS_... and their older files name it."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One of the two ways."""

    command: tuple[str, ...] = ()
    """Prints a token."""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    """A token is given for these, as OAuth 2.0 has it. Source: RFC 6749, 4.4."""

    def token(self, endpoint: Callable[[], str], *, verify: Any = True) -> str:
        """A token, made anew. Blocks.

        Args:
            endpoint: Gives the URL at which tokens are fetched.
            verify: Whom to trust there, as httpx takes it.

        Raises:
            ConfigError: The command cannot be run, or fails.
            NotSignedIn: The name and the secret are not taken.
            RemoteError: Nobody answers.
        """
        return self._printed() if self.command else self._fetched(endpoint(), verify)

    def _printed(self) -> str:
        shown = shlex.join(self.command)
        try:
            done = subprocess.run(self.command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise ConfigError(f"the command for a token cannot be run: {exc}", where=shown) from exc
        if done.returncode or not done.stdout.strip():
            why = done.stderr.strip()[-300:] or "it printed nothing"
            raise ConfigError(f"the command for a token ended with {done.returncode}: {why}", where=shown)
        return done.stdout.strip()

    def _fetched(self, url: str, verify: Any) -> str:
        form = {"grant_type": "client_credentials", "scope": "all"}
        try:
            answer = httpx.post(
                url, data=form, auth=(self.client_id, self.client_secret), timeout=_SECONDS, verify=verify
            )
            token = answer.json().get("access_token") if answer.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as exc:
            raise RemoteError(f"no token can be fetched: {exc}", where=url) from exc
        if not token:
            raise NotSignedIn(
                f"client {self.client_id!r} and its secret are not taken: {answer.status_code}",
                where=url,
                fix="see clientId and clientSecretLocation of the configuration; or name a token: ALULA_TOKEN",
            )
        return str(token)


def sign_in(said: Mapping[str, Any], where: str, environ: Mapping[str, str]) -> SignIn | None:
    """The way that is said; None: none that needs no browser.

    Args:
        said: Some of `KEYS`; variables count before it.

    Raises:
        ConfigError: A secret cannot be read.
    """
    given = {key: said.get(key) for key in KEYS}
    given |= {key: environ[name] for key in KEYS if (name := f"FLYTE_CREDENTIALS_{key.upper()}") in environ}
    mode = str(given["auth_mode"] or "").lower()
    if mode in _COMMAND and given["command"]:
        command = given["command"]
        return SignIn(tuple(shlex.split(command) if isinstance(command, str) else map(str, command)))
    if mode not in _SECRET:
        return None
    secret = str(given["client_secret"] or "")
    if not secret and (variable := given["client_secret_env_var"]):
        secret = environ.get(str(variable), "")
    if not secret and (place := given["client_secret_location"]):
        try:
            secret = Path(str(place)).expanduser().read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise ConfigError(f"the secret of the client cannot be read: {exc.strerror}", where=str(place)) from exc
    if not given["client_id"] or not secret:
        raise ConfigError("a client signs in by a secret, and its id or the secret is missing", where=where)
    return SignIn(client_id=str(given["client_id"]), client_secret=secret)

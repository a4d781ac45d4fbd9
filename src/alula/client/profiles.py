"""Which control plane a command talks to: profiles of our own, and what Flyte's own clients read."""

from __future__ import annotations

import configparser
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from alula._kits import lazy
from alula.client.signin import SignIn, sign_in
from alula.errors import ConfigError

yaml: Any = lazy.module("yaml")

FILE = "profiles.toml"
_FIX = f"name it in ~/.alula/{FILE}, or say --endpoint HOST:PORT"
_IN_YAML = {
    "auth_mode": "authType",
    "command": "command",
    "client_id": "clientId",
    "client_secret_location": "clientSecretLocation",
    "client_secret_env_var": "clientSecretEnvVar",
}
_YES = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Profile:
    """A control plane, and how it is reached."""

    endpoint: str
    """`HOST:PORT`."""
    insecure: bool = False
    """Plain text."""
    ca: str = ""
    """A file with the certificates that are trusted; empty: those of this machine."""
    cert: str = ""
    """A file with a certificate of the caller, and `key` its key; empty: none is shown."""
    key: str = ""
    token: str = field(default="", repr=False)
    """An API token; empty: none is sent."""
    project: str = ""
    domain: str = ""
    where: str = ""
    """What said so."""
    sign_in: SignIn | None = None
    """How a token is had, where none is given."""


def profile(home: Path, *, name: str = "", endpoint: str = "", environ: Mapping[str, str] = os.environ) -> Profile:
    """The control plane that is meant.

    In this order: `endpoint`; the profile `name`, or that of ALULA_PROFILE; FLYTE_PLATFORM_URL; the default of our own
    profiles; the file of FLYTECTL_CONFIG; `~/.flyte/config.yaml`; `~/.flyte/config`. A token of ALULA_TOKEN counts
    above all others.

    Args:
        home: Where our own profiles are: `profiles.toml`.

    Raises:
        ConfigError: None is known by the name, none is known at all, or a file cannot be read.
    """
    found = _found(home, name or environ.get("ALULA_PROFILE", ""), endpoint, environ)
    if found is None:
        raise ConfigError("no control plane is known", fix=_FIX)
    address = found.endpoint.removeprefix("dns:///").removeprefix("dns://")
    for scheme, plain in (("http://", True), ("https://", False)):
        if address.startswith(scheme):
            address, found = address.removeprefix(scheme).rstrip("/"), replace(found, insecure=plain)
    if not address or "/" in address:
        raise ConfigError(f"{found.endpoint!r} is no address", where=found.where, fix="write HOST:PORT")
    if ":" not in address:
        address += ":80" if found.insecure else ":443"
    return replace(found, endpoint=address, token=environ.get("ALULA_TOKEN") or found.token)


def _found(home: Path, name: str, endpoint: str, environ: Mapping[str, str]) -> Profile | None:
    if endpoint:
        host = endpoint.rpartition("//")[2].rpartition(":")[0].strip("[]")
        return Profile(endpoint, insecure=host in ("localhost", "127.0.0.1", "::1"), where="--endpoint")
    ours = _ours(home / FILE)
    if name:
        if name not in ours:
            there = ", ".join(sorted(ours)) or "none"
            raise ConfigError(f"there is no profile {name!r}", where=str(home / FILE), fix=f"there are: {there}")
        return ours[name]
    return _of_environment(environ) or ours.get("") or _of_flyte(environ)


def _ours(path: Path) -> dict[str, Profile]:
    """Profiles by name; the default one has the empty name, too. Raises ConfigError."""
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"profiles cannot be read: {exc}", where=str(path)) from exc
    found, faults = {}, []
    known = {one.name: one.type for one in fields(Profile) if one.name not in ("where", "sign_in")} | {
        "token_file": "str"
    }
    for name, section in document.items():
        if name == "default":
            continue
        if not isinstance(section, dict) or not section.get("endpoint"):
            faults.append(f"[{name}] has no endpoint")
            continue
        wrong = [key for key, value in section.items() if type(value).__name__ != known.get(key)]
        if wrong:
            faults.append(f"[{name}] {', '.join(wrong)}: cannot be; there are {', '.join(known)}")
            continue
        given = dict(section)
        if "token_file" in given:
            given["token"] = _secret(path.parent / Path(given.pop("token_file")).expanduser())
        found[name] = Profile(**given, where=f"{path} [{name}]")
    usual = document.get("default", next(iter(found)) if len(found) == 1 else "")
    if usual and usual not in found and not faults:
        faults.append(f"default: there is no profile {usual!r}")
    if faults:
        raise ConfigError("; ".join(faults), where=str(path))
    return found | ({"": found[usual]} if usual else {})


def _of_environment(environ: Mapping[str, str]) -> Profile | None:
    """What flytekit reads from variables."""
    url = environ.get("FLYTE_PLATFORM_URL")
    if not url:
        return None
    return Profile(
        url,
        insecure=environ.get("FLYTE_PLATFORM_INSECURE", "").lower() in _YES,
        ca=environ.get("FLYTE_PLATFORM_CA_CERT_FILE_PATH", ""),
        where="FLYTE_PLATFORM_URL",
        sign_in=sign_in({}, "FLYTE_CREDENTIALS_...", environ),
    )


def _of_flyte(environ: Mapping[str, str]) -> Profile | None:
    """What Flyte's own clients read from files."""
    named = environ.get("FLYTECTL_CONFIG") or environ.get("UCTL_CONFIG")
    home = Path(environ.get("HOME") or Path.home()) / ".flyte"
    for path in [Path(named)] if named else [home / "config.yaml", home / "config"]:
        if path.is_file():
            return (_of_yaml if path.suffix in (".yaml", ".yml") else _of_ini)(path, environ)
        if named:
            fix = "let the variable name a file, or take it away; or say --endpoint HOST:PORT"
            raise ConfigError(
                "the configuration of Flyte is not there", where=f"{path}, named by FLYTECTL_CONFIG", fix=fix
            )
    return None


def _of_yaml(path: Path, environ: Mapping[str, str]) -> Profile | None:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        admin = document.get("admin") or {}
        endpoint = admin.get("endpoint") or ""
    except (OSError, AttributeError, yaml.YAMLError) as exc:
        raise ConfigError(f"the configuration of Flyte cannot be read: {exc}", where=str(path)) from exc
    if not endpoint:
        return None
    return Profile(
        str(endpoint),
        insecure=str(admin.get("insecure", False)).lower() in _YES,
        ca=str(admin.get("caCertFilePath") or ""),
        where=str(path),
        sign_in=sign_in({ours: admin.get(theirs) for ours, theirs in _IN_YAML.items()}, str(path), environ),
    )


def _of_ini(path: Path, environ: Mapping[str, str]) -> Profile | None:
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, configparser.Error) as exc:
        raise ConfigError(f"the configuration of Flyte cannot be read: {exc}", where=str(path)) from exc
    if not parser.get("platform", "url", fallback=""):
        return None
    platform = parser["platform"]
    insecure = platform.get("insecure", "false").lower() in _YES
    said = dict(parser["credentials"]) if parser.has_section("credentials") else {}
    way = sign_in(said, str(path), environ)
    return Profile(platform["url"], insecure, platform.get("ca_cert_file_path", ""), where=str(path), sign_in=way)


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"the token cannot be read: {exc.strerror}", where=str(path)) from exc

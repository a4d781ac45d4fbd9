"""Short-lived credentials of Google Cloud Storage: an access token, narrowed to prefixes by a boundary."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula.data import uris
from alula.data.posting import posted
from alula.data.settings import Reach, StoreSettings
from alula.errors import DataError

if TYPE_CHECKING:
    from urllib import parse
else:
    parse = lazy.module("urllib.parse")

_EXCHANGE = "https://sts.googleapis.com/v1/token"
_TOKENS = "https://oauth2.googleapis.com/token"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_MOST_RULES = 10
_MOST_SECONDS = 3600
_VIEW, _CHANGE = "inRole:roles/storage.objectViewer", "inRole:roles/storage.objectAdmin"
_TYPE = "urn:ietf:params:oauth:token-type:access_token"
_FIX = "check the credentials below `[storage.gs]`, or choose another `[storage] tasks`"


async def lent(settings: StoreSettings, reach: Reach, seconds: int) -> Mapping[str, str]:
    """Keys of obstore for a task that may do with Google Cloud Storage what `reach` says; none where this process has
    none to lend from, or talks to an emulator.

    The token is good for as long as the one that it is made of: an hour at most, whatever is asked for.

    Raises:
        DataError: The service refuses or does not answer; the places are in too many buckets.
    """
    own = settings.gs
    if own.get("base_url", "").startswith("http://"):
        return {}
    token = own.get("bearer_token") or await _own_token(settings, seconds)
    if not token:
        return {}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": _TYPE,
        "requested_token_type": _TYPE,
        "options": parse.quote(json.dumps(boundary(reach))),
    }
    return {"bearer_token": await _token(own.get("task_token_url", _EXCHANGE), form, settings)}


def boundary(reach: Reach) -> dict[str, Any]:
    """The rules that narrow a token to a task's prefixes; pure. Source: Google Cloud, Credential Access Boundaries.

    Raises:
        DataError: They would be more than a boundary takes.
    """
    write = _by_bucket(reach.write)
    read = _by_bucket([*reach.read, *reach.write])
    rules = [_rule(bucket, keys, _CHANGE) for bucket, keys in write.items()]
    rules += [_rule(bucket, keys, _VIEW) for bucket, keys in read.items() if keys != write.get(bucket)]
    if len(rules) > _MOST_RULES:
        raise DataError(
            f"a task would need {len(rules)} rules for its buckets; a token of Google takes {_MOST_RULES}",
            where=", ".join(sorted(read)),
            fix="keep its inputs in fewer buckets, or choose another `[storage] tasks`",
        )
    return {"accessBoundary": {"accessBoundaryRules": rules}}


def _by_bucket(places: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for uri in sorted(set(places)):
        bucket, _, key = uris.rest(uri).rstrip("/").partition("/")
        keys = found.setdefault(bucket, [])
        if not any(key == one or key.startswith(f"{one}/") or not one for one in keys):
            keys.append(key)
    return found


def _rule(bucket: str, keys: Sequence[str], role: str) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "availableResource": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "availablePermissions": [role],
    }
    if "" in keys:
        return rule
    names = [f"projects/_/buckets/{bucket}/objects/{key}" for key in keys]
    claims = [f"resource.name == {_text(name)} || resource.name.startsWith({_text(name + '/')})" for name in names]
    listed = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')"
    claims += [f"{listed} == {_text(key)} || {listed}.startsWith({_text(key + '/')})" for key in keys]
    rule["availabilityCondition"] = {"expression": " || ".join(claims)}
    return rule


def _text(value: str) -> str:
    """A string of the Common Expression Language."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


# --- The token that is narrowed --------------------------------------------------------------------------------------


async def _own_token(settings: StoreSettings, seconds: int) -> str:
    """A token for the key that the settings name; empty: they name none, so the machine has an identity of its own."""
    text = (await own_key(settings)).get("service_account_key")
    where = settings.gs.get("service_account") or settings.gs.get("application_credentials") or "[storage.gs]"
    if not text:
        return ""
    try:
        key = json.loads(text)
        match key.get("type", "service_account"):
            case "service_account":
                url = str(key.get("token_uri", _TOKENS))
                claim = await to_thread(_signed, key, url, min(seconds, _MOST_SECONDS))
                form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": claim}
            case "authorized_user":
                url = str(key.get("token_uri", _TOKENS))
                form = {"grant_type": "refresh_token"}
                form |= {name: str(key[name]) for name in ("client_id", "client_secret", "refresh_token")}
            case other:
                raise DataError(
                    f"credentials of the kind {other!r} cannot be narrowed for a task",
                    where=where,
                    fix="use the key of a service account, or choose another `[storage] tasks`",
                )
    except (ValueError, KeyError, AttributeError) as exc:
        raise DataError(
            f"the credentials of Google cannot be read: {type(exc).__name__}",  # the text may hold the key
            where=where,
            fix="download the key of the service account again, as JSON",
        ) from None
    return await _token(url, form, settings)


async def own_key(settings: StoreSettings) -> dict[str, str]:
    """The key of obstore that holds the credentials which this process has in a file, or in its settings."""
    own = settings.gs
    path = own.get("service_account") or own.get("application_credentials")
    text = own.get("service_account_key") or (await to_thread(_read, Path(path)) if path else "")
    return {"service_account_key": text} if text else {}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise DataError(f"the credentials cannot be read: {exc.strerror}", where=str(path), fix=_FIX) from exc


def _signed(key: Mapping[str, Any], audience: str, seconds: int) -> str:
    """The claim of a service account, signed. Source: RFC 7523."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ModuleNotFoundError as exc:
        raise DataError(
            "to sign with the key of a service account, the package cryptography is needed",
            fix="pip install cryptography",
        ) from exc
    now = int(time.time())
    claims = {"iss": key["client_email"], "scope": _SCOPE, "aud": audience, "iat": now, "exp": now + seconds}
    text = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': key.get('private_key_id', '')})}.{_part(claims)}"
    private = serialization.load_pem_private_key(key["private_key"].encode(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("no RSA key")
    signature = private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def _token(url: str, form: Mapping[str, str], settings: StoreSettings) -> str:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await to_thread(posted, url, parse.urlencode(form).encode(), headers, settings, fix=_FIX)
    try:
        token = json.loads(answer)["access_token"]
    except (ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token:
        raise DataError("the service gave no token, but something else", where=url, fix=_FIX)
    return token

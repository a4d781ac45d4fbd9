"""Short-lived credentials of Azure Blob Storage: shared access signatures, made here with the key of the account."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula.data import uris
from alula.data.settings import Reach, StoreSettings
from alula.errors import DataError

if TYPE_CHECKING:
    from urllib import parse
else:
    parse = lazy.module("urllib.parse")

_VERSION = "2022-11-02"
_READ, _WRITE = "rl", "rcwdl"
"""Letters of permissions, in the order that the service wants: read, create, write, delete, list."""
_SKEW = timedelta(minutes=5)
"""By which the clocks of two machines may differ."""


async def lent(settings: StoreSettings, reach: Reach, seconds: int) -> Mapping[str, str]:
    """Keys of obstore for a task that may do with Azure what `reach` says; none where this process has none to lend
    from.

    Azure knows no prefixes: a signature is good for a container, or for one directory of an account with a hierarchical
    namespace (`task_directories = true`). It is made for the deepest that holds all of the task's places.

    Raises:
        DataError: The places are in several containers, or there are credentials that cannot be narrowed.
    """
    own = settings.az
    if not own.get("account_key"):
        if {"sas_key", "client_secret", "bearer_token"}.isdisjoint(own):
            return {}
        raise DataError(
            "credentials for one task can be made with the key of a storage account only, and there is none",
            where="[storage.az]",
            fix="set AZURE_STORAGE_ACCOUNT_KEY, or choose another `[storage] tasks`: own, or nothing",
        )
    account, container, *folders = _shared(own, [*reach.read, *reach.write])
    if own.get("task_directories") != "true":
        folders = []
    now = datetime.now(UTC)
    token = signature(
        account,
        own["account_key"],
        [container, *folders],
        _WRITE if reach.write else _READ,
        (now - _SKEW, now + timedelta(seconds=seconds)),
        plain=own.get("endpoint", "").startswith("http://"),
    )
    return {"account_name": account, "sas_key": token}


def _shared(own: Mapping[str, str], places: Sequence[str]) -> list[str]:
    """Account, container and folders that all the places have in common."""
    taken = [_place(own, uri) for uri in places]
    common = [parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*taken, strict=False))]
    if len(common) < 2:
        raise DataError(
            "a task would need credentials for several containers of Azure, and can have them for one",
            where=", ".join(sorted({"/".join(place[:2]) for place in taken})),
            fix="keep its inputs and outputs in one container, or choose another `[storage] tasks`",
        )
    return common


def _place(own: Mapping[str, str], uri: str) -> list[str]:
    bucket, *parts = uris.rest(uri).rstrip("/").split("/")
    container, _, host = bucket.partition("@")  # abfs://container@account.dfs.core.windows.net/key
    account = host.partition(".")[0] or own.get("account_name", "")
    if not container or not account:
        raise DataError(
            f"{uri!r} names no {'account' if container else 'container'} of Azure",
            where=uri,
            fix="set AZURE_STORAGE_ACCOUNT_NAME, and write the URI as az://container/some/key",
        )
    return [account, container, *parts]


def signature(
    account: str,
    key: str,
    path: Sequence[str],
    permissions: str,
    period: tuple[datetime, datetime],
    *,
    plain: bool,
) -> str:
    """A shared access signature. Source: Azure Storage, Create a service SAS, version 2020-12-06 and later.

    Args:
        account: Its name.
        key: Of the account, in base 64.
        path: The container, and the folders below it if it is for one directory.
        permissions: Letters, in their order.
        period: From when to when it is good.
        plain: Allow HTTP beside HTTPS.
    """
    start, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in period)
    protocol, kind = "https,http" if plain else "https", "d" if path[1:] else "c"
    resource = "/".join(["", "blob", account, *path])
    # What stands empty: identifier, address; snapshot, encryption, and five headers of the answer.
    lines = [permissions, start, end, resource, "", "", protocol, _VERSION, kind, *[""] * 7]
    try:
        secret = base64.b64decode(key, validate=True)
    except binascii.Error:
        raise DataError("the key of the storage account is not in base 64", where="[storage.az] account_key") from None
    signed = base64.b64encode(hmac.digest(secret, "\n".join(lines).encode(), "sha256")).decode()
    parts = {"sv": _VERSION, "sr": kind, "sp": permissions, "st": start, "se": end, "spr": protocol, "sig": signed}
    if path[1:]:
        parts["sdd"] = str(len(path) - 1)
    return parse.urlencode(parts)

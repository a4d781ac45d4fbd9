"""Credentials for one task: short-lived, and good for the prefixes that it reads and writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula.config import Lending
from alula.data import uris
from alula.data.settings import Reach, StoreSettings, variable_of

if TYPE_CHECKING:
    from alula.data import downscoping, sas, sts
else:  # a process lends for the scheme that it has
    downscoping, sas, sts = (lazy.module(f"alula.data.{name}") for name in ("downscoping", "sas", "sts"))

_SECRET_KEYS = {
    "s3": ("access_key_id", "secret_access_key", "session_token"),
    "gs": ("bearer_token", "service_account_key"),
    "az": ("account_key", "client_secret", "sas_key", "bearer_token"),
}
"""What in the settings of a store is nobody's business; all else is an address."""
_IDENTITY_KEYS = (
    "application_credentials",
    "client_id",
    "container_credentials_full_uri",
    "container_credentials_relative_uri",
    "role_arn",
    "service_account",
    "tenant_id",
    "web_identity_token_file",
)
"""What says who this process is, and is of no use to a task elsewhere."""

_SIGNATURE = re.compile(r"(?:^|&)sig=([^&]{16,})")
"""What is secret in a shared access signature; servers tell all else."""


async def lend(
    settings: StoreSettings, *, read: Sequence[str], write: Sequence[str], seconds: int, name: str = "alula-task"
) -> Mapping[str, str]:
    """The variables with which a task reaches the stores of some URIs, and no more than these.

    Made anew by every call, never kept: put them into the environment of the task, nowhere else, and strike out what
    `secrets` says of them. URIs of files, memory and the web need none.

    Args:
        settings: How this process reaches the stores, and what `[storage] tasks` says of tasks.
        read: URIs of objects and prefixes; a URI stands for the object and for all below it.
        write: Likewise; what may be written may also be read, listed and deleted.
        seconds: How long they are to be good for. Stores have limits of their own: S3 takes 15 minutes to 12 hours.
        name: Whom logs of the store are to name, where it keeps them.

    Raises:
        DataError: The store refuses, does not answer, or what is asked for cannot be said in one credential.
    """
    made: dict[str, str] = {}
    for scheme in ("s3", "gs", "az"):
        reach = Reach(
            tuple(uri for uri in read if uris.scheme(uri) == scheme),
            tuple(uri for uri in write if uris.scheme(uri) == scheme),
        )
        if reach.read or reach.write:
            keys = await _keys(scheme, settings, reach, seconds, name)
            made |= {variable_of(scheme, key): value for key, value in keys.items()}
            made |= _for_other_programs(scheme, keys)
    return made


def secrets(variables: Mapping[str, str]) -> frozenset[str]:
    """The values among the variables that `lend` gave which no log or row may show."""
    names = {variable_of(scheme, key) for scheme, keys in _SECRET_KEYS.items() for key in keys}
    found = {value for name, value in variables.items() if name in names and value}
    return frozenset(found.union(*map(_SIGNATURE.findall, found)))


def addresses(scheme: str, settings: StoreSettings) -> dict[str, str]:
    """Where a task finds a store, without any credentials: keys of obstore."""
    own = settings.of(scheme)
    found = {
        key: value
        for key, value in own.items()
        if key not in _SECRET_KEYS[scheme] and key not in _IDENTITY_KEYS and not key.startswith("task_")
    }
    if "task_endpoint" in own:
        found["base_url" if scheme == "gs" else "endpoint"] = own["task_endpoint"]
    return found


async def _keys(scheme: str, settings: StoreSettings, reach: Reach, seconds: int, name: str) -> Mapping[str, str]:
    found = addresses(scheme, settings)
    own = settings.of(scheme)
    match settings.tasks:
        case Lending.NOTHING:
            return found
        case Lending.OWN:
            found |= {key: value for key, value in own.items() if key in _SECRET_KEYS[scheme]}
            return found | (await downscoping.own_key(settings) if scheme == "gs" else {})
    match scheme:
        case "s3":
            found.update(await sts.lent(settings, reach, seconds, name))
        case "gs":
            found.update(await downscoping.lent(settings, reach, seconds))
        case _:
            found.update(await sas.lent(settings, reach, seconds))
    return found


def _for_other_programs(scheme: str, keys: Mapping[str, str]) -> dict[str, str]:
    """The same for vendors' tools and for flytekit, which do not look where we do."""
    if scheme == "s3" and (endpoint := keys.get("endpoint")):
        made = {"AWS_ENDPOINT_URL": endpoint, "FLYTE_AWS_ENDPOINT": endpoint}
        return made | ({"AWS_ALLOW_HTTP": "true"} if endpoint.startswith("http://") else {})
    return {}

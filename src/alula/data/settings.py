"""How to reach the remote stores."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import NamedTuple

from alula.config import ENVIRONMENT, Lending, StorageConfig, storage_of

# Our keys, and the environment variables that fill them: the first that is set. Names with FLYTE_ are known to users of
# flytekit, the others are the vendors' own. What is not listed the client library finds by itself.
_S3_VARIABLES = {
    "endpoint": ("FLYTE_AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "access_key_id": ("FLYTE_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
    "secret_access_key": ("FLYTE_AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "web_identity_token_file": ("AWS_WEB_IDENTITY_TOKEN_FILE",),
    "role_arn": ("AWS_ROLE_ARN",),
    "sts_endpoint": ("AWS_ENDPOINT_URL_STS",),
}
_GS_VARIABLES = {
    "base_url": ("STORAGE_EMULATOR_HOST",),
    "bearer_token": ("CLOUDSDK_AUTH_ACCESS_TOKEN",),
    "application_credentials": ("GOOGLE_APPLICATION_CREDENTIALS",),
}
_AZ_VARIABLES = {
    "account_name": ("FLYTE_AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_NAME"),
    "account_key": ("FLYTE_AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
    "sas_key": ("AZURE_STORAGE_SAS_TOKEN",),
    "endpoint": ("AZURE_STORAGE_ENDPOINT",),
    "tenant_id": ("FLYTE_AZURE_TENANT_ID", "AZURE_TENANT_ID"),
    "client_id": ("FLYTE_AZURE_CLIENT_ID", "AZURE_CLIENT_ID"),
    "client_secret": ("FLYTE_AZURE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
}
_VARIABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "s3": _S3_VARIABLES,
    "gs": _GS_VARIABLES,
    "az": _AZ_VARIABLES,
}

_OWN = f"{ENVIRONMENT}STORAGE__"
_DEFAULTS = StorageConfig()
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "s3": ("access_key_id", "secret_access_key", "session_token"),
    "az": ("account_name", "account_key", "sas_key"),
}
"""Keys that make sense together only: if the settings give one, the environment gives none of them."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach the remote stores. The keys of `s3`, `gs` and `az` are those of obstore's stores, and ours, which
    begin with `task_`."""

    s3: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`endpoint`, `access_key_id`, `secret_access_key`, `session_token`, `region`, `skip_signature`, ..."""
    gs: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`service_account`, `application_credentials`, `base_url`, ..."""
    az: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`account_name`, `account_key`, `client_id`, `endpoint`, ..."""
    concurrency: int = 16
    """Objects, or pieces of one object, on their way at a time within one call."""
    timeout_seconds: float = 120
    """For one request, which moves at most some 16 MiB."""
    connect_seconds: float = 10
    """For reaching the server."""
    retries: int = 4
    """Of a request that met a fault of the server or the network."""
    tasks: Lending = Lending.LIMITED
    """What tasks get that run elsewhere: `credentials.lend`."""
    task_seconds: int = 12 * 3600
    """How long that is good for."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> StoreSettings:
        """What the environment variables say: ours (`ALULA__STORAGE__S3__ENDPOINT`), and behind them those of
        vendors."""
        return cls.of_config(storage_of(environ), environ)

    @classmethod
    def of_config(cls, config: StorageConfig, environ: Mapping[str, str]) -> StoreSettings:
        """What the settings say, and what they leave open the variables of vendors."""
        return cls(
            s3=_filled("s3", config.s3, environ),
            gs=_filled("gs", config.gs, environ),
            az=_filled("az", config.az, environ),
            concurrency=config.concurrency,
            timeout_seconds=config.timeout.total_seconds(),
            connect_seconds=config.connect_timeout.total_seconds(),
            retries=config.retries,
            tasks=config.tasks,
            task_seconds=round(config.task_lifetime.total_seconds()),
        )

    def of(self, scheme: str) -> Mapping[str, str]:
        """The keys of `s3`, `gs` or `az`."""
        keys: Mapping[str, str] = getattr(self, scheme)
        return keys


def adopt(config: StorageConfig, environ: MutableMapping[str, str]) -> None:
    """Have this process, and those that it starts, reach the stores as the settings say: `from_env` reads it again.

    Call it once the settings are read, and before anything is started.
    """
    for section in fields(config):
        value, name = getattr(config, section.name), f"{_OWN}{section.name.upper()}"
        if isinstance(value, Mapping):
            environ.update({f"{name}__{key.upper()}": text for key, text in value.items()})
        elif value != getattr(_DEFAULTS, section.name):
            environ[name] = str(value.total_seconds() if isinstance(value, timedelta) else value)


class Reach(NamedTuple):
    """URIs of objects and prefixes of one scheme: each stands for the object, and for all below it."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    """May be read as well."""


def variable_of(scheme: str, key: str) -> str:
    """The environment variable that sets a key: the vendor's, if it has one."""
    names = _VARIABLES[scheme].get(key, ())
    own = f"{_OWN}{scheme.upper()}__{key.upper()}"
    return next((name for name in names if not name.startswith("FLYTE_")), own)


def _filled(scheme: str, given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    found = dict(given)
    closed = {key for key in _TOGETHER.get(scheme, ()) if not given.keys().isdisjoint(_TOGETHER[scheme])}
    for key, names in _VARIABLES[scheme].items():
        value = next((environ[name] for name in names if environ.get(name)), "")
        if value and key not in found and key not in closed:
            found[key] = value
    return {key: value for key, value in found.items() if value}

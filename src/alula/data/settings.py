"""How to reach the remote stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Our keys, and the environment variables that fill them: the first that is set. Names with FLYTE_ are known to users of
# flytekit, the others are the vendors' own. What is not listed (GOOGLE_APPLICATION_CREDENTIALS, AZURE_FEDERATED_TOKEN,
# instance and workload identities) the client library finds by itself.
_S3_VARIABLES = {
    "endpoint": ("FLYTE_AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "access_key_id": ("FLYTE_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
    "secret_access_key": ("FLYTE_AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
_GS_VARIABLES = {"base_url": ("STORAGE_EMULATOR_HOST",)}
_AZ_VARIABLES = {
    "account_name": ("FLYTE_AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_NAME"),
    "account_key": ("FLYTE_AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
    "tenant_id": ("FLYTE_AZURE_TENANT_ID", "AZURE_TENANT_ID"),
    "client_id": ("FLYTE_AZURE_CLIENT_ID", "AZURE_CLIENT_ID"),
    "client_secret": ("FLYTE_AZURE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
}


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach the remote stores. The keys of `s3`, `gs` and `az` are those of obstore's stores."""

    s3: Mapping[str, str] = field(default_factory=dict)
    """`endpoint`, `access_key_id`, `secret_access_key`, `session_token`, `region`, `skip_signature`, ..."""
    gs: Mapping[str, str] = field(default_factory=dict)
    """`service_account`, `application_credentials`, `base_url`, ..."""
    az: Mapping[str, str] = field(default_factory=dict)
    """`account_name`, `account_key`, `client_id`, `endpoint`, ..."""
    concurrency: int = 16
    """Objects, or pieces of one object, on their way at a time within one call."""
    timeout_seconds: float = 120
    """For one request, which moves at most some 16 MiB."""
    connect_seconds: float = 10
    """For reaching the server."""
    retries: int = 4
    """Of a request that met a fault of the server or the network."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> StoreSettings:
        """What the environment variables say."""
        return cls(s3=_read(environ, _S3_VARIABLES), gs=_read(environ, _GS_VARIABLES), az=_read(environ, _AZ_VARIABLES))


def _read(environ: Mapping[str, str], variables: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {key: next((environ[name] for name in names if environ.get(name)), "") for key, names in variables.items()}
    return {key: value for key, value in found.items() if value}

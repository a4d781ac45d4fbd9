"""flytekit's configuration: how things are registered, and where a platform is."""

from __future__ import annotations

import base64
import enum
import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any, Self

from alula.compat.names import mirror
from alula.sdk.compiler import SerializationSettings as OurSettings
from alula.sdk.image import Image, ImageConfig

SERIALIZED_CONTEXT_ENV_VAR = "_F_SS_C"
DEFAULT_RUNTIME_PYTHON_INTERPRETER = "python3"
DEFAULT_IN_CONTAINER_SRC_PATH = "/root"
DEFAULT_IMAGE_NAME = "default"


class _Auto:
    """A configuration that flytekit reads from a file; here it has its defaults."""

    @classmethod
    def auto(cls, config_file: Any = None) -> Self:
        return cls()


class AuthType(enum.Enum):
    STANDARD = "standard"
    BASIC = "basic"
    CLIENT_CREDENTIALS = "client_credentials"
    EXTERNAL_PROCESS = "external_process"
    CLIENTSECRET = "ClientSecret"
    PKCE = "Pkce"
    EXTERNALCOMMAND = "ExternalCommand"
    DEVICEFLOW = "DeviceFlow"


@dataclass(frozen=True)
class PlatformConfig(_Auto):
    endpoint: str = "localhost:30080"
    insecure: bool = False
    insecure_skip_verify: bool = False
    ca_cert_file_path: str | None = None
    console_endpoint: str | None = None
    command: list[str] | None = None
    proxy_command: list[str] | None = None
    client_id: str | None = None
    client_credentials_secret: str | None = None
    scopes: list[str] = field(default_factory=list)
    auth_mode: AuthType = AuthType.STANDARD
    audience: str | None = None
    rpc_retries: int = 3
    http_proxy_url: str | None = None

    @classmethod
    def for_endpoint(cls, endpoint: str, insecure: bool = False) -> PlatformConfig:
        return cls(endpoint=endpoint, insecure=insecure)


@dataclass(frozen=True)
class StatsConfig(_Auto):
    host: str = "localhost"
    port: int = 8125
    disabled: bool = False
    disabled_tags: bool = False


@dataclass(frozen=True)
class SecretsConfig(_Auto):
    env_prefix: str = "_FSEC_"
    default_dir: str = "/etc/secrets"
    file_prefix: str = ""


@dataclass(frozen=True)
class S3Config(_Auto):
    enable_debug: bool = False
    endpoint: str | None = None
    retries: int = 3
    backoff: timedelta = timedelta(seconds=5)
    access_key_id: str | None = None
    secret_access_key: str | None = None
    adressing_style: str | None = None


@dataclass(frozen=True)
class GCSConfig(_Auto):
    gsutil_parallelism: bool = False


@dataclass(frozen=True)
class AzureBlobStorageConfig(_Auto):
    account_name: str | None = None
    account_key: str | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


@dataclass(frozen=True)
class DataConfig(_Auto):
    s3: S3Config = S3Config()
    gcs: GCSConfig = GCSConfig()
    azure: AzureBlobStorageConfig = AzureBlobStorageConfig()


@dataclass(frozen=True)
class LocalConfig(_Auto):
    cache_enabled: bool = True
    cache_overwrite: bool = False


@dataclass(frozen=True)
class Config(_Auto):
    platform: PlatformConfig = PlatformConfig()
    secrets: SecretsConfig = SecretsConfig()
    stats: StatsConfig = StatsConfig()
    data_config: DataConfig = DataConfig()
    local_sandbox_path: str = ""

    def with_params(self, **changes: Any) -> Config:
        return replace(self, **{name: value for name, value in changes.items() if value is not None})

    @classmethod
    def for_sandbox(cls) -> Config:
        return cls(PlatformConfig("localhost:30080", insecure=True))

    @classmethod
    def for_endpoint(cls, endpoint: str, insecure: bool = False, **changes: Any) -> Config:
        return cls(PlatformConfig.for_endpoint(endpoint, insecure)).with_params(**changes)


@dataclass(frozen=True)
class EntrypointSettings:
    path: str | None = None


@dataclass(frozen=True)
class FastSerializationSettings:
    """Whether code comes from a bundle, and from where."""

    enabled: bool = False
    destination_dir: str | None = None
    distribution_location: str | None = None


@dataclass(frozen=True)
class SerializationSettings:
    """Under which ids entities are registered, and what their containers get."""

    image_config: ImageConfig | None = None
    project: str | None = None
    domain: str | None = None
    version: str | None = None
    env: Mapping[str, str] | None = None
    default_resources: Any = None
    git_repo: str | None = None
    python_interpreter: str = DEFAULT_RUNTIME_PYTHON_INTERPRETER
    flytekit_virtualenv_root: str | None = None
    fast_serialization_settings: FastSerializationSettings | None = None
    source_root: str | None = None

    @classmethod
    def for_image(
        cls, image: str, version: str, project: str = "", domain: str = "", python_interpreter_path: str = ""
    ) -> SerializationSettings:
        return cls(ImageConfig.from_images(image), project, domain, version)

    @property
    def entrypoint_settings(self) -> EntrypointSettings:
        return EntrypointSettings("bin/entrypoint.py")

    @property
    def serialized_context(self) -> str:
        return base64.b64encode(gzip.compress(json.dumps(asdict(self)).encode())).decode()

    def with_serialized_context(self) -> SerializationSettings:
        return replace(self, env={**(self.env or {}), SERIALIZED_CONTEXT_ENV_VAR: self.serialized_context})

    def should_fast_serialize(self) -> bool:
        return bool(self.fast_serialization_settings and self.fast_serialization_settings.enabled)

    def new_builder(self) -> Builder:
        return Builder(self)

    def ours(self) -> OurSettings:
        """The same for Alula's compiler."""
        return OurSettings(
            project=self.project or "",
            domain=self.domain or "",
            version=self.version or "",
            image_config=self.image_config,
            env=self.env or {},
        )


class Builder:
    """Settings that are being changed: attributes can be set, `build()` gives the result."""

    def __init__(self, settings: SerializationSettings) -> None:
        self.__dict__.update({**vars(settings)})

    def with_fast_serialization_settings(self, fss: FastSerializationSettings | None) -> Builder:
        self.__dict__["fast_serialization_settings"] = fss
        return self

    def build(self) -> SerializationSettings:
        return SerializationSettings(**self.__dict__)


__all__ = ["Image", "ImageConfig"]
__getattr__, __dir__ = mirror(__name__, {})

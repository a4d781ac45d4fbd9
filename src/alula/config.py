"""Settings: frozen dataclasses with defaults in code, filled from `alula.toml` and the environment.

One comment per key. Every class that needs settings is handed its section; nobody looks them up. `load` reads them,
once, in whatever puts an engine or a client together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import lazy, settled
from alula._kits.units import size
from alula.errors import ConfigError
from alula.sections import (
    Beyond,
    CatchUp,
    NotificationsConfig,
    Overlap,
    ResourcesConfig,
    RetentionConfig,
    SchedulesConfig,
)

if TYPE_CHECKING:
    import tomllib
else:
    tomllib = lazy.module("tomllib")  # only where there is a file to read

FILE = "alula.toml"
ENVIRONMENT = "ALULA__"
"""Before the names of variables that set one key: `ALULA__STORE__URL`."""


class Durability(StrEnum):
    """What an acknowledged commit survives."""

    FULL = "full"
    """Power loss."""
    RELAXED = "relaxed"
    """The death of every process; a power loss may take the last commits, and never part of one."""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`[store]`"""

    url: str = ""
    """A path or `sqlite:///path`, or `postgresql://...`; empty: `alula.db` in the home directory."""
    durability: Durability = Durability.FULL
    busy_timeout: timedelta = timedelta(seconds=15)
    """How long a locked database is waited for."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`[engine]`"""

    lease: timedelta = timedelta(seconds=10)
    """An engine that was not heard of for so long loses its executions; it speaks three times as often."""
    executions: int = 1_000
    """How many executions one engine has under way; others wait for it or for another engine."""
    inline_bytes: int = 64 * 1024
    """Outputs up to this size are kept in the row of their node, larger ones in a file."""
    outage: timedelta = timedelta(minutes=10)
    """How long a store or object store that does not answer is tried again before an attempt fails for it."""
    cleanup_backoff: timedelta = timedelta(minutes=5)
    """The longest wait between two tries to clean up after an attempt."""
    backlog: int = 100_000
    """With so many executions open, no further one is created: whoever asks is told to come back later; 0: no limit."""


@dataclass(frozen=True, slots=True)
class WorkersConfig:
    """`[workers]`"""

    cpus: float = 0
    """Cores that running tasks may ask for in all; 0: those of this machine."""
    memory_bytes: int = 0
    """Memory that running tasks may ask for in all; 0: that of this machine."""
    idle: timedelta = timedelta(minutes=2)
    """A worker with nothing to do for so long ends."""
    stop_grace: timedelta = timedelta(seconds=2)
    """Between asking a task to stop and killing it."""
    log_limit_bytes: int = 64 * 1024 * 1024
    """Of the output of one attempt; the middle of a longer one is dropped."""
    python: str = ""
    """The Python whose flytekit runs tasks that flytekit registered; empty: that of this process, if it has flytekit,
    else Alula's own SDK runs them."""
    fresh: bool = False
    """Each attempt of such a task is a process of its own, in place of a warm worker."""
    paths: tuple[str, ...] = ()
    """Directories where flytekit finds code that was registered without a bundle; the first is the tasks' own."""


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """`[cache]`"""

    limit_bytes: int = 10 << 30
    """Beyond it, the entries that were not used for longest go."""
    max_age: timedelta | None = None
    """Entries older than this count as absent."""
    lease: timedelta = timedelta(seconds=30)
    """A reservation whose holder was not heard of for so long is free."""


@dataclass(frozen=True, slots=True)
class SecretsConfig:
    """`[secrets]`"""

    directory: Path | None = None
    """Files `<group>/<key>` for plugins that ask for a secret; none: environment variables only."""


class Lending(StrEnum):
    """What tasks get to reach an object store with, when they run in containers."""

    LIMITED = "limited"
    """Short-lived credentials for their own prefixes; only addresses where this process has an identity of its machine,
    as the container has its own then."""
    OWN = "own"
    """The very credentials of this process."""
    NOTHING = "nothing"
    """Addresses, and no credentials: the containers have an identity of their own."""


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """`[storage]`"""

    tasks: Lending = Lending.LIMITED
    """What tasks in containers get: `limited`, `own` or `nothing`."""
    task_lifetime: timedelta = timedelta(hours=12)
    """How long limited credentials are good for, if a task has no timeout; stores allow 12 hours at most."""
    concurrency: int = 16
    """Objects, or pieces of one object, on their way at a time."""
    timeout: timedelta = timedelta(seconds=120)
    """For one request, which moves at most some 16 MiB."""
    connect_timeout: timedelta = timedelta(seconds=10)
    """For reaching the server."""
    retries: int = 4
    """Of a request that met a fault of the server or the network."""
    s3: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`[storage.s3]`: `endpoint`, `access_key_id`, `secret_access_key`, `region`, ...; `task_endpoint` and `task_role`
    are what tasks get."""
    gs: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`[storage.gs]`: `service_account`, `base_url`, ...; `task_endpoint`."""
    az: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`[storage.az]`: `account_name`, `account_key`, `endpoint`, ...; `task_endpoint`."""


@dataclass(frozen=True, slots=True)
class CallbacksConfig:
    """`[callbacks]`"""

    url: str = ""
    """How others reach this engine, as `https://alula.example.org`; empty: at `listen`."""
    listen: str = ""
    """`HOST:PORT` to be called back at; `127.0.0.1:8090` if only `url` is given. Both empty: there are no callbacks."""
    secret: str = field(default="", repr=False)
    """The key that signs callback URLs; empty: one is made and kept in the home directory."""
    lifetime: timedelta = timedelta(days=7)
    """How long a callback URL is good for."""

    @property
    def enabled(self) -> bool:
        return bool(self.url or self.listen)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port. Raises ConfigError."""
        host, _, port = (self.listen or "127.0.0.1:8090").rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise ConfigError(
                f"{self.listen!r} is no address for callbacks", fix="give HOST:PORT, as in 127.0.0.1:8090"
            )
        return host.strip("[]") or "127.0.0.1", int(port)

    @property
    def base(self) -> str:
        """What callback URLs begin with."""
        host, port = self.address
        return self.url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{port}"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """`[server]`: what `alula serve` answers to clients of Flyte, where it is given `--grpc` or `--http`."""

    grpc: str = ""
    """`HOST:PORT` for gRPC; empty: it is not served."""
    http: str = ""
    """`HOST:PORT` for HTTP: the same calls as JSON, uploads and downloads; empty: it is not served."""
    url: str = ""
    """How others reach the HTTP port, as `https://alula.example.org`; empty: at `http`."""
    tokens: Path | None = None
    """A file with the names and digests of API tokens, as `alula token new` writes it; none: everybody may call, which
    is possible on loopback only."""
    cert: Path | None = None
    """A certificate with its chain, for both ports; none: plain text."""
    key: Path | None = None
    """The key of the certificate."""
    client_ca: Path | None = None
    """Certificates of authorities, one of which must have signed that of every caller; none: callers need none."""
    insecure: bool = False
    """Serve others than this machine in plain text: a proxy in front of the ports speaks TLS."""
    secret: str = field(default="", repr=False)
    """The key that signs links for uploads and downloads; empty: one is made and kept in the home directory."""
    message_bytes: int = 64 * 1024 * 1024
    """The largest request that is read."""
    upload_bytes: int = 5 * 1024**3
    """The largest file that is taken."""
    domains: tuple[str, ...] = ("development", "staging", "production")
    """Which domains clients are told of; a project has all of them."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything."""

    home: Path = field(default_factory=lambda: home())
    """What is the user's own: `$ALULA_HOME`, else `~/.alula`."""
    data: str = ""
    """URI prefix of the files of executions; empty: `data` in the home directory."""
    project: str = "default"
    """Of what is run and looked for, where nothing else is said."""
    domain: str = "development"
    """Likewise."""
    store: StoreConfig = field(default_factory=StoreConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)
    secrets: SecretsConfig = field(default_factory=SecretsConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    schedules: SchedulesConfig = field(default_factory=SchedulesConfig)
    notifications: NotificationsConfig = field(default_factory=NotificationsConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
    images: Mapping[str, str] = field(default_factory=dict)
    """`[images]`: by short names. `default` is of tasks that name none, the others are written `{{.image.NAME}}`."""
    pools: Mapping[str, int] = field(default_factory=dict)
    """`[pools]`: units that attempts share, by name of the pool. A number counts until `alula pool set` changes it, or
    it is changed here."""
    backends: Mapping[str, Any] = field(default_factory=dict)
    """Sections of plugins by name, as they were written: `[backends.<name>]`. Each plugin reads its own. In
    `[backends.routes]` a type of task has the name of the plugin that runs it."""

    @property
    def store_url(self) -> str:
        return self.store.url or str(self.home / "alula.db")

    @property
    def data_prefix(self) -> str:
        return self.data or str(self.home / "data")


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Where Alula keeps what is a user's own: `$ALULA_HOME`, else `~/.alula`."""
    return Path(environ.get("ALULA_HOME") or Path.home() / ".alula").absolute()


# --- Reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Given:
    """One value, and where it was written."""

    key: tuple[str, ...]
    value: object
    where: str
    base: Path
    """What relative paths in it start from."""


def load(directory: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """The settings for a working directory: defaults, over them `alula.toml` there or in the nearest directory above,
    over that the environment.

    Raises:
        ConfigError: With every fault of the file and the environment.
    """
    here = directory or Path.cwd()
    environ = os.environ if environ is None else environ
    given, faults = _from_file(here)
    given += _from_environment(environ, here)
    config = Config(home=home(environ))
    for one in given:
        try:
            config = _put(config, one)
        except ValueError as exc:
            faults.append(f"{one.where}: {exc}")
    if faults:
        raise ConfigError(
            faults[0] if len(faults) == 1 else "\n".join([f"{len(faults)} settings are wrong", *faults]),
            fix="docs/reference/config.md lists the keys and what they take",
        )
    return config


def storage_of(environ: Mapping[str, str]) -> StorageConfig:
    """What the environment says of object stores: the variables that begin with `ALULA__STORAGE__`.

    Raises:
        ConfigError: With the first fault.
    """
    config = Config(home=Path())
    for one in _from_environment(
        {name: v for name, v in environ.items() if name.startswith(f"{ENVIRONMENT}STORAGE__")}, Path()
    ):
        try:
            config = _put(config, one)
        except ValueError as exc:
            raise ConfigError(f"{one.where}: {exc}", fix="docs/reference/config.md lists the keys") from exc
    return config.storage


def file_for(directory: Path) -> Path | None:
    """The `alula.toml` that counts in a directory; None: there is none."""
    for at in (directory, *directory.parents):
        path = at / FILE
        if path.is_file():
            return path
    return None


def _from_file(here: Path) -> tuple[list[_Given], list[str]]:
    path = file_for(here)
    if path is None:
        return [], []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        return [], [f"{path}: {exc}"]
    found = []
    for key, value in document.items():
        if isinstance(value, dict):
            found += [
                _Given((key, name), inner, f"{path}: [{key}] {name}", path.parent) for name, inner in value.items()
            ]
        else:
            found.append(_Given((key,), value, f"{path}: {key}", path.parent))
    return found, []


def _from_environment(environ: Mapping[str, str], here: Path) -> list[_Given]:
    return [
        _Given(tuple(name.removeprefix(ENVIRONMENT).lower().split("__")), value, name, here)
        for name, value in sorted(environ.items())
        if name.startswith(ENVIRONMENT)
    ]


def _put(config: Config, one: _Given) -> Config:
    """The settings with one more of them given. Raises ValueError."""
    section, *rest = one.key
    if section == "backends":
        if not rest:
            raise ValueError("backends is a section: write [backends.<name>] and the keys of that plugin below")
        return replace(config, backends=_deeper(config.backends, rest, one.value))
    if section == "images":
        named = _entries("images", rest, one.value, "default = 'registry/name:tag'")
        return replace(config, images={**config.images, **{name: str(image) for name, image in named.items()}})
    if section == "pools":
        return replace(config, pools={**config.pools, **_pools(rest, one.value)})
    if section == "storage" and rest and rest[0] in _STORES:
        return replace(config, storage=_stores(config.storage, rest, one))
    known = {f.name: getattr(config, f.name) for f in fields(config)}
    if section not in known:
        raise ValueError(f"there is no {'section' if rest else 'key'} {section!r}{_hint(section, known)}")
    if not rest:
        if is_dataclass(known[section]):
            raise ValueError(f"{section} is a section: write [{section}] and its keys below")
        return replace(config, **{section: _value(config, section, one)})
    if not is_dataclass(known[section]) or len(rest) > 1:
        raise ValueError(f"{'.'.join(one.key)} is no key: {section} is {'one' if len(rest) == 1 else 'a section'}")
    inner: Any = known[section]
    if rest[0] not in {f.name for f in fields(inner)}:
        raise ValueError(f"[{section}] has no key {rest[0]!r}{_hint(rest[0], [f.name for f in fields(inner)])}")
    return replace(config, **{section: replace(inner, **{rest[0]: _value(inner, rest[0], one)})})


def _pools(rest: list[str], value: object) -> dict[str, int]:
    """Pools and their units: one, or a whole section. Raises ValueError."""
    found = {}
    for name, units in _entries("pools", rest, value, "warehouse = 3").items():
        number = int(units) if isinstance(units, str) and units.isdecimal() else units
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"pool {name} has {units!r} units: write a number")
        found[str(name)] = number
    return found


_STORES = ("s3", "gs", "az")
_PATHS = ("application_credentials", "federated_token_file", "service_account", "web_identity_token_file")
"""Keys of stores that name files of this machine."""


def _stores(storage: StorageConfig, rest: list[str], one: _Given) -> StorageConfig:
    """Object stores, with one or more keys of a store given. Raises ValueError."""
    scheme, *path = rest
    given = {"__".join(path): one.value} if path else one.value
    if not isinstance(given, Mapping):
        raise ValueError(f"storage.{scheme} is a section: write [storage.{scheme}] and its keys below")
    keys = dict(getattr(storage, scheme))
    for key, value in given.items():
        if isinstance(value, Mapping | list):
            raise ValueError(f"{key} is {value!r}: write one value")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        keys[key] = str(one.base / Path(text).expanduser()) if key in _PATHS and text else text
    return replace(storage, **{scheme: keys})  # type: ignore[arg-type]  # the name is one of three of that type


def _entries(section: str, rest: list[str], value: object, example: str) -> Mapping[str, object]:
    """What a section of free names says: one entry, or all of it. Raises ValueError."""
    given = {".".join(rest): value} if rest else value
    if not isinstance(given, Mapping):
        raise ValueError(f"{section} is a section: write [{section}] and lines such as `{example}` below")
    return given


def _deeper(table: Mapping[str, Any], path: list[str], value: object) -> Mapping[str, Any]:
    """A nested table with one more value in it. Raises ValueError."""
    name, *rest = path
    if not rest and len(path) == 1 and isinstance(value, Mapping):
        for key, inner in value.items():
            table = _deeper(table, [name, key], inner)
        return table if value else {**table, name: table.get(name, {})}
    inner = table.get(name, {})
    if not rest:
        return {**table, name: value}
    if not isinstance(inner, Mapping):
        raise ValueError(f"{name} is {inner!r}, and has no {'.'.join(rest)}")
    return {**table, name: _deeper(inner, rest, value)}


def _hint(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _value(section: Any, name: str, one: _Given) -> Any:
    kind = next(str(f.type) for f in fields(section) if f.name == name)
    if name == "url" and not isinstance(section, StoreConfig):
        return settled.page(one.value)
    if name in ("url", "data", "home", "python") or kind.startswith("Path"):
        return _location(one, as_path=kind.startswith("Path"))
    if name.endswith("_bytes"):
        return size(one.value) if isinstance(one.value, str) else settled.whole(one.value)
    if name == "paths":
        given = one.value.split(os.pathsep) if isinstance(one.value, str) else one.value
        if not isinstance(given, list):
            raise ValueError(f"{one.value!r} is no list of directories")
        return tuple(_location(replace(one, value=path), as_path=False) for path in given)
    return _READERS[kind](one.value)


def _location(one: _Given, *, as_path: bool) -> str | Path:
    """A URI as it is, a path from where it was written."""
    if not isinstance(one.value, str):
        raise ValueError(f"{one.value!r} is no text")
    if "://" in one.value or not one.value:
        if as_path:
            raise ValueError(f"{one.value!r} is no directory of this machine")
        return one.value
    path = one.base / Path(one.value).expanduser()
    return path if as_path else str(path)


_READERS: Mapping[str, Callable[[object], object]] = {
    "str": str,
    "bool": settled.yes,
    "int": settled.whole,
    "float": settled.number,
    "timedelta": settled.span,
    "timedelta | None": lambda value: None if value in ("", "none") else settled.span(value),
    "Durability": settled.one_of(Durability),
    "Lending": settled.one_of(Lending),
    "CatchUp": settled.one_of(CatchUp),
    "Overlap": settled.one_of(Overlap),
    "Beyond": settled.one_of(Beyond),
    "tuple[str, ...]": settled.words,
}
"""By declared type."""

"""One connection to an API server: requests with deadlines and rates, its answers as errors, its clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from alula._kits import lazy
from alula._kits.clock import Clock
from alula._kits.limits import AdaptiveBucket
from alula.errors import ConfigError, RemoteError
from alula.hosting.k8s.answers import Refused, refusal
from alula.hosting.k8s.settings import ClusterSettings
from alula.plugin.k8s import Manifest

_aiohttp = lazy.module("aiohttp")
_client = lazy.module("kubernetes_asyncio.client")
_config = lazy.module("kubernetes_asyncio.config")
_CONNECTIONS = 256
_AGAIN = timedelta(seconds=10)
"""Between two looks for new credentials."""
_TOKEN_AGE = 60.0
_PAGE = 500
_AGENT = "alula"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, and where the API server keeps it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def base(self) -> str:
        return f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"

    def path(self, namespace: str, name: str = "", sub: str = "") -> str:
        """The path of all objects in a namespace (empty: in all of them), or of one."""
        inside = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return "/".join(filter(None, (f"{self.base}{inside}/{self.plural}", name, sub)))


PODS = Kind("v1", "Pod", "pods")
NAMESPACES = Kind("v1", "Namespace", "namespaces", namespaced=False)
POD_TEMPLATES = Kind("v1", "PodTemplate", "podtemplates")
_KNOWN = {(one.api_version, one.kind): one for one in (PODS, NAMESPACES, POD_TEMPLATES)}


class Cluster:
    """Talks to one API server. For one event loop."""

    def __init__(self, settings: ClusterSettings, clock: Clock) -> None:
        self.settings, self._clock = settings, clock
        self.reads = AdaptiveBucket(settings.reads_per_second, clock)
        self.writes = AdaptiveBucket(settings.writes_per_second, clock)
        self._ahead = timedelta(0)
        """How far the API server's clock is ahead of ours."""
        self._api: Any = None
        self._credentials_at: datetime | None = None
        self._kinds: dict[tuple[str, str], Kind] = {}

    async def open(self) -> None:
        """Read the credentials and make the client; no request is made."""
        await self._connect()

    async def close(self) -> None:
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    def now(self) -> datetime:
        """The time by the API server's clock, as far as its last answer tells."""
        return self._clock.now() + self._ahead

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """One request, answered by JSON.

        Raises:
            Refused: The server said no.
            RemoteError: It did not answer.
        """
        await self._turn(write=method != "GET")
        for last in (False, True):
            async with self._send(method, path, params, body, content_type) as answer:
                try:
                    found = await self._read(answer, f"{method} {path}")
                except Refused as exc:
                    if exc.status == 429:
                        (self.reads if method == "GET" else self.writes).slower(exc.retry_after)
                    if exc.status != 401 or last or not self._stale():
                        raise
                else:
                    return found
            await self._connect()
        raise AssertionError("unreachable")

    async def text(self, path: str, params: Mapping[str, str]) -> str:
        """One request, answered by text."""
        await self._turn(write=False)
        async with self._send("GET", path, params, None, "") as answer:
            if answer.status >= 300:
                await self._read(answer, f"GET {path}")
            data: bytes = await answer.read()
            return data.decode(errors="replace")

    async def every(self, kind: Kind, namespace: str, selector: str) -> tuple[list[Manifest], str]:
        """All objects that a selector matches, page by page, and the resourceVersion that they are of.

        Pages of one list are one moment, unless that got too old meanwhile: then it is begun anew, in one piece.
        """
        found: list[Manifest] = []
        params = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            try:
                page = await self.request("GET", kind.path(namespace), params=params)
            except Refused as exc:
                if not exc.expired or "continue" not in params:
                    raise
                found, params = [], {"labelSelector": selector}
                continue
            metadata = page.get("metadata") or {}
            for one in page.get("items") or ():
                # Items of lists do not say what they are.
                found.append({**one, "kind": kind.kind, "apiVersion": kind.api_version})
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion") or "")
            params["continue"] = metadata["continue"]

    async def watch(self, kind: Kind, namespace: str, selector: str, version: str) -> AsyncGenerator[Manifest, None]:
        """The events after a resourceVersion, as `{"type": ..., "object": ...}`, until the server ends the watch.

        The first one is an empty bookmark of our own: the server has taken the watch.

        Raises:
            Refused: Also when the server says so in an event; `expired` if the version is too old.
            RemoteError: The connection broke, or was silent for too long.
        """
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": "290",
        }
        path = kind.path(namespace)
        where = f"watch of {path}"
        await self._turn(write=False)
        silence = self.settings.silence.total_seconds()
        async with self._send("GET", path, params, None, "", silence=silence) as answer:
            if answer.status >= 300:
                await self._read(answer, where)
            yield {"type": "BOOKMARK", "object": {}}
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, map(bytes.strip, lines)):
                    yield _event(line, where)

    async def kind(self, api_version: str, kind: str) -> Kind:
        """Where the API server keeps a kind of object.

        Raises:
            RemoteError: It knows no such kind.
        """
        known = _KNOWN.get((api_version, kind)) or self._kinds.get((api_version, kind))
        if known is not None:
            return known
        base = Kind(api_version, kind, "").base
        try:
            found = await self.request("GET", base)
        except Refused as exc:
            if exc.status != 404:
                raise
            found = {}
        for one in found.get("resources") or ():
            if one.get("kind") == kind and "/" not in one.get("name", "/"):
                made = Kind(api_version, kind, str(one["name"]), bool(one.get("namespaced", True)))
                self._kinds[api_version, kind] = made
                return made
        raise RemoteError(
            f"the cluster knows no {kind} of {api_version}",
            where=self._host(),
            fix=f"install the operator that defines {kind}",
        )

    @contextlib.asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Manifest | None,
        content_type: str,
        *,
        silence: float | None = None,
    ) -> AsyncIterator[Any]:
        if self._api is None:
            await self._connect()
        seconds = self.settings.timeout.total_seconds()
        if silence is None:
            timeout = _aiohttp.ClientTimeout(total=seconds)
        else:
            timeout = _aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=silence)
        headers = {"Accept": "application/json", "User-Agent": _AGENT}
        if content_type:
            headers["Content-Type"] = content_type
        where = f"{method} {self._host()}{path}"
        try:
            answer = await self._api.call_api(
                path,
                method,
                query_params=list((params or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeout,
            )
            async with answer:
                self._set_clock(answer.headers.get("Date"))
                yield answer
        except TimeoutError as exc:
            raise RemoteError(f"the API server did not answer within {silence or seconds:g} s", where=where) from exc
        except (_aiohttp.ClientError, OSError) as exc:
            raise RemoteError(
                f"the API server cannot be reached: {type(exc).__name__}: {exc}",
                where=where,
                fix="see `[backends.k8s]` url, kubeconfig and ca_file",
            ) from exc

    async def _read(self, answer: Any, where: str) -> Manifest:
        data = await answer.read()
        try:
            found = json.loads(data)
        except ValueError:
            found = data.decode(errors="replace")
        if answer.status < 300 and isinstance(found, dict):
            return found
        wait = answer.headers.get("Retry-After", "")
        raise refusal(answer.status, found, where=where, retry_after=float(wait) if wait.isdigit() else None)

    async def _turn(self, *, write: bool) -> None:
        bucket = self.writes if write else self.reads
        while pause := bucket.take():  # noqa: ASYNC110  # it says itself when to ask again
            await asyncio.sleep(pause)

    def _set_clock(self, date: str | None) -> None:
        try:
            theirs = parsedate_to_datetime(date) if date else None
        except ValueError:
            return
        if theirs is not None:
            self._ahead = theirs.replace(tzinfo=theirs.tzinfo or UTC) - self._clock.now()

    def _stale(self) -> bool:
        """Whether it is time to look for new credentials."""
        return self._credentials_at is None or self._clock.now() - self._credentials_at >= _AGAIN

    def _host(self) -> str:
        return str(self._api.configuration.host) if self._api is not None else self.settings.url

    async def _connect(self) -> None:
        self._credentials_at = self._clock.now()
        made = await asyncio.to_thread(lambda: _client.Configuration())  # half a second of imports, the first time
        try:
            await self._configure(made)
        except (_config.ConfigException, OSError) as exc:
            raise ConfigError(
                f"there is no way to a cluster: {exc}",
                where="[backends.k8s]",
                fix="give `kubeconfig`, or `url` with `token_file` and `ca_file`, or run in a pod of the cluster",
            ) from exc
        made.connection_pool_maxsize = _CONNECTIONS
        former, self._api = self._api, _client.ApiClient(made)
        if former is not None:
            await former.close()

    async def _configure(self, made: Any) -> None:
        settings = self.settings
        if settings.url:
            made.host = settings.url.rstrip("/")
            made.ssl_ca_cert = settings.ca_file or None
            if settings.token_file:
                made.refresh_api_key_hook = _TokenFile(settings.token_file, self._clock)
                await made.refresh_api_key_hook(made)  # without a first token the client does not ask for one
            elif settings.token:
                made.api_key = {"BearerToken": f"Bearer {settings.token}"}
        elif settings.kubeconfig or "KUBERNETES_SERVICE_HOST" not in os.environ or os.environ.get("KUBECONFIG"):
            given = _expanded(settings.kubeconfig) or None
            context = settings.context or None
            await _config.load_kube_config(given, context, client_configuration=made, persist_config=False)
        else:
            _config.load_incluster_config(client_configuration=made)


class _TokenFile:
    """Puts the token of a file into a client's configuration, and reads it again once it is old."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path, self._clock = Path(path), clock
        self._read_at: float | None = None

    async def __call__(self, configuration: Any) -> None:
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at > _TOKEN_AGE:
            token = await asyncio.to_thread(self._path.read_text)
            configuration.api_key = {"BearerToken": f"Bearer {token.strip()}"}
            self._read_at = now


def _expanded(path: str) -> str:
    return os.path.expanduser(path)


def _event(line: bytes, where: str) -> Manifest:
    try:
        event = json.loads(line)
    except ValueError as exc:
        raise RemoteError(f"an event is no JSON: {line[:200]!r}", where=where) from exc
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise RemoteError(f"an event without an object: {line[:200]!r}", where=where)
    if event.get("type") == "ERROR":
        status = event["object"]
        raise refusal(int(status.get("code") or 500), status, where=where)
    return event

"""`Webhook`: one HTTP request per attempt, to hosts that the operator allows, with the attempt's name as its key."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import msgpack

from alula.errors import ConversionError, PluginError, Rejected, RemoteError, Throttled
from alula.idl import Literal, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.phase import Json, PhaseInfo
from alula.plugin.template import as_text

if TYPE_CHECKING:
    import httpx

_PLACE = re.compile(r"\{\{\s*\.?inputs\.(\w+)\s*\}\}|\{inputs\.(\w+)\}|\{secrets\.([\w-]+)(?:\.([\w-]+))?\}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_AGAIN = frozenset({408, 425})
_SLOWER = frozenset({429, 503})
_SHOWN = 500
"""Characters of an answer that a failure repeats."""


@dataclass(frozen=True, slots=True)
class WebhookJob:
    """`TaskTemplate.custom` of tasks of type `webhook`; the names are those of flytekit's webhook task.

    `{inputs.x}` in the URL, in headers and in data stands for an input, `{secrets.group.key}` for a secret.
    """

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = None
    """Sent as JSON, or of a GET as the query."""
    body: str = ""
    """Sent as it is, in place of `data`."""
    show_data: bool = False
    """Whether the output repeats what was sent."""
    show_url: bool = False
    timeout_sec: float = 10.0
    expected: tuple[int, ...] = ()
    """Statuses that are a success; none: those from 200 to 299."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`[backends.webhook]`"""

    allow: tuple[str, ...] = ()
    """Hosts that may be called, as `hooks.example.org` or `*.example.org`; empty: all public ones."""
    deny: tuple[str, ...] = ()
    """Hosts that may not, whatever `allow` says."""
    private: bool = False
    """Whether addresses of this machine and of private networks may be called that `allow` does not name."""
    longest: timedelta = timedelta(minutes=1)
    """The longest that one request may take, whatever its task says."""
    response_bytes: int = 1 << 20
    """The largest answer that is taken."""
    proxy: str = ""
    """The URL of a proxy for all requests. It looks up the hosts then, and decides which addresses may be called."""


class Webhook(SyncPlugin):
    """Requests to other people's services. A request that may be repeated carries `Idempotency-Key`."""

    info = PluginInfo("webhook", frozenset({"webhook"}), WebhookJob, WebhookSettings)

    def __init__(
        self, settings: WebhookSettings | None = None, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings, self._transport = settings or WebhookSettings(), transport
        self.timeout_seconds = self._settings.longest.total_seconds() + 5
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        try:
            import httpx
        except ModuleNotFoundError as exc:
            raise PluginError("webhooks need httpx, which is not installed", fix="pip install 'alula[http]'") from exc

        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            proxy=self._settings.proxy or None,
            timeout=None,
            transport=self._transport,
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def do(self, task: TaskContext) -> PhaseInfo:
        job = task.custom(WebhookJob)
        if job.method.upper() not in _METHODS:
            raise Rejected(f"{job.method!r} is no method", fix=f"use one of {', '.join(sorted(_METHODS))}")
        filled = _Filled(task, (await task.inputs()).literals)
        request = await filled.request(job)
        seconds = min(job.timeout_sec, self._settings.longest.total_seconds())
        try:
            async with asyncio.timeout(seconds):
                status, headers, body = await self._call(request)
        except TimeoutError as exc:
            raise RemoteError(f"{request.shown} did not answer in {seconds:g} s", where=request.shown) from exc
        _judge(status, headers, body, job.expected, request.shown)
        info: dict[str, Json] = {"status_code": status, "response_data": body}
        if job.show_data:
            info["input_data"] = job.data if filled.secret else request.data
        if job.show_url:
            info["url"] = request.shown
        packed = literals.binary(cast(bytes, msgpack.packb(info)))
        declared = task.template.interface.outputs.variables
        return PhaseInfo.succeeded(literals.literal_map({name: packed for name in declared if name == "info"}))

    async def _call(self, request: _Request) -> tuple[int, Mapping[str, str], str]:
        import httpx

        if self._client is None:
            raise RemoteError("the plugin is not open")
        url, headers, extensions = await self._target(request)
        content = request.content if request.content is None else request.content.encode()
        most = self._settings.response_bytes
        try:
            async with self._client.stream(
                request.method, url, headers=headers, content=content, params=request.query, extensions=extensions
            ) as response:
                got = bytearray()
                async for part in response.aiter_raw():
                    got += part
                    if len(got) > most:
                        raise Rejected(
                            f"{request.shown} answered with more than {most} bytes",
                            fix="ask for less, or have the operator raise `response_bytes` in [backends.webhook]",
                            code="WebhookTooLarge",
                        )
                return response.status_code, response.headers, got.decode(response.encoding or "utf-8", "replace")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as exc:
            raise Rejected(f"{request.shown} cannot be called: {exc}", code="WebhookRefused") from exc
        except (httpx.HTTPError, OSError) as exc:
            raise RemoteError(
                f"{request.shown} cannot be reached: {type(exc).__name__} {exc}", where=request.shown
            ) from exc

    async def _target(self, request: _Request) -> tuple[httpx.URL, Mapping[str, str], dict[str, Any]]:
        """The URL with an address that was looked up and checked, so that no second look-up can lead elsewhere.

        Raises Rejected for a host that may not be called.
        """
        import httpx

        try:
            url = httpx.URL(request.url)
        except httpx.InvalidURL as exc:
            raise Rejected(f"{request.shown} is no URL: {exc}", code="WebhookRefused") from exc
        host, settings = url.host.rstrip(".").lower(), self._settings
        if url.scheme not in ("http", "https") or not host:
            raise Rejected(f"{request.shown} is no http URL", code="WebhookRefused")
        named = any(fnmatchcase(host, one.lower()) for one in settings.allow)
        if any(fnmatchcase(host, one.lower()) for one in settings.deny) or (settings.allow and not named):
            raise _refused(host)
        if settings.proxy:
            return url, request.headers, {}
        addresses = await _addresses(host, url.port or (443 if url.scheme == "https" else 80))
        if not (named or settings.private) and not all(ipaddress.ip_address(one).is_global for one in addresses):
            raise _refused(host, addresses)
        headers = {**request.headers, "Host": url.netloc.decode("ascii")}
        return url.copy_with(host=addresses[0]), headers, {"sni_hostname": url.host}


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: str | None = field(repr=False)
    query: Mapping[str, str] | None = field(repr=False)
    data: Json = field(repr=False)
    shown: str = ""
    """The URL for people: without what secrets are in it."""


class _Filled:
    """What placeholders stand for in one attempt."""

    def __init__(self, task: TaskContext, inputs: Mapping[str, Literal]) -> None:
        self._task, self._inputs = task, inputs
        self.secret = False
        """Whether any secret was put in."""

    async def request(self, job: WebhookJob) -> _Request:
        method = job.method.upper()
        whole = _PLACE.fullmatch(job.url.strip())
        # Part of a URL, a value is one segment or one parameter: it leads to no other host and no other path.
        url = await self._text(job.url.strip(), str if whole else lambda value: quote(value, safe=""))
        shown = job.url if self.secret else url
        headers = {"Accept-Encoding": "identity", "User-Agent": "alula"}
        if method not in _SAFE_METHODS:
            headers["Idempotency-Key"] = self._task.name
        for name, value in job.headers.items():
            text = await self._text(value, str)
            if re.search(r"[\r\n\0]", text + name):
                raise Rejected(f"the header {name!r} holds a line break", fix="take it out of the value")
            headers = {key: old for key, old in headers.items() if key.lower() != name.lower()} | {name: text}
        data = await self._data(job.data)
        content, query = None, None
        if job.body:
            content = await self._text(job.body, str)
        elif data and method in _SAFE_METHODS:
            if not isinstance(data, dict):
                raise Rejected("the data of a GET is its query, so it must have names", fix="give a dictionary")
            query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}
        elif data is not None and method not in _SAFE_METHODS:
            content = json.dumps(data)
            if not any(name.lower() == "content-type" for name in headers):
                headers["Content-Type"] = "application/json"
        return _Request(method, url, headers, content, query, data, f"{method} {shown.partition('?')[0]}")

    async def _data(self, value: Any) -> Json:
        """A structure with its texts filled in; a text that is one placeholder becomes the value itself."""
        match value:
            case str():
                whole = _PLACE.fullmatch(value)
                if whole and (name := whole[1] or whole[2]):
                    return _plain(self._literal(name, value))
                return await self._text(value, str)
            case Mapping():
                return {await self._text(str(key), str): await self._data(item) for key, item in value.items()}
            case list() | tuple():
                return [await self._data(item) for item in value]
        return cast(Json, value)

    async def _text(self, text: str, put: Callable[[str], str]) -> str:
        made, end = [], 0
        for found in _PLACE.finditer(text):
            made += [text[end : found.start()], put(await self._value(found))]
            end = found.end()
        return "".join([*made, text[end:]])

    async def _value(self, found: re.Match[str]) -> str:
        if name := found[1] or found[2]:
            try:
                return as_text(literals.unpacked(self._literal(name, found[0])))
            except ConversionError as exc:
                raise Rejected(f"{found[0]}: {exc.what}") from exc
        self.secret = True
        group, key = (found[3], found[4]) if found[4] else ("", found[3])
        return await self._task.secret(key, group)

    def _literal(self, name: str, whole: str) -> Literal:
        if name not in self._inputs:
            there = ", ".join(sorted(self._inputs)) or "none"
            raise Rejected(f"{whole} names no input; there is {there}", fix="declare it in inputs=")
        return self._inputs[name]


def _plain(lit: Literal) -> Json:
    """A value as JSON; what has no form of its own there as text."""
    lit = literals.unpacked(lit)
    match literals.kind(lit):
        case "collection":
            return [_plain(one) for one in lit.collection.literals]
        case "map":
            return {name: _plain(one) for name, one in lit.map.literals.items()}
        case "integer":
            return int(lit.scalar.primitive.integer)
        case "float_value":
            return float(lit.scalar.primitive.float_value)
        case "boolean":
            return bool(lit.scalar.primitive.boolean)
        case "none_type":
            return None
        case "binary":
            return cast(Json, json.loads(as_text(lit)))
    try:
        return as_text(lit)
    except ConversionError as exc:
        raise Rejected(exc.what) from exc


def _judge(status: int, headers: Mapping[str, str], body: str, expected: Sequence[int], what: str) -> None:
    """Raise what a status means, unless it is a success."""
    if status in expected or (not expected and 200 <= status < 300):
        return
    said = f"{what} answered {status}: {' '.join(body.split())[:_SHOWN]}"
    if status in _SLOWER:
        raise Throttled(said, where=what, retry_after=_retry_after(headers.get("retry-after", "")))
    if status >= 500 or status in _AGAIN:
        raise RemoteError(said, where=what)
    fix = "see what the service wants; or name the status in expected_status="
    if 300 <= status < 400:
        fix = f"redirects are not followed; call {headers.get('location', 'the new address')[:200]} itself"
    raise Rejected(said, fix=fix, code=f"Webhook{status}")


def _retry_after(text: str) -> float | None:
    """Seconds; None: it does not say. Source: RFC 9110, 10.2.3."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


async def _addresses(host: str, port: int) -> list[str]:
    """Where a host is. Raises RemoteError."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass  # a name, or a number that resolvers take for an address
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise RemoteError(f"the host {host} is not found: {exc}", where=host) from exc
    return [str(entry[4][0]).partition("%")[0] for entry in found]


def _refused(host: str, addresses: Sequence[str] = ()) -> Rejected:
    at = f" is at {', '.join(dict.fromkeys(addresses))}, and" if addresses else ""
    return Rejected(
        f"the host {host}{at} may not be called",
        fix="have the operator name it in `allow` of [backends.webhook]",
        code="WebhookRefused",
    )

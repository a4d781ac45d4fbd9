"""The API server for tests: HTTP in a thread of its own, faults on demand, and a cluster's controllers by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.servers.kube import kinds
from tests.servers.kube.controllers import Controllers
from tests.servers.kube.kinds import Manifest, Resource
from tests.servers.kube.store import Refusal, Store, expired, field_selected, missing, selected

_BOOKMARK_BEFORE = 2.0
"""Seconds before the end of a watch at which it says how far it is."""
_VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "$Format:%H$",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}


@dataclass
class Fault:
    """Something goes wrong with matching requests.

    Args:
        what: `lost`: it is done, and the answer gets lost; `cut`: the connection breaks before anything is done; a
            number: that status.
        times: How often; -1: always.
    """

    method: str
    part: str
    what: str
    times: int = 1
    body: Manifest = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class KubeServer(Controllers):
    """One API server with a scheduler and a quota controller, which act at once, and no kubelet."""

    def __init__(self, *, token: str = "secret-token", nodes: bool = True) -> None:
        self.store = Store()
        self.token, self.nodes = token, nodes
        self.faults: list[Fault] = []
        self.down = False
        self.logs: dict[tuple[str, str, str], str] = {}
        """By namespace, pod and container."""
        self.requests: list[tuple[float, str, str]] = []
        """When (by the loop's clock), method, path."""
        self.ahead = 0.0
        """Seconds that its clock is ahead, in the header Date."""
        self.url = ""
        self.store.listeners.append(self._changed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: set[asyncio.Event] = set()
        self._streams: set[asyncio.Task[Any]] = set()
        self._events = 0
        self._doom: list[Any] = []
        self.before: Callable[[], None] = lambda: None
        """Called before each request is served."""

    # For tests.

    def namespace(self, name: str) -> None:
        self.store.create(self.kind("Namespace"), "", {"metadata": {"name": name}}, "test")

    def pods(self, namespace: str = "") -> list[Manifest]:
        items: list[Manifest] = self.store.list(self.kind("Pod"), namespace)["items"]
        return items

    def status(self, namespace: str, name: str, status: Manifest, kind: str = "Pod") -> None:
        """Set the status of an object, as its controller does."""
        self.store.merge(self.kind(kind), namespace, name, {"status": status}, "kubelet", "status")

    def compact(self) -> None:
        """Forget all history: watches from earlier versions are over."""
        self.store.compacted = self.store.version

    def kill_at(self, number: int, kill: Callable[[], None], *, after: bool) -> threading.Event:
        """Have the client killed when it makes so many more requests: before, or after the last one is done.

        Gives what is set then. Watches do not count.
        """
        self._doom = [number, kill, after, threading.Event()]
        done: threading.Event = self._doom[3]
        return done

    @property
    def watchers(self) -> frozenset[object]:
        """The watches that are under way; each is another object."""
        return frozenset(self._watching)

    def cut_watches(self) -> None:
        """Break all watches that are under way."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._streams])

    def fault(self, method: str, part: str, what: str, **more: Any) -> Fault:
        made = Fault(method, part, what, **more)
        self.faults.append(made)
        return made

    # HTTP.

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert self._loop is not None
        self.requests.append((self._loop.time(), request.method, request.path))
        self.before()
        doomed = self._doomed(request)
        if self.down or (doomed and not self._doom[2]):
            self._end(doomed)
            _break(request)
        fault = next((one for one in self.faults if one.method == request.method and one.part in request.path), None)
        if fault is not None:
            fault.times -= 1
            if fault.times == 0:
                self.faults.remove(fault)
            if fault.what == "cut":
                _break(request)
            if fault.what != "lost":
                body = fault.body or {"kind": "Status", "apiVersion": "v1", "message": "made to fail", "reason": ""}
                return self._json(int(fault.what), {**body, "code": int(fault.what)}, fault.headers)
        try:
            found = await self._routed(request)
        except Refusal as exc:
            found = self._json(exc.code, exc.body)
        if fault is not None or doomed:
            self._end(doomed)
            _break(request)
        return found

    def _doomed(self, request: web.Request) -> bool:
        if not self._doom or "watch" in request.query:
            return False
        self._doom[0] -= 1
        return bool(self._doom[0] == 0)

    def _end(self, doomed: bool) -> None:
        if doomed:
            self._doom[1]()
            self._doom[3].set()

    async def _routed(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise Refusal(401, "Unauthorized", "Unauthorized")
        parts = [part for part in request.path.split("/") if part]
        if parts == ["version"]:
            return self._json(200, _VERSION)
        group, version, rest = self._group(parts)
        if version and not rest:
            return self._discovered(group, version)
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind = self.store.find(group, version, rest[0]) if rest else None
        if kind is None:
            return web.Response(status=404, text="404 page not found\n", headers={"Date": self._date()})
        name, sub = [*rest, "", ""][1:3]
        if sub == "log":
            return self._log(kind, namespace, name, request)
        query = request.query
        if request.method == "GET" and not name and query.get("watch") in ("true", "1"):
            return await self._watch(request, kind, namespace)
        if request.method == "GET" and not name:
            found = self.store.list(
                kind,
                namespace,
                labels=query.get("labelSelector", ""),
                fields=query.get("fieldSelector", ""),
                limit=int(query.get("limit", 0)),
                token=query.get("continue", ""),
            )
            return self._json(200, found)
        body = json.loads(await request.read() or b"null")
        return self._json(*self._act(request, kind, namespace, name, sub, body))

    def _act(
        self, request: web.Request, kind: Resource, namespace: str, name: str, sub: str, body: Any
    ) -> tuple[int, Manifest]:
        store, query = self.store, request.query
        manager = query.get("fieldManager") or request.headers.get("User-Agent", "unknown").partition("/")[0]
        match request.method:
            case "GET":
                return 200, store.get(kind, namespace, name)
            case "POST":
                if query.get("fieldValidation") == "Strict":
                    unknown = kinds.unknown_fields(body) if kind.typed else []
                    if unknown:
                        said = ", ".join(f'unknown field "{one}"' for one in unknown)
                        message = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
                        raise Refusal(400, "BadRequest", f"{message}strict decoding error: {said}")
                return 201, store.create(kind, namespace, body, manager)
            case "PUT":
                return 200, store.write(kind, namespace, name, body, manager, sub)
            case "PATCH":
                if "apply-patch" in request.headers["Content-Type"]:
                    force = query.get("force") == "true"
                    code, made = store.apply(kind, namespace, name, body, query["fieldManager"], force=force)
                    return code, made
                return 200, store.merge(kind, namespace, name, body, manager, sub)
            case "DELETE" if name:
                return 200, self._deleted(kind, namespace, name, body)
            case "DELETE":
                found = store.list(kind, namespace, labels=query.get("labelSelector", ""))
                for one in found["items"]:
                    store.delete(kind, namespace, one["metadata"]["name"], body)
                return 200, found
        raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _deleted(self, kind: Resource, namespace: str, name: str, options: Any) -> Manifest:
        found = self.store.delete(kind, namespace, name, options)
        if kind.kind == "Namespace":
            with self.store.lock:
                for full, where, one in [key for key in self.store.objects if key[1] == name]:
                    self.store.objects.pop((full, where, one))
        return found

    def _log(self, kind: Resource, namespace: str, name: str, request: web.Request) -> web.Response:
        pod = self.store.get(kind, namespace, name)
        container = request.query.get("container") or pod["spec"]["containers"][0]["name"]
        statuses = [*(pod["status"].get("containerStatuses") or ())]
        state = next((one["state"] for one in statuses if one["name"] == container), {})
        if not state.get("running") and not state.get("terminated"):
            reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
            message = f'container "{container}" in pod "{name}" is waiting to start: {reason}'
            raise Refusal(400, "BadRequest", message)
        text = self.logs.get((namespace, name, container), "")
        if request.query.get("timestamps") == "true":
            since = request.query.get("sinceTime", "")
            stamps = ((f"2026-01-01T00:00:{at:02d}.5Z", line) for at, line in enumerate(text.splitlines()))
            text = "".join(f"{stamp} {line}\n" for stamp, line in stamps if stamp >= since.removesuffix("Z"))
        data = text.encode()[: int(request.query.get("limitBytes", 1 << 30))]
        return web.Response(body=data, content_type="text/plain", headers={"Date": self._date()})

    async def _watch(self, request: web.Request, kind: Resource, namespace: str) -> web.StreamResponse:
        query = request.query
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        stream = web.StreamResponse(headers={"Content-Type": "application/json", "Date": self._date()})
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        assert self._loop is not None
        ends = self._loop.time() + float(query.get("timeoutSeconds", 300))
        told = query.get("allowWatchBookmarks") != "true"
        event = asyncio.Event()
        self._watching.add(event)
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            at = await self._begin(stream, kind, namespace, labels, query.get("resourceVersion", ""))
            while at is not None and (left := ends - self._loop.time()) > 0:
                event.clear()
                at = await self._send(stream, kind, namespace, labels, fields, at)
                if not told and left <= _BOOKMARK_BEFORE:
                    told = True
                    await stream.write(_line("BOOKMARK", _bookmark(kind, at)))
                wait = left if told else min(left, max(left - _BOOKMARK_BEFORE, 0.01))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), wait)
        finally:
            self._watching.discard(event)
            self._streams.discard(task)
        await stream.write_eof()
        return stream

    async def _begin(
        self, stream: web.StreamResponse, kind: Resource, namespace: str, labels: str, version: str
    ) -> int | None:
        """The version to go on from. None: it is too old."""
        if version and version != "0":
            if int(version) < self.store.compacted:
                said = f"too old resource version: {version} ({self.store.compacted})"
                await stream.write(_line("ERROR", expired(said).body))
                return None
            return int(version)
        found = self.store.list(kind, namespace, labels=labels)
        for one in found["items"]:
            await stream.write(_line("ADDED", {"kind": kind.kind, "apiVersion": kind.api_version, **one}))
        return int(found["metadata"]["resourceVersion"])

    async def _send(
        self, stream: web.StreamResponse, kind: Resource, namespace: str, labels: str, fields: str, at: int
    ) -> int:
        with self.store.lock:
            changes = [one for one in self.store.changes if one.version > at]
            version = self.store.version
        for one in changes:
            if one.key[0] != kind.full or (namespace and one.key[1] != namespace):
                continue
            is_in = selected(one.resource, labels) and field_selected(one.resource, fields)
            was_in = one.before is not None and selected(one.before, labels) and field_selected(one.before, fields)
            what = one.what
            if what != "DELETED":
                if not is_in and not was_in:
                    continue
                what = "DELETED" if not is_in else "MODIFIED" if was_in else "ADDED"
            elif not is_in:
                continue
            await stream.write(_line(what, one.resource))
        return version

    def _group(self, parts: list[str]) -> tuple[str, str, list[str]]:
        if parts[:1] == ["api"] and len(parts) > 1:
            return "", parts[1], parts[2:]
        if parts[:1] == ["apis"] and len(parts) > 2:
            return parts[1], parts[2], parts[3:]
        return "", "", []

    def _discovered(self, group: str, version: str) -> web.Response:
        found = [one for one in self.store.resources if (one.group, one.version) == (group, version)]
        if not found:
            return web.Response(status=404, text="404 page not found\n")
        listed = []
        for one in found:
            entry = {
                "name": one.plural,
                "singularName": one.kind.lower(),
                "namespaced": one.namespaced,
                "kind": one.kind,
            }
            listed += [entry, {**entry, "name": f"{one.plural}/status"}] if one.status else [entry]
        made = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": found[0].api_version,
            "resources": listed,
        }
        return self._json(200, made)

    def _json(self, code: int, body: Manifest, headers: dict[str, str] | None = None) -> web.Response:
        return web.json_response(body, status=code, headers={"Date": self._date(), **(headers or {})})

    def _date(self) -> str:
        at = datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.ahead, UTC)
        return at.strftime("%a, %d %b %Y %H:%M:%S GMT")


@contextmanager
def kube_server(**options: Any) -> Iterator[KubeServer]:
    """A server that runs inside the block, at `url`."""
    server = KubeServer(**options)
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def begin() -> web.AppRunner:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        server._loop = loop
        ready.set()
        return runner

    runner: list[web.AppRunner] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner.append(loop.run_until_complete(begin()))
        loop.run_forever()
        for task in server._streams:
            task.cancel()
        loop.run_until_complete(runner[0].cleanup())
        loop.close()

    thread = threading.Thread(target=run, name="kube-server", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _break(request: web.Request) -> None:
    """End a connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


def _line(what: str, resource: Manifest) -> bytes:
    return json.dumps({"type": what, "object": resource}).encode() + b"\n"


def _bookmark(kind: Resource, version: int) -> Manifest:
    made: Manifest = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {"resourceVersion": str(version)}}
    return {**made, "spec": {"containers": None}, "status": {}} if kind.kind == "Pod" else made


__all__ = ["Fault", "KubeServer", "kube_server", "missing"]

"""A server that follows the published SQL API of Snowflake: it runs no SQL, and does what a test tells it.

`SqlApiServer.answer` is all of it; `transport` puts it behind an httpx client, without a network, and `listening`
behind a port of this machine.

Source: https://docs.snowflake.com/en/developer-guide/sql-api/reference
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import httpx

_PATH = re.compile(r"/api/v2/statements(?:/(?P<handle>[\w-]+)(?P<cancel>/cancel)?)?/?")
Rows = Sequence[Sequence[str | None]]


@dataclass
class Submitted:
    """A statement, and where it stands."""

    handle: str
    request: str
    body: Mapping[str, Any]
    state: str = "running"
    """running, done, failed or cancelled."""
    columns: Sequence[Mapping[str, Any]] = ()
    partitions: Sequence[Rows] = ()
    failure: Mapping[str, str] = field(default_factory=dict)
    starts: int = 1
    """How often it was begun, which must never be more than once."""

    @property
    def tag(self) -> str:
        return str(self.body.get("parameters", {}).get("query_tag", ""))


class SqlApiServer:
    """One account.

    Args:
        authorized: Whether these headers may come in.
    """

    def __init__(self, authorized: Callable[[Mapping[str, str]], bool] = lambda headers: True) -> None:
        self.statements: dict[str, Submitted] = {}
        """By handle."""
        self.by_request: dict[str, Submitted] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and query of every request."""
        self.trouble: list[httpx.Response] = []
        """What the next requests are answered with, whatever they are."""
        self.lose_next_answer = False
        """The next request takes effect, and its answer is lost."""
        self.made: Callable[[Submitted], None] = lambda statement: None
        """Told of each new statement."""
        self._authorized = authorized

    @contextmanager
    def listening(self) -> Iterator[int]:
        """The port on which it answers, inside the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._serve)

    def live(self) -> list[Submitted]:
        return [one for one in self.statements.values() if one.state == "running"]

    def of(self, tag: str) -> list[Submitted]:
        return [one for one in self.statements.values() if one.tag == tag]

    def finish(
        self, statement: Submitted, columns: Sequence[Mapping[str, Any]] = (), partitions: Sequence[Rows] = ((),)
    ) -> None:
        statement.state, statement.columns, statement.partitions = "done", columns, partitions

    def fail(self, statement: Submitted, code: str = "001003", state: str = "42000", message: str = "wrong") -> None:
        statement.state = "failed"
        statement.failure = {"code": code, "sqlState": state, "message": message}

    def _serve(self, request: httpx.Request) -> httpx.Response:
        if self.trouble:
            return self.trouble.pop(0)
        answer = self.answer(request)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.requests.append((request.method, request.url.path, query))
        if not self._authorized(request.headers):
            return httpx.Response(401, json={"code": "390303", "message": "Invalid OAuth access token."})
        if not request.headers.get("User-Agent") or request.headers.get("Accept") != "application/json":
            return httpx.Response(406, json={"code": "391902", "message": "Unsupported Accept header."})
        found = _PATH.fullmatch(request.url.path)
        if found is None:
            return httpx.Response(404, json={"message": "no such path"})
        handle = found["handle"]
        if handle is None:
            return self._submit(json.loads(request.content), query)
        statement = self.statements.get(handle)
        if statement is None:
            return httpx.Response(404, json={"code": "390142", "message": f"statement {handle} not found"})
        return self._cancel(statement) if found["cancel"] else self._status(statement, query)

    def _submit(self, body: dict[str, Any], query: dict[str, str]) -> httpx.Response:
        if set(body) - _FIELDS:
            return httpx.Response(400, json={"code": "391911", "message": f"unknown fields {set(body) - _FIELDS}"})
        markers, bindings = body["statement"].count("?"), body.get("bindings", {})
        if set(bindings) != {str(n) for n in range(1, markers + 1)}:
            return httpx.Response(
                422, json={"code": "002049", "sqlState": "42601", "message": "Bind variable not set."}
            )
        if "information_schema.query_history" in body["statement"]:
            return self._history(bindings["1"]["value"], "regexp_like" in body["statement"])
        request = query.get("requestId") or str(uuid4())
        UUID(request)
        known = self.by_request.get(request)
        if known is not None and query.get("retry") == "true":
            return self._status(known, {})
        statement = Submitted(str(uuid4()), request, body)
        self.statements[statement.handle] = self.by_request[request] = statement
        self.made(statement)
        assert query.get("async") == "true"
        return self._status(statement, {})

    def _history(self, value: str, live: bool) -> httpx.Response:
        rows = [
            [one.handle, one.tag]
            for one in self.statements.values()
            if (one.state == "running" and re.fullmatch(value, one.tag) if live else one.tag == value)
        ]
        text = {"type": "text", "length": 16_777_216}
        answer = Submitted(str(uuid4()), "", {}, "done", [{"name": "QUERY_ID", **text}, {"name": "QUERY_TAG", **text}])
        answer.partitions = [rows]
        return self._status(answer, {})

    def _status(self, statement: Submitted, query: dict[str, str]) -> httpx.Response:
        handle = statement.handle
        base = {"statementHandle": handle, "statementStatusUrl": f"/api/v2/statements/{handle}"}
        if statement.state == "running":
            message = "Asynchronous execution in progress. Use provided query id to perform query monitoring."
            return httpx.Response(202, json={**base, "code": "333334", "message": message})
        if statement.state == "cancelled":
            said = {"code": "000604", "sqlState": "57014", "message": "SQL execution canceled"}
            return httpx.Response(422, json={**base, **said})
        if statement.state == "failed":
            return httpx.Response(422, json={**base, **statement.failure})
        number = int(query.get("partition", 0))
        if not 0 <= number < max(1, len(statement.partitions)):
            return httpx.Response(400, json={"message": f"no partition {number}"})
        data = [list(row) for row in statement.partitions[number]] if statement.partitions else []
        if number:
            return httpx.Response(200, json={"data": data})
        meta = {
            "numRows": sum(map(len, statement.partitions)),
            "format": "jsonv2",
            "rowType": list(statement.columns),
            "partitionInfo": [{"rowCount": len(one), "uncompressedSize": 1} for one in statement.partitions],
        }
        said = {"code": "090001", "sqlState": "00000", "message": "Statement executed successfully."}
        return httpx.Response(200, json={**base, **said, "resultSetMetaData": meta, "data": data})

    def _cancel(self, statement: Submitted) -> httpx.Response:
        if statement.state != "running":
            said = {"code": "000709", "sqlState": "02000", "message": "Statement not found or already finished."}
            return httpx.Response(422, json={"statementHandle": statement.handle, **said})
        statement.state = "cancelled"
        return httpx.Response(200, json={"code": "000709", "message": "cancelled", "statementHandle": statement.handle})


class _Handler(BaseHTTPRequestHandler):
    """HTTP for `SqlApiServer`, one request at a time."""

    api: SqlApiServer
    protocol_version = "HTTP/1.1"
    _turn = threading.Lock()

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = httpx.Request(self.command, f"http://here{self.path}", headers=dict(self.headers), content=body)
        with self._turn:
            answer = self.api.answer(request)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)


_FIELDS = {"statement", "timeout", "database", "schema", "warehouse", "role", "bindings", "parameters"}
"""Source: "Body of the POST request to /api/v2/statements/"."""

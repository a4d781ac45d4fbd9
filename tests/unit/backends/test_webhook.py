"""Webhooks against a real server on this machine: what is sent, what answers mean, and where they may go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgpack
import pytest

from alula import kwtypes
from alula.backends.webhook import Webhook, WebhookSettings
from alula.errors import Rejected, RemoteError, Throttled
from alula.idl import Literal, literals
from alula.tasks.webhook import WebhookTask
from tests.unit.backends.lending import lent, template_of

HERE = WebhookSettings(allow=("127.0.0.1", "localhost"))
SECRET = {"ALULA_SECRET_SLACK_TOKEN": "t0p-s3cret"}


@dataclass
class Server:
    """Remembers what it was asked, and answers as it is told."""

    port: int = 0
    status: int = 200
    answer: bytes = b"fine"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    stall: threading.Event = field(default_factory=threading.Event)
    slow: bool = False

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.command, self.path, dict(self.headers), body))
            if made.slow:
                made.stall.wait(10)
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(made.answer)))
            self.end_headers()
            self.wfile.write(made.answer)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *args: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = http.server_port
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield made
    made.stall.set()
    http.shutdown()
    http.server_close()


async def call(
    task: WebhookTask,
    inputs: Mapping[str, Literal] | None = None,
    settings: WebhookSettings = HERE,
) -> dict[str, Any]:
    plugin = Webhook(settings)
    await plugin.open()
    try:
        info = await plugin.do(lent(template_of(task), inputs, secrets=SECRET))
    finally:
        await plugin.close()
    assert info.outputs is not None
    found: dict[str, Any] = msgpack.unpackb(info.outputs.literals["info"].scalar.binary.value)
    return found


async def test_what_is_sent_is_filled_in_and_what_comes_back_is_the_output(server: Server) -> None:
    task = WebhookTask(
        name="notify",
        url=server.url("/items/{inputs.item}"),
        headers={"Authorization": "Bearer {secrets.slack.token}"},
        data={"text": "{inputs.item} of {{.inputs.n}}", "count": "{inputs.n}", "deep": ["{inputs.n}"]},
        dynamic_inputs=kwtypes(item=str, n=int),
        show_data=True,
        show_url=True,
    )
    info = await call(task, {"item": literals.string("../a b?x"), "n": literals.integer(3)})
    [(method, path, headers, body)] = server.asked
    assert (method, path) == ("POST", "/items/..%2Fa%20b%3Fx")
    assert json.loads(body) == {"text": "../a b?x of 3", "count": 3, "deep": [3]}
    assert headers["Authorization"] == "Bearer t0p-s3cret"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == lent(template_of(task)).name
    assert (info["status_code"], info["response_data"]) == (200, "fine")
    assert "t0p-s3cret" not in str(info)


async def test_the_data_of_a_get_is_its_query(server: Server) -> None:
    task = WebhookTask(name="ask", url=server.url(), method="GET", data={"q": "{inputs.q}"}, inputs=kwtypes(q=str))
    await call(task, {"q": literals.string("a&b")})
    [(method, path, headers, body)] = server.asked
    assert (method, path, body) == ("GET", "/hook?q=a%26b", b"")
    assert "Idempotency-Key" not in headers


async def test_a_url_may_be_a_secret_and_is_never_told(server: Server) -> None:
    server.status = 404
    task = WebhookTask(name="slack", url=server.url("/T000/{secrets.slack.token}"), show_url=True)
    with pytest.raises(Rejected) as caught:
        await call(task)
    assert server.asked[0][1] == "/T000/t0p-s3cret"
    assert "t0p-s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "headers", "raised", "said"),
    [
        (400, {}, Rejected, "answered 400: fine"),
        (401, {}, Rejected, "answered 401"),
        (302, {"Location": "http://elsewhere/"}, Rejected, "answered 302"),
        (429, {"Retry-After": "7"}, Throttled, "answered 429"),
        (503, {"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}, Throttled, "answered 503"),
        (500, {}, RemoteError, "answered 500"),
        (408, {}, RemoteError, "answered 408"),
    ],
)
async def test_a_status_decides_who_pays(
    server: Server, status: int, headers: dict[str, str], raised: type[Exception], said: str
) -> None:
    server.status, server.headers = status, headers
    with pytest.raises(raised, match=said) as caught:
        await call(WebhookTask(name="hook", url=server.url()))
    assert type(caught.value) is raised
    if status in (429, 503):
        assert isinstance(caught.value, Throttled)
        assert caught.value.retry_after == (7 if status == 429 else 0)


async def test_other_statuses_can_be_a_success(server: Server) -> None:
    server.status = 409
    task = WebhookTask(name="hook", url=server.url(), expected_status=[200, 409])
    assert (await call(task))["status_code"] == 409


async def test_a_server_that_is_away_or_slow_is_not_the_users_fault(server: Server) -> None:
    server.slow = True
    with pytest.raises(RemoteError, match=r"did not answer in 0.2 s"):
        await call(WebhookTask(name="hook", url=server.url(), request_timeout=0.2))
    with pytest.raises(RemoteError, match="cannot be reached"):
        await call(WebhookTask(name="hook", url="http://127.0.0.1:1/"))


async def test_an_answer_that_is_too_large_is_not_taken(server: Server) -> None:
    server.answer = b"x" * 2000
    with pytest.raises(Rejected, match="more than 1000 bytes"):
        await call(WebhookTask(name="hook", url=server.url()), None, WebhookSettings(private=True, response_bytes=1000))


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("http://127.0.0.1:{port}/", WebhookSettings()),
        ("http://localhost:{port}/", WebhookSettings()),
        ("http://[::1]:{port}/", WebhookSettings()),
        ("http://[::ffff:127.0.0.1]:{port}/", WebhookSettings()),
        ("http://2130706433:{port}/", WebhookSettings()),
        ("http://169.254.169.254/latest/meta-data", WebhookSettings()),
        ("http://127.0.0.1:{port}/", WebhookSettings(allow=("*.example.org",))),
        ("http://127.0.0.1:{port}/", WebhookSettings(private=True, deny=("127.*",))),
        ("http://localhost.:{port}/", WebhookSettings(private=True, deny=("localhost",))),
        ("file:///etc/passwd", WebhookSettings(private=True)),
        ("gopher://127.0.0.1/", WebhookSettings(private=True)),
    ],
)
async def test_hosts_that_the_operator_does_not_allow_are_never_called(
    server: Server, url: str, settings: WebhookSettings
) -> None:
    with pytest.raises(Rejected):
        await call(WebhookTask(name="hook", url=url.replace("{port}", str(server.port))), None, settings)
    assert server.asked == []


async def test_an_input_leads_to_no_other_host(server: Server) -> None:
    task = WebhookTask(name="hook", url=server.url("/{inputs.x}"), inputs=kwtypes(x=str))
    await call(task, {"x": literals.string("@evil.example/")})
    assert server.asked[0][2]["Host"] == f"127.0.0.1:{server.port}"


async def test_a_header_takes_no_line_breaks(server: Server) -> None:
    task = WebhookTask(name="hook", url=server.url(), headers={"X-Who": "{inputs.x}"}, inputs=kwtypes(x=str))
    with pytest.raises(Rejected, match="line break"):
        await call(task, {"x": literals.string("a\r\nX-Admin: 1")})
    assert server.asked == []

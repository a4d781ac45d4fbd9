"""Who is told of the end of an execution, and that somebody who cannot be reached is told later."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from alula.admin.desk import Desk
from alula.admin.notices import told
from alula.data.stores import Objects
from alula.idl import WorkflowExecution as Phases
from alula.idl.service import ExecutionSpec, LaunchPlanSpec, Notification
from alula.sections import NotificationsConfig
from alula.services.launching import Launchables
from alula.services.notices import Notices, allowed
from alula.store.memory import MemoryStore
from tests.servers.mail import mail_server
from tests.unit.admin.office import integers
from tests.unit.services.control import CALL, plain, plan_id, request
from tests.unit.services.planned import Planned

FAILED = [Phases.FAILED, Phases.TIMED_OUT]


def mail(*recipients: str, phases: list[Any] = FAILED) -> Notification:
    made = Notification(phases=phases)
    made.email.recipients_email.extend(recipients)
    return made


async def ended(one: Planned, phase: str, *told: Notification, failures: tuple[str, ...] = ()) -> None:
    """An execution of a plain workflow that tells some people, and has ended."""
    await one.control.registered(plain)
    asked = request(plan_id(plain.name), name="ex", inputs=integers(x=1))
    asked.spec.notifications.notifications.extend(told)
    made = await Launchables(one.desk, failures=failures).launch(asked, CALL)
    await one.end(made.record, phase)


async def test_mails_go_to_those_who_want_to_hear_of_this_end() -> None:
    one = await Planned.made()
    succeeded = mail("carl@example.com", phases=[Phases.SUCCEEDED])
    await ended(one, "failed", mail("ann@example.com", "bob@example.com"), succeeded, failures=("ops@example.com",))
    async with mail_server() as server:
        notices = Notices(one.desk, NotificationsConfig(smtp=server.address, sender="alula@example.com"))
        assert await notices.round() == 4
        assert await notices.round() == 0
    assert sorted(one["To"] for one in server.mails) == ["ann@example.com", "bob@example.com", "ops@example.com"]
    first = server.mails[0]
    assert first["Subject"] == "FAILED: execution ex in p/d"
    assert first["From"] == "alula@example.com"
    assert b"FAILED." in first.get_payload(decode=True)
    assert len({one["Message-ID"] for one in server.mails}) == 3


async def test_who_cannot_be_reached_is_told_later_and_nobody_waits_for_him() -> None:
    one = await Planned.made()
    await ended(one, "failed", mail("away@example.com", "here@example.com", "nobody@example.com"))
    async with mail_server() as server:
        server.refuse = {"away@example.com": "450 later", "nobody@example.com": "550 no such user"}
        notices = Notices(one.desk, NotificationsConfig(smtp=server.address))
        await notices.round()
        assert [one["To"] for one in server.mails] == ["here@example.com"]
        server.refuse.clear()
        assert await notices.round() == 0
        one.clock.go(seconds=6)
        assert await notices.round() == 1
        assert [one["To"] for one in server.mails] == ["here@example.com", "away@example.com"]


@pytest.mark.parametrize("nobody", ["", " ", "ann@example.com\nBcc: all@example.com", "(ann)", "<", "http://["])
async def test_a_recipient_that_is_none_keeps_nobody_else_from_being_told(nobody: str) -> None:
    one = await Planned.made()
    await ended(one, "failed", mail(nobody, "here@example.com"))
    async with mail_server() as server:
        notices = Notices(one.desk, NotificationsConfig(smtp=server.address))
        assert await notices.round() == 2
        one.clock.go(seconds=120)
        assert await notices.round() == 0
    assert [one["To"] for one in server.mails] == ["here@example.com"]


async def test_without_a_mail_server_nobody_is_told_and_it_ends_there() -> None:
    one = await Planned.made()
    await ended(one, "failed", mail("ann@example.com"))
    notices = Notices(one.desk, NotificationsConfig())
    assert [await notices.round(), await notices.round()] == [1, 0]


@dataclass(slots=True)
class Hooked:
    url: str = ""
    status: int = 204
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    signed: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        pairs = (line.split(": ", 1) for line in head.splitlines()[1:] if line)
        fields = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(fields["content-length"]))
        self.signed.append((fields, body))
        self.heard.append((fields["idempotency-key"], json.loads(body)))
        writer.write(f"HTTP/1.1 {self.status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def hooked() -> AsyncIterator[Hooked]:
    made = Hooked()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    try:
        yield made
    finally:
        server.close()


async def test_webhooks_are_told_again_with_the_same_key_until_they_take_it() -> None:
    one = await Planned.made()
    async with hooked() as hook:
        await ended(one, "failed", mail(f"{hook.url}/team"))
        notices = Notices(one.desk, NotificationsConfig(webhooks=(hook.url,)))
        hook.status = 503
        await notices.round()
        hook.status = 204
        one.clock.go(seconds=10)
        await notices.round()
        one.clock.go(hours=2)
        assert await notices.round() == 0
    (first, said), (second, again) = hook.heard
    assert first == second
    assert said == again
    assert said["execution"] == {"project": "p", "domain": "d", "name": "ex"}
    assert (said["phase"], said["text"]) == ("FAILED", "FAILED: execution ex in p/d")


async def test_a_webhook_is_signed_anew_each_time_it_is_sent() -> None:
    one = await Planned.made()
    async with hooked() as hook:
        await ended(one, "failed", mail(f"{hook.url}/team"))
        hook.status = 503
        secret = "whsec_" + base64.b64encode(b"a secret of ours").decode()
        notices = Notices(one.desk, NotificationsConfig(webhooks=(hook.url,), webhook_secret=secret))
        await notices.round()
        one.clock.go(minutes=1)
        await notices.round()
    for fields, body in hook.signed:
        text = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(b"a secret of ours", text, "sha256")).decode()
        assert fields["webhook-signature"] == f"v1,{expected}"
    first, second = (fields for fields, _ in hook.signed)
    assert first["webhook-id"] == second["webhook-id"] == first["idempotency-key"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60


def test_a_secret_that_cannot_be_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="no base64 follows"):
        Notices(Desk(MemoryStore(), Objects(), "memory://d"), NotificationsConfig(webhook_secret="whsec_?"))


async def test_a_url_that_is_not_allowed_is_never_asked() -> None:
    one = await Planned.made()
    async with hooked() as hook:
        await ended(one, "failed", mail(f"{hook.url}/x"))
        assert await Notices(one.desk, NotificationsConfig(webhooks=("https://example.com",))).round() == 1
    assert hook.heard == []


async def test_it_is_given_up_after_a_day() -> None:
    one = await Planned.made()
    await ended(one, "failed", mail("ann@example.com"))
    notices = Notices(one.desk, NotificationsConfig(smtp="127.0.0.1:1"))
    rounds = 0
    while await notices.round():
        rounds += 1
        one.clock.go(hours=1)
    assert 20 < rounds < 40


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://hooks.example.com/a", True),
        ("https://hooks.example.com/a/b", True),
        ("https://hooks.example.com/ab", False),
        ("https://hooks.example.com/a/../secret", False),
        ("https://hooks.example.com:444/a/b", False),
        ("http://hooks.example.com/a/b", False),
        ("https://hooks.example.com.evil.org/a/b", False),
        ("https://hooks.example.com@evil.org/a/b", False),
    ],
)
def test_a_url_must_lie_below_one_that_is_allowed(url: str, fits: bool) -> None:
    assert allowed(url, "https://hooks.example.com/a") is fits


def test_what_a_request_says_of_notifications_replaces_the_launch_plan() -> None:
    plan, spec = LaunchPlanSpec(), ExecutionSpec()
    plan.entity_metadata.notifications.append(mail("plan@example.com"))
    assert list(told(spec, plan).notifications) == [mail("plan@example.com")]
    spec.notifications.notifications.append(mail("asked@example.com"))
    assert list(told(spec, plan).notifications) == [mail("asked@example.com")]
    spec.disable_all = True
    assert list(told(spec, plan).notifications) == []

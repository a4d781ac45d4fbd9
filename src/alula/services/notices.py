"""Tells people of the ends of executions, by mail and by webhooks: at least once, and never in the way of the engine.

Rows of who is to be told are written with an execution. A round takes those whose execution has ended, for a minute, so
that no other replica tells them meanwhile; who was told has no row any more, and who could not be told is tried again.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import smtplib
import ssl
from collections.abc import Collection
from datetime import timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from alula._kits import lazy
from alula._kits.aio import gather, to_thread
from alula.admin.desk import Desk
from alula.admin.notices import hook_body, mail_of
from alula.errors import StoreError
from alula.idl import WorkflowExecution as Phases
from alula.idl.service import Notification
from alula.sections import NotificationsConfig
from alula.services.shown import phase_of
from alula.store.plan_records import NoticeRecord
from alula.store.records import ExecutionRecord

if TYPE_CHECKING:
    import httpx
else:
    httpx = lazy.module("httpx")

log = logging.getLogger(__name__)

_LEASE = timedelta(minutes=1)
_DEADLINE = 20.0
"""Seconds for telling one; less than the lease."""
_AT_A_TIME = 8
_MANY = 100
_REFRESH, _PAUSE = 5.0, 0.5
"""Seconds after which it is looked again without news, and at the earliest: a busy server has news all the time."""
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


class Undelivered(Exception):
    """Somebody was not told; whether it makes sense to try again."""

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


class Notices:
    """Tells who is to be told."""

    def __init__(self, desk: Desk, config: NotificationsConfig) -> None:
        self._desk, self._config = desk, config
        self._smtp = _address(config.smtp) if config.smtp else None
        self._secret = _secret(config.webhook_secret)
        self._news = asyncio.Event()
        self._tag = ""

    async def run(self) -> None:
        """Tell people, until it is cancelled. Never raises on its own account."""
        with self._desk.store.watch(self._hear):
            while True:
                self._news.clear()
                try:
                    while await self.round() == _MANY:
                        pass
                except StoreError as exc:
                    log.warning("notices.store", extra={"why": str(exc)})
                except Exception:  # the last line of defence
                    log.exception("notices.failed")
                try:
                    async with asyncio.timeout(_REFRESH):
                        await self._news.wait()
                except TimeoutError:
                    continue
                await asyncio.sleep(_PAUSE)

    async def round(self) -> int:
        """Tell those who are to be told now; gives how many that were."""
        taken = await self._desk.store.take_notices(limit=_MANY, lease=_LEASE)
        if taken and not self._tag:
            self._tag = await self._desk.store.tag()
        await gather(self._deal_with, taken, limit=_AT_A_TIME)
        return len(taken)

    def _hear(self, executions: Collection[int]) -> None:
        self._news.set()

    async def _deal_with(self, taken: tuple[NoticeRecord, ExecutionRecord]) -> None:
        notice, record = taken
        said = Notification.FromString(notice.body)
        phase = phase_of(record)
        recipient = said.email.recipients_email[0]
        where = {"execution": record.key.name, "recipient": recipient}
        if phase in said.phases:
            try:
                async with asyncio.timeout(_DEADLINE):
                    await self._tell(recipient, record, Phases.Phase.Name(phase), f"{self._tag}-{notice.id}")
            except Exception as exc:  # the last line of defence: who cannot be told keeps nobody else from it
                if not isinstance(exc, Undelivered | TimeoutError):
                    log.exception("notice.failed", extra=where)
                why = str(exc) or f"no answer within {_DEADLINE:.0f} s"
                age = self._desk.clock.now() - (record.ended_at or record.created_at)
                if (not isinstance(exc, Undelivered) or exc.again) and age < self._config.give_up:
                    wait = min(_FIRST_WAIT * 2 ** min(notice.tries, 10), _LONGEST_WAIT)
                    log.warning("notice.put_off", extra={**where, "why": why})
                    await self._desk.store.put_off_notice(notice.id, wait=wait, error=why)
                    return
                log.error("notice.given_up", extra={**where, "why": why})
        await self._desk.store.drop_notice(notice.id)

    async def _tell(self, recipient: str, record: ExecutionRecord, phase: str, id: str) -> None:
        """Raises Undelivered."""
        if recipient.startswith(("http://", "https://")):
            await self._post(recipient, hook_body(record, phase, id), id)
        elif self._smtp is None:
            raise Undelivered("no mail server is set: [notifications] smtp", again=False)
        else:
            try:
                made = mail_of(record, phase, id, sender=self._config.sender, recipient=recipient)
            except Exception as exc:  # the library has no class of its own for an address that it cannot read
                raise Undelivered(f"{recipient!r} is no address for mails", again=False) from exc
            try:
                await to_thread(_send, self._smtp, self._config, made)
            except smtplib.SMTPRecipientsRefused as exc:
                if not exc.recipients:
                    raise Undelivered(f"there is no address for mails in {recipient!r}", again=False) from exc
                code = next(iter(exc.recipients.values()))[0]
                raise Undelivered(f"the mail server refuses {recipient}: {code}", again=code < 500) from exc
            except (OSError, smtplib.SMTPException) as exc:
                raise Undelivered(f"the mail server did not take it: {exc}", again=True) from exc

    async def _post(self, url: str, body: bytes, id: str) -> None:
        """Raises Undelivered."""
        if not any(allowed(url, prefix) for prefix in self._config.webhooks):
            raise Undelivered(f"{_place(url)} is none of [notifications] webhooks", again=False)
        try:
            async with httpx.AsyncClient(timeout=_DEADLINE, follow_redirects=False) as client:
                signed = signature(self._secret, id, int(self._desk.clock.now().timestamp()), body)
                headers = {"Content-Type": "application/json", "Idempotency-Key": id, **signed}
                answer = await client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Undelivered(f"{_place(url)} cannot be reached: {type(exc).__name__} {exc}", again=True) from exc
        if not answer.is_success:
            lasting = 400 <= answer.status_code < 500 and answer.status_code not in (408, 425, 429)
            raise Undelivered(f"{_place(url)} answers {answer.status_code}", again=not lasting)


def signature(secret: bytes, id: str, at: int, body: bytes) -> dict[str, str]:
    """Headers by which a webhook is known to come from here, and to be no old one sent again.

    Args:
        secret: Empty: it is not signed.
        at: Seconds since 1970.

    Source: Standard Webhooks 1.0, "Webhook Headers" and "Signature scheme".
    """
    if not secret:
        return {}
    made = hmac.digest(secret, f"{id}.{at}.".encode() + body, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }


def allowed(url: str, prefix: str) -> bool:
    """Whether a URL lies below another one: the same scheme, host and port, and its path."""
    try:
        one, other = urlsplit(url), urlsplit(prefix)
        if (one.scheme, one.hostname, one.port) != (other.scheme, other.hostname, other.port) or one.username:
            return False
    except ValueError:
        return False
    base = other.path.rstrip("/")
    return (one.path == base or one.path.startswith(base + "/")) and "/.." not in one.path


def _send(where: tuple[str, int], config: NotificationsConfig, made: EmailMessage) -> None:
    """Blocks. Raises OSError, and SMTPException."""
    with smtplib.SMTP(*where, timeout=_DEADLINE / 2) as server:
        if config.smtp_tls:
            server.starttls(context=ssl.create_default_context())
        if config.smtp_user:
            server.login(config.smtp_user, config.smtp_password)
        server.send_message(made)


def _place(url: str) -> str:
    """Where a URL points, without its path, which may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.scheme}://{parts.hostname}"


def _address(text: str) -> tuple[str, int]:
    """Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"{text!r} is no address of a mail server; write HOST:PORT")
    return host.strip("[]"), int(port)


def _secret(text: str) -> bytes:
    """Raises ValueError."""
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("webhook_secret begins with whsec_, and no base64 follows") from None

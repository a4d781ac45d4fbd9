"""Sections of the settings that say what a control plane does by itself. `config` reads them, and says how."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class CatchUp(StrEnum):
    """What becomes of starts of a schedule that were missed."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


class Overlap(StrEnum):
    """What becomes of a start of a schedule while an earlier one still runs."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class SchedulesConfig:
    """`[schedules]`: for launch plans that do not say it themselves."""

    timezone: str = "UTC"
    """Of times of the calendar that name none, as `Europe/Berlin`."""
    catchup: CatchUp = CatchUp.ALL
    """Of starts that were missed while no server ran, `all` are made up for, the `latest`, or `none`."""
    catchup_limit: int = 100
    """So many of them at most, the newest."""
    overlap: Overlap = Overlap.ALLOW
    """While an earlier start still runs, one is made all the same (`allow`), left out (`skip`), made when that has
    ended (`queue`), or stops that (`replace`)."""
    grace: timedelta = timedelta(minutes=1)
    """A start that is late by less was not missed."""


@dataclass(frozen=True, slots=True)
class NotificationsConfig:
    """`[notifications]`: how people are told of the ends of executions."""

    smtp: str = ""
    """`HOST:PORT` of a mail server; empty: no mail is sent."""
    smtp_user: str = ""
    """Who signs in there; empty: nobody does."""
    smtp_password: str = field(default="", repr=False)
    """With what."""
    smtp_tls: bool = False
    """Speak TLS from STARTTLS on."""
    sender: str = "alula@localhost"
    """Who mails are from."""
    webhooks: tuple[str, ...] = ()
    """What URLs begin with that may be told, where one stands instead of an address of mail; none: no URL may."""
    webhook_secret: str = field(default="", repr=False)
    """What webhooks are signed with, as it is or as `whsec_` and base64; empty: they are not signed."""
    failures: tuple[str, ...] = ()
    """Addresses or URLs that are told of every execution that fails and is no part of another one."""
    give_up: timedelta = timedelta(days=1)
    """For so long it is tried again to tell somebody."""


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """`[retention]`: what a server removes by itself, as `alula gc` does. What is open or in use stays."""

    executions: timedelta | None = None
    """Executions that ended longer ago go; none: age does not count."""
    keep: int = 0
    """Of those that ended, only so many stay, the newest; 0: all."""
    cache: timedelta | None = None
    """Cached results that were not used for so long go; none: age does not count."""
    uploads: timedelta | None = None
    """What clients have uploaded longer ago goes where nothing refers to it; an hour at least; none: it stays."""
    every: timedelta = timedelta(hours=1)
    """How often it is looked, whoever of several servers does it."""


class Beyond(StrEnum):
    """What becomes of a task that asks for more than it may have."""

    CLAMP = "clamp"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class ResourcesConfig:
    """`[resources]`: of tasks that run in containers, where attributes of their project say nothing."""

    defaults: str = ""
    """Requests of tasks that say nothing: `cpu=500m, memory=1Gi`, and `gpu`, `ephemeral_storage`."""
    limits: str = ""
    """What a task may have at most, likewise; what is not there has no limit."""
    beyond: Beyond = Beyond.CLAMP
    """A task that asks for more gets the most (`clamp`), and its execution says so; or is refused (`reject`)."""

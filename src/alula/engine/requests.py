"""What is asked of one execution through the store, as it comes out of its durable inbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from alula.engine.effects import Effects
from alula.engine.events import AbortRequested, Continue, SignalSet
from alula.engine.inbox import Inbox
from alula.engine.means import Means
from alula.store.records import Command

log = logging.getLogger(__name__)

_PAUSE = 10.0


class Requests:
    """Makes events of commands. Each stays in the store until a commit carries it out.

    Args:
        execution: Its id.
        effects: Those of the execution; None until it was loaded.
    """

    def __init__(self, means: Means, execution: int, inbox: Inbox, effects: Callable[[], Effects | None]) -> None:
        self._means, self._id, self._inbox, self._effects = means, execution, inbox, effects
        self._seen: set[int] = set()
        """Commands that are, or were, in the inbox."""

    def take(self, command: Command) -> None:
        if command.id in self._seen:
            return
        self._seen.add(command.id)
        match command.kind:
            case "abort":
                self._inbox.put(AbortRequested(command.body.decode(errors="replace")), command.id)
            case "signal":
                self._inbox.put(SignalSet(command.path, command.body), command.id)
            case "child_ended":
                self._means.spawn(self._child_ended(command))
            case "granted" | "wake":
                self._for_attempt(command)
                self._inbox.put(Continue(), command.id)
            case _:
                log.warning("session.unknown_command", extra={"execution": self._id, "kind": command.kind})
                self._inbox.put(Continue(), command.id)

    def _for_attempt(self, command: Command) -> None:
        """Word for an attempt. One that is not with its runner yet asks by itself when it is."""
        effects, key = self._effects(), (command.path, command.attempt)
        if effects is None:
            return
        if command.kind == "wake":
            effects.attempts.wake(key)
        else:
            effects.attempts.granted(key, command.body.decode(errors="replace"))

    async def _child_ended(self, command: Command) -> None:
        effects = self._effects()
        if effects is None:
            self._seen.discard(command.id)
            return
        try:
            await effects.children.ended(command.path, command.attempt)
        except Exception:
            log.exception("session.child_unread", extra={"execution": self._id, "path": command.path})
            await asyncio.sleep(_PAUSE)
            self._seen.discard(command.id)
            self.take(command)
            return
        self._inbox.put(Continue(), command.id)  # after the outcome, and so in its commit or in a later one

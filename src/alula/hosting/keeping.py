"""What the log of a job says, kept beside the outputs of its attempt: the job itself is deleted soon."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from alula.data.layout import Attempt
from alula.errors import DataError, Rejected, Throttled
from alula.hosting.calls import CallFailed, Calls, Garbage, NotYet, short
from alula.plugin.context import TaskContext
from alula.plugin.webapi import LogPage, WebApiPlugin

log = logging.getLogger(__name__)

_MOST_BYTES = 16 << 20
_MOST_SECONDS = 60.0
_GONE_ON = "\n... the log goes on, and the rest is not kept here\n"


def gives_logs(plugin: WebApiPlugin[Any, Any]) -> bool:
    """Whether there is a log that nobody else keeps."""
    return type(plugin).logs is not WebApiPlugin.logs and not plugin.keeps_log


async def keep_log(plugin: WebApiPlugin[Any, Any], task: TaskContext, key: Any, calls: Calls, seconds: float) -> None:
    """Write the pages of a job's log to the log of its attempt, unless there is one. A log is worth no failure.

    Args:
        seconds: For one page.
    """
    uri = Attempt(task.output_prefix).log
    try:
        if await task.objects.exists(uri):
            return
        text = await _read(plugin, task, key, calls, seconds)
        if text:
            await task.objects.write(uri, text.encode(errors="replace"))
    except (CallFailed, Garbage, Rejected, Throttled, NotYet, DataError) as exc:
        log.info("job.log_not_kept", extra={"plugin": plugin.info.name, "attempt": task.name, "error": str(exc)})


async def _read(plugin: WebApiPlugin[Any, Any], task: TaskContext, key: Any, calls: Calls, seconds: float) -> str:
    found: list[str] = []
    token, left = "", _MOST_BYTES
    end = calls.clock.monotonic() + _MOST_SECONDS
    while True:
        asked = token
        page = await calls.make("logs", partial(plugin.logs, task, key, asked), timeout=seconds)
        if not isinstance(page, LogPage):
            raise Garbage(f"{plugin.info.name}.logs gave {short(page)}, not a LogPage")
        token = page.token
        for line in page.lines:
            text = line if line.endswith("\n") else f"{line}\n"
            left -= len(text)
            if left < 0:
                return "".join([*found, _GONE_ON])
            found.append(text)
        if not token or token == asked:
            return "".join(found)
        if calls.clock.monotonic() > end:
            return "".join([*found, _GONE_ON])

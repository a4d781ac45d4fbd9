"""Requests to services that give out credentials. The border at which their refusals become our errors."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula.data.settings import StoreSettings
from alula.errors import DataError

if TYPE_CHECKING:
    from http import client
    from urllib import error, request
else:
    client, error, request = (lazy.module(name) for name in ("http.client", "urllib.error", "urllib.request"))

_MOST_BYTES = 1024 * 1024
_FIRST_PAUSE_SECONDS = 0.1


def posted(url: str, body: bytes, headers: Mapping[str, str], settings: StoreSettings, *, fix: str) -> bytes:
    """What a service answers. Blocks; asks again as often as the settings say where the fault is none of ours.

    Raises:
        DataError: It refuses, with its own words and never with what was sent; or it does not answer.
    """
    tries = settings.retries + 1
    for number in range(tries):
        last = number == tries - 1
        try:
            with request.urlopen(
                request.Request(url, data=body, headers=dict(headers), method="POST"), timeout=settings.timeout_seconds
            ) as answer:
                found: bytes = answer.read(_MOST_BYTES)
                return found
        except error.HTTPError as exc:
            with exc:
                said = _said(exc.read(_MOST_BYTES))
            if last or not _passing(exc.code):
                raise DataError(
                    f"no credentials for a task: {url} answered HTTP {exc.code}{said}", where=url, fix=fix
                ) from None  # the exception holds what was sent
        except (OSError, client.HTTPException, ValueError) as exc:
            if last:
                raise DataError(
                    f"no credentials for a task: {url} does not answer ({exc})", where=url, fix=fix
                ) from exc
        time.sleep(_FIRST_PAUSE_SECONDS * 2**number)
    raise AssertionError("the last try has returned or raised")


def _passing(status: int) -> bool:
    return status == client.TOO_MANY_REQUESTS or status >= client.INTERNAL_SERVER_ERROR


def _said(body: bytes) -> str:
    """Code and message of an answer in XML or JSON; whatever else it may hold stays out."""
    text = body.decode("utf-8", "replace")
    words = [html.unescape(found[1]) for tag in ("Code", "Message") if (found := re.search(rf"<{tag}>([^<]*)<", text))]
    if not words:
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        if isinstance(document, dict):
            words = [str(document[key]) for key in ("error", "error_description") if key in document]
    told = " ".join(": ".join(words).split())
    return f": {told[:300]}" if told else ""

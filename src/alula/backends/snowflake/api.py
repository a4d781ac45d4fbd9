"""The SQL API of Snowflake over HTTP: submit, status, partitions, cancel.

Source: https://docs.snowflake.com/en/developer-guide/sql-api/reference
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from alula.backends.snowflake.auth import Auth
from alula.data.sql.driver import absent
from alula.errors import Rejected, RemoteError, RemoteNotFound, Throttled

if TYPE_CHECKING:
    import httpx

_PATH = "/api/v2/statements"
_BUSY = frozenset({429, 503})
RUNNING, DONE, FAILED, OVERDUE = 202, 200, 422, 408


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API says of a statement."""

    status: int
    """`RUNNING`, `DONE`, `FAILED` or `OVERDUE`, as HTTP has it."""
    handle: str
    code: str = ""
    message: str = ""
    state: str = ""
    """SQLSTATE."""
    rows: int = 0
    columns: tuple[Mapping[str, Any], ...] = ()
    """`rowType` of a statement that has succeeded."""
    partitions: int = 0


def request_id(name: str) -> str:
    """The id under which a statement is submitted, as often as that takes: Snowflake runs it once."""
    return str(uuid5(NAMESPACE_URL, f"alula:{name}"))


def library() -> Any:
    try:
        import httpx
    except ImportError as exc:
        raise absent("httpx", "Snowflake", "snowflake") from exc
    return httpx


class SqlApi:
    """One account, as one user."""

    def __init__(self, client: httpx.AsyncClient, base: str, auth: Auth) -> None:
        self._client, self._base, self._auth = client, base.rstrip("/"), auth

    async def submit(self, body: Mapping[str, Any], name: str) -> Answer:
        """Start a statement. Under a name that it was started with before, nothing more is started.

        Each request says `retry`, the first one too: it may be the one that arrives last.
        """
        query = {"requestId": request_id(name), "async": "true", "retry": "true"}
        return _answer(await self._send("POST", _PATH, params=query, json=body))

    async def ask(self, body: Mapping[str, Any]) -> tuple[Answer, list[list[str | None]]]:
        """Run a short statement, and wait for its rows."""
        response = await self._send("POST", _PATH, json=body)
        answer = _answer(response)
        if answer.status != DONE:
            raise RemoteError(f"Snowflake did not answer at once: {answer.message}", where=self._base)
        return answer, list(response.json().get("data") or [])

    async def status(self, handle: str) -> Answer:
        """Raises RemoteNotFound for a handle that is not known (any more)."""
        return _answer(await self._send("GET", f"{_PATH}/{handle}"))

    async def partition(self, handle: str, number: int) -> list[list[str | None]]:
        """Some of the rows of a statement that has succeeded."""
        response = await self._send("GET", f"{_PATH}/{handle}", params={"partition": str(number)})
        if response.status_code != DONE:
            raise RemoteError(f"partition {number} of statement {handle} is not there: {response.text[:200]}")
        return list(response.json().get("data") or [])

    async def cancel(self, handle: str) -> None:
        """Stop a statement; one that is over, or not known, is fine."""
        try:
            await self._send("POST", f"{_PATH}/{handle}/cancel")
        except RemoteNotFound:
            return

    async def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        httpx = library()
        url = self._base + path
        try:
            response = await self._client.request(method, url, headers=self._auth.headers(), **given)
            if response.status_code == 401:  # it may have expired on the way
                self._auth.expire()
                response = await self._client.request(method, url, headers=self._auth.headers(), **given)
        except httpx.HTTPError as exc:
            raise RemoteError(f"Snowflake does not answer: {exc or type(exc).__name__}", where=url) from exc
        if response.status_code in (RUNNING, DONE, FAILED, OVERDUE):
            return response
        raise _problem(response, url)


def _problem(response: httpx.Response, url: str) -> RemoteError:
    status, said = response.status_code, _message(response)
    if status in _BUSY:
        return Throttled(f"Snowflake wants to be asked less often: {said}", where=url, retry_after=_after(response))
    if status == 404:
        return RemoteNotFound(f"Snowflake knows no such statement: {said}", where=url)
    if status in (401, 403):
        return Rejected(
            f"Snowflake does not let us in ({status}): {said}",
            where=url,
            fix="check account, user and role, and that the user has the public half of the key, or the token",
            code="NotAuthorized",
        )
    if 400 <= status < 500:
        return Rejected(f"Snowflake refuses the request ({status}): {said}", where=url, code="QueryFailed")
    return RemoteError(f"Snowflake has trouble ({status}): {said}", where=url)


def _answer(response: httpx.Response) -> Answer:
    try:
        body = response.json()
        meta = body.get("resultSetMetaData") or {}
        return Answer(
            response.status_code,
            body["statementHandle"],
            str(body.get("code") or ""),
            str(body.get("message") or ""),
            str(body.get("sqlState") or ""),
            int(meta.get("numRows") or 0),
            tuple(meta.get("rowType") or ()),
            len(meta.get("partitionInfo") or [None]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        if response.status_code == FAILED:
            raise Rejected(
                f"Snowflake refuses the statement: {_message(response)}", where=str(response.url), code="QueryFailed"
            ) from exc
        raise RemoteError(
            f"Snowflake's answer cannot be read: {response.text[:200]!r}", where=str(response.url)
        ) from exc


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
        return f"{body.get('message', '')} [{body.get('code', '')}]"
    except (ValueError, AttributeError):
        return response.text[:200] or response.reason_phrase


def _after(response: httpx.Response) -> float | None:
    """`Retry-After`, in seconds or as a date."""
    given = response.headers.get("Retry-After", "")
    if given.isdigit():
        return float(given)
    parsed = email.utils.parsedate_to_datetime(given) if given[:3].isalpha() and "," in given else None
    return max(0.0, (parsed - datetime.now(UTC)).total_seconds()) if parsed is not None else None

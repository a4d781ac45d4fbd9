"""`WebhookTask`: an HTTP request with typed inputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, NoReturn, Unpack

from alula.errors import SignatureError, TaskFailure
from alula.idl import TaskTemplate
from alula.sdk.docs import Documentation
from alula.sdk.instance import InstanceTask
from alula.sdk.options import TaskKeywords

_INPUT = re.compile(r"\{\{\s*\.?inputs\.(\w+)\s*\}\}|\{inputs\.(\w+)\}")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


class WebhookTask(InstanceTask):
    """Calls a URL, and gives what it answered as `info`: `status_code` and `response_data`.

    `{inputs.x}` in the URL, in headers and in data stands for an input; in the URL it is one segment or parameter,
    whatever characters it has. `{secrets.group.key}` stands for a secret, which never appears in what is recorded.
    The request carries the header `Idempotency-Key`, the same if it has to be repeated.

    Args:
        name: Full name, unique in the project.
        url: What is called.
        method: `POST`, `GET`, `PUT`, ...
        headers: Names to values.
        data: Sent as JSON; of a GET as the query.
        dynamic_inputs: Names to types of the inputs; `inputs` is the same.
        show_data: `info` repeats the data, as `input_data`.
        show_url: `info` repeats the URL, as `url`.
        description: One sentence.
        inputs: See `dynamic_inputs`.
        body: Text to be sent in place of `data`.
        expected_status: Statuses that are a success; by default those from 200 to 299.
        request_timeout: For one request; 10 seconds by default.
        keywords: Settings as of `@task`. `timeout` is for the task as a whole, with all repeated requests.

    Raises:
        SignatureError: no such method, or a placeholder for an input that is not declared.
    """

    task_type: ClassVar[str] = "webhook"
    runs_user_code: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        url: str,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        dynamic_inputs: Mapping[str, Any] | None = None,
        *,
        show_data: bool = False,
        show_url: bool = False,
        description: str = "",
        inputs: Mapping[str, Any] | None = None,
        body: str = "",
        expected_status: Iterable[int] = (),
        request_timeout: timedelta | float = 10,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        seconds = request_timeout.total_seconds() if isinstance(request_timeout, timedelta) else request_timeout
        self._request: dict[str, Any] = {
            "url": url,
            "method": str(getattr(method, "value", method)).upper(),
            "headers": dict(headers or {}),
        }
        self._request |= {"data": {} if data is None else data, "show_data": show_data, "show_url": show_url}
        self._request |= {"timeout_sec": seconds}
        if body:
            self._request["body"] = body
        if expected := list(expected_status):
            self._request["expected"] = expected
        if description:
            keywords["docs"] = Documentation(short_description=description)
        declared = {**(dynamic_inputs or {}), **(inputs or {})}
        super().__init__(name, declared, {"info": dict}, **keywords)
        self._check()

    def execute(self, **inputs: Any) -> NoReturn:
        raise TaskFailure(
            f"'{self.name}' is called by the engine, and a plain call has none",
            where=self.where,
            fix="run it with `alula run`, or stand in for it: "
            f"with alula.testing.task_mock({self.short_name}) as fake: fake.return_value = ...",
            code="NoEngine",
            origin="system",
        )

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        template.custom.update(self._request)

    def _check(self) -> None:
        faults = []
        if self._request["method"] not in _METHODS:
            faults.append(f"has the method {self._request['method']!r}, which is none of {', '.join(_METHODS)}")
        asked = {found[1] or found[2] for text in _texts(self._request) for found in _INPUT.finditer(text)}
        missing = sorted(asked - set(self.interface.inputs))
        faults += [f"asks for the input '{name}', which is not declared" for name in missing]
        if faults:
            raise SignatureError(
                f"webhook task '{self.name}' {' and '.join(faults)}",
                where=self.where,
                fix="declare each input: inputs=kwtypes(NAME=str)",
            )


def _texts(value: Any) -> Iterable[str]:
    """All texts in a structure."""
    match value:
        case str():
            yield value
        case Mapping():
            for key, item in value.items():
                yield from (*_texts(key), *_texts(item))
        case list() | tuple():
            for item in value:
                yield from _texts(item)

"""Sensors and webhooks, with everything that can go wrong."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from alula import kwtypes
from alula.backends.sensor import FileSensor, SensorSettings
from alula.backends.webhook import Webhook, WebhookSettings
from alula.tasks import sensor
from alula.tasks.webhook import WebhookTask
from alula.testing.kit import Case, Harness, Remote
from alula.testing.suites.plugins import PluginConformance
from tests.unit.backends.lending import template_of


class SensorHarness(Harness):
    """The file is there: the inputs of the attempt itself."""

    ends_by_itself = True

    def plugin(self, remote: Remote) -> FileSensor:
        return FileSensor(SensorSettings(), clock=self.clock)

    def cases(self) -> Sequence[Case]:
        return [Case(template=template_of(sensor.FileSensor(name="wait")), inputs={"path": __file__})]


class Service:
    """Remembers what it was asked, by key; and answers the same once more."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] != "Bearer "
        self.done.setdefault(request.headers["Idempotency-Key"], len(self.done))
        return httpx.Response(200, stream=httpx.ByteStream(b"done"))


class WebhookHarness(Harness):
    """A service that answers at once, called with a secret in a header."""

    def plugin(self, remote: Remote) -> Webhook:
        return Webhook(WebhookSettings(private=True), transport=httpx.MockTransport(Service().answer))

    def cases(self) -> Sequence[Case]:
        task = WebhookTask(
            name="hook",
            url="http://127.0.0.1/{inputs.x}",
            headers={"Authorization": "Bearer {secrets.hook.token}"},
            data={"x": "{inputs.x}"},
            inputs=kwtypes(x=int),
        )
        return [
            Case(template=template_of(task), inputs={"x": 3}, outputs=lambda found: set(found.literals) == {"info"})
        ]


class TestSensor(PluginConformance):
    harness = SensorHarness


class TestWebhook(PluginConformance):
    harness = WebhookHarness

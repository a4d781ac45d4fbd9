"""The plugins of Kubernetes against an API server in memory, with everything that can go wrong at every request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from alula.backends.k8s.pod import Pods
from alula.idl import Container, TaskTemplate
from alula.testing.kit import Case, Harness
from alula.testing.kit.kube import Kube
from alula.testing.suites.plugins import PluginConformance

pytestmark = pytest.mark.timeout(600)


class PodConformance(Harness):
    def remote(self) -> Kube:
        return Kube(self.clock)

    def plugin(self, remote: Any) -> Pods:
        return Pods()

    def cases(self) -> Sequence[Case]:
        container = Container(image="localhost/x:1", command=["true"])
        return [Case(template=TaskTemplate(type="container", container=container))]


class TestPods(PluginConformance):
    harness = PodConformance
    pairs = 50

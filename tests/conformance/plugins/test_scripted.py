"""Plugins of the scripted cloud, of every kind: the kit must find nothing wrong with them, and grade them rightly."""

from __future__ import annotations

import pytest

from alula.testing.kit import Grade
from alula.testing.kit.clouds import (
    BlindHarness,
    BusyHarness,
    CloudHarness,
    CoreHarness,
    KeyedHarness,
    LaggingHarness,
    SyncHarness,
)
from alula.testing.suites.plugins import PluginConformance

pytestmark = pytest.mark.timeout(600)


class TestPluginThatFindsJobsByName(PluginConformance):
    harness = CloudHarness


class TestPluginWhoseRemoteTakesAKey(PluginConformance):
    harness = KeyedHarness
    pairs = 50


class TestPluginWhoseRemoteListsJobsLate(PluginConformance):
    harness = LaggingHarness
    pairs = 50


class TestPluginWhoseRemoteThrottles(PluginConformance):
    harness = BusyHarness
    pairs = 50


class TestPluginThatFindsNothing(PluginConformance):
    """It is graded B, and the report says in which faults it leaks."""

    harness = BlindHarness
    grade = Grade.B
    pairs = 50


class TestCorePlugin(PluginConformance):
    harness = CoreHarness


class TestSyncPlugin(PluginConformance):
    harness = SyncHarness

"""Settings of the cluster and its plugins are read from `[backends.*]`, and each is in the docs."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from alula.backends.k8s.pod import PodSettings
from alula.backends.k8s.spark import SparkSettings
from alula.errors import ConfigError
from alula.hosting.k8s.settings import ClusterSettings
from alula.hosting.settings import settings
from alula.plugin.runner import AttemptId

DOCUMENT = (Path(__file__).parents[4] / "docs" / "how-to" / "kubernetes.md").read_text()


def test_a_section_is_read_as_people_write_it() -> None:
    given = {
        "grace": "5s",
        "limits": {"cpu": "4"},
        "image_pull_secrets": ["a", "b"],
        "tolerations": [{"key": "x", "operator": "Exists", "tolerationSeconds": 60}],
        "finalizer": "true",
    }
    found = settings(given, ClusterSettings, what="k8s")
    assert (found.grace, found.limits, found.image_pull_secrets) == (timedelta(seconds=5), {"cpu": "4"}, ("a", "b"))
    assert found.tolerations[0]["tolerationSeconds"] == 60
    assert found.finalizer


def test_a_token_is_not_shown() -> None:
    assert "hunter2" not in repr(ClusterSettings(token="hunter2"))


def test_namespaces_follow_their_template() -> None:
    id = AttemptId("p", "d", "e", "n0", 0)
    assert ClusterSettings().namespace_of(id) == "p-d"
    assert ClusterSettings(namespace="alula").namespace_of(id) == "alula"
    with pytest.raises(ConfigError, match="is no template of namespaces"):
        ClusterSettings(namespace="{team}").namespace_of(id)


@pytest.mark.parametrize("kind", [ClusterSettings, PodSettings, SparkSettings])
def test_every_setting_is_in_the_docs(kind: type) -> None:
    documented = set(re.findall(r"`(\w+)`", DOCUMENT))
    assert {one.name for one in fields(kind)} <= documented  # type: ignore[arg-type]

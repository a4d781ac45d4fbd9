"""What the platform passes in the environment."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace

import pytest

from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.runtime.surroundings import execution_id, first, settings
from alula.sdk.compiler import PASSED_ON, SerializationSettings
from alula.sdk.image import ImageConfig
from alula.sdk.local import place_at

PLACE = place_at("memory://raw", Objects())
LONG = {
    "FLYTE_INTERNAL_EXECUTION_PROJECT": "p",
    "FLYTE_INTERNAL_EXECUTION_DOMAIN": "d",
    "FLYTE_INTERNAL_EXECUTION_ID": "e",
    "FLYTE_INTERNAL_TASK_VERSION": "v7",
}
SHORT = {"_F_PRJ": "p", "_F_DM": "d", "_F_NM": "e", "_F_TK_V": "v7"}


@pytest.mark.parametrize("environment", [LONG, SHORT])
def test_both_spellings_name_the_execution(environment: dict[str, str]) -> None:
    found = execution_id(environment)
    assert (found.project, found.domain, found.name) == ("p", "d", "e")


@pytest.mark.parametrize("environment", [LONG, SHORT])
def test_nodes_of_a_dynamic_task_are_registered_beside_it(environment: dict[str, str]) -> None:
    found = settings(environment, PLACE)
    assert (found.project, found.domain, found.version) == ("p", "d", "v7")
    assert found.image_config is None


def test_the_ids_of_the_task_count_before_those_of_the_execution() -> None:
    found = settings({**LONG, "FLYTE_INTERNAL_TASK_PROJECT": "other"}, PLACE)
    assert (found.project, found.domain) == ("other", "d")


def test_the_image_of_the_container_is_that_of_its_nodes() -> None:
    found = settings({"FLYTE_INTERNAL_IMAGE": "registry/name:tag"}, PLACE)
    assert found.image_config is not None
    assert found.image_config.resolve(None) == "registry/name:tag"


def test_settings_that_flytekit_packed_are_read() -> None:
    image = {"name": "default", "fqn": "a/b", "tag": "c", "digest": None}
    passed = {
        "image_config": {"default_image": image, "images": [image]},
        "project": "p",
        "domain": "d",
        "version": "v",
        "env": {"A": "b"},
        "fast_serialization_settings": {"enabled": True},
    }
    text = base64.b64encode(gzip.compress(json.dumps(passed).encode())).decode()
    found = settings({"_F_SS_C": text}, PLACE)
    assert (found.project, found.domain, found.version, found.env) == ("p", "d", "v", {"A": "b"})
    assert found.image_config is not None
    assert found.image_config.resolve(None) == "a/b:c"


def test_what_our_own_dynamic_tasks_pass_on_is_read() -> None:
    passed = SerializationSettings("p", "d", "v", ImageConfig.auto("registry/name:tag"), {"A": "b"})
    assert settings({PASSED_ON: passed.packed()}, PLACE) == replace(passed, place=PLACE, builds=False)
    found = settings({PASSED_ON: SerializationSettings().packed()}, PLACE)
    assert found == SerializationSettings(place=PLACE, builds=False)


def test_where_tasks_run_and_their_code_are_passed_on() -> None:
    given = SerializationSettings(processes=True, contained={"python-task": True}, bundle=lambda: "s3://b/code.tar.gz")
    found = settings({PASSED_ON: given.packed()}, PLACE)
    assert found.bundle is not None
    assert found.bundle() == "s3://b/code.tar.gz"
    assert (found.in_container("python-task"), found.in_container("other"), found.builds) == (True, False, False)
    never = replace(given, contained={"python-task": False}, bundle=lambda: pytest.fail("nobody needs it"))
    assert settings({PASSED_ON: never.packed()}, PLACE).bundle is None


def test_settings_that_cannot_be_read_name_their_variable() -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        settings({"_F_SS_C": "abc"}, PLACE)
    assert "_F_SS_C" in caught.value.where


def test_empty_variables_count_as_absent() -> None:
    assert first({"A": "", "B": "b"}, "A", "B") == "b"
    assert first({}, "A") == ""

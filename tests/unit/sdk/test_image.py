from __future__ import annotations

import pytest

from alula.errors import CallError, ConfigError
from alula.sdk.compiler import Compilation, SerializationSettings
from alula.sdk.image import Image, ImageConfig, ImageSpec

IMAGES = ImageConfig.from_images(
    "reg:5000/me/base:v1", {"other": "reg/other:v2", "pinned": "reg/pinned@sha256:abc", "bare": "reg/bare"}
)


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("reg/a:v1", ("reg/a", "v1", None)),
        ("localhost:30000/a:v1", ("localhost:30000/a", "v1", None)),
        ("reg/a@sha256:abc", ("reg/a", None, "sha256:abc")),
        ("localhost:30000/a", ("localhost:30000/a", None, None)),
    ],
)
def test_a_full_name_has_parts(full: str, parts: tuple[str, str | None, str | None]) -> None:
    image = Image.look_up_image_info("x", full, allow_no_tag_or_digest=True)
    assert (image.fqn, image.tag, image.digest) == parts
    assert image.full == full


def test_an_image_without_version_is_refused() -> None:
    with pytest.raises(CallError, match="neither tag nor digest") as caught:
        Image.look_up_image_info("x", "localhost:30000/a")
    assert "localhost:30000/a:tag" in caught.value.fix


def test_an_image_has_a_tag_or_a_digest() -> None:
    with pytest.raises(CallError, match="got both"):
        Image("x", "a", "v1", "sha256:abc")


# What flytekit 1.16.31 makes of the same templates.
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (None, "reg:5000/me/base:v1"),
        ("", "reg:5000/me/base:v1"),
        ("plain/name:3", "plain/name:3"),
        ("{{.image.other}}", "reg/other:v2"),
        ("{{ .images.other.fqn }}:{{ .image.default.version }}", "reg/other:v1"),
        ("{{.image.other.fqn}}:tag", "reg/other:tag"),
        ("{{.image.pinned.fqn}}:{{.image.pinned.version}}", "reg/pinned@sha256:abc"),
        ("{{.image.bare.fqn}}:{{.image.bare.version}}", "reg/bare:v1"),
    ],
)
def test_templates_become_names(image: str | None, expected: str) -> None:
    assert IMAGES.resolve(image) == expected


def test_a_spec_becomes_the_name_that_is_configured_for_it() -> None:
    spec = ImageSpec(packages=["pandas"])
    images = ImageConfig(None, [Image(spec.id, "reg/built", "v1")])
    assert images.resolve(spec) == "reg/built:v1"
    assert IMAGES.resolve(ImageSpec(base_image="me/ready:1", builder="noop")) == "me/ready:1"


@pytest.mark.parametrize(
    ("image", "words"), [("{{.image.nope}}", "refers to 'nope'"), ("{{.image.other.size}}", "asks for 'size'")]
)
def test_a_template_that_refers_to_nothing_is_refused(image: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        IMAGES.resolve(image, where="task t")
    assert caught.value.where == "task t"
    assert caught.value.fix


def test_without_a_default_image_one_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="no default image"):
        ImageConfig.auto().resolve(None)
    assert ImageConfig.auto(img_name="a:1").resolve(None) == "a:1"


def test_images_are_found_by_name() -> None:
    assert IMAGES.find_image("other") == Image("other", "reg/other", "v2")
    assert IMAGES.find_image("default") == Image("default", "reg:5000/me/base", "v1")
    assert IMAGES.find_image("nope") is None


def test_for_processes_of_this_machine_images_need_not_be_known_nor_built() -> None:
    compiled = Compilation(SerializationSettings(processes=True))
    spec = ImageSpec(name="x", packages=["pandas"], registry="r.example")
    assert compiled.image("{{.image.other.fqn}}:latest") == "{{.image.other.fqn}}:latest"
    assert compiled.image(spec) == spec.image_name()
    assert compiled.image(None) == ""

"""Container images by name: which one a task runs in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alula.errors import CallError, ConfigError
from alula.sdk.image_spec import CopyFileDetection, ImageBuildEngine, ImageSpec, ImageSpecBuilder

__all__ = ["CopyFileDetection", "Image", "ImageBuildEngine", "ImageConfig", "ImageSpec", "ImageSpecBuilder"]

_TEMPLATE = re.compile(r"\{\{\s*\.images?\.([\w-]+)(?:\.([\w-]+))?\s*}}", re.IGNORECASE)


@dataclass(frozen=True)
class Image:
    """A ready image under a short name.

    Raises:
        CallError: Both a tag and a digest.
    """

    name: str
    fqn: str
    """Registry and repository, without tag."""
    tag: str | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        if self.tag is not None and self.digest is not None:
            raise CallError(
                f"an image has a tag or a digest, got both: {self.tag!r} and {self.digest!r}",
                where=f"Image(name={self.name!r})",
                fix="leave one of them out",
            )

    @property
    def full(self) -> str:
        """The name that a container runtime takes."""
        if self.digest:
            return f"{self.fqn}@{self.digest}"
        return f"{self.fqn}:{self.tag}" if self.tag else self.fqn

    @property
    def version(self) -> str | None:
        return self.digest or self.tag

    @staticmethod
    def look_up_image_info(name: str, image_identifier: str, allow_no_tag_or_digest: bool = False) -> Image:
        """The parts of an image's full name.

        Raises:
            CallError: It has neither tag nor digest.
        """
        fqn, _, digest = image_identifier.partition("@")
        tag = ""
        if not digest and ":" in fqn.rpartition("/")[2]:  # a colon further left is a port
            fqn, _, tag = fqn.rpartition(":")
        if not (tag or digest or allow_no_tag_or_digest):
            raise CallError(
                f"the image {image_identifier!r} has neither tag nor digest",
                where=f"image {name!r}",
                fix=f"say which one: {image_identifier}:tag",
            )
        return Image(name, fqn, tag or None, digest or None)


@dataclass(frozen=True)
class ImageConfig:
    """The images that tasks refer to by short names."""

    default_image: Image | None = None
    images: Sequence[Image] | None = None

    def find_image(self, name: str) -> Image | None:
        """The image of that name, the default one first."""
        default = [self.default_image] if self.default_image else []
        return next((image for image in (*default, *(self.images or ())) if image.name == name), None)

    @classmethod
    def from_images(cls, default_image: str | None, m: Mapping[str, str] | None = None) -> ImageConfig:
        """A default image, and others by name."""
        default = Image.look_up_image_info("default", default_image) if default_image else None
        return cls.create_from(
            default, [Image.look_up_image_info(name, full, True) for name, full in (m or {}).items()]
        )

    @classmethod
    def create_from(cls, default_image: Image | None, other_images: Sequence[Image] | None = None) -> ImageConfig:
        default = [default_image] if default_image else []
        return cls(default_image, [*default, *(other_images or ())])

    @classmethod
    def auto(cls, img_name: str | None = None) -> ImageConfig:
        return cls.from_images(img_name)

    def resolve(self, image: str | ImageSpec | None, *, where: str = "", builds: bool = True) -> str:
        """The full name of an image as a task gives it: a name, a template, a spec, or nothing for the default one.

        Templates are `{{.image.NAME}}`, `{{.image.NAME.fqn}}` and `{{.image.NAME.version}}`.

        Args:
            builds: Whether the image of a spec is built if it is not there; else it is taken as given.

        Raises:
            ConfigError: A template names what there is not, or there is no default image.
            PluginError: A spec has to be built, and nobody can.
        """
        if isinstance(image, ImageSpec):
            ready = self.find_image(image.id)
            if ready is None and builds:
                ImageBuildEngine.build(image)
            return ready.full if ready else image.image_name()
        if not image:
            if self.default_image is None:
                raise ConfigError(
                    "there is no default image for tasks that name none",
                    where=where,
                    fix="give one: --image registry/name:tag, or default = '...' below [images] in alula.toml; "
                    "or let the task say what it needs: @task(container_image=ImageSpec(...))",
                )
            return self.default_image.full
        # A digest follows an "@", whatever the template says.
        parts = _TEMPLATE.sub(lambda found: self._part(found, image, where), image)
        return re.sub(r":(?=sha\d+:)", "@", parts)

    def _part(self, found: re.Match[str], template: str, where: str) -> str:
        name, part = found.group(1), found.group(2)
        image = self.find_image(name)
        if image is None:
            known = ", ".join(sorted({each.name for each in self.images or ()})) or "none"
            raise ConfigError(
                f"the image {template!r} refers to {name!r}, which is not configured",
                where=where or f"configured: {known}",
                fix=f"add it: --image {name}=registry/name:tag",
            )
        if part is None:
            return image.full
        if part == "fqn":
            return image.fqn
        if part == "version":
            return image.version or (self.default_image.version if self.default_image else None) or ""
        raise ConfigError(
            f"the image {template!r} asks for {part!r} of {name!r}",
            where=where,
            fix="ask for fqn or version, or for nothing: {{.image." + name + "}}",
        )

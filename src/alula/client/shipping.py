"""What tasks that run in containers need besides a template: an image, and the code, unless the image has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from alula._kits import bridge, scratch
from alula.config import Config
from alula.data import uris
from alula.data.bundle import pack
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.errors import ConfigError
from alula.sdk.compiler import ALWAYS_CONTAINED
from alula.sdk.image import Image, ImageConfig
from alula.sdk.serialize import SerializationSettings
from alula.serve.code import Code
from alula.serve.contained import contained

BUNDLES = ".code"
"""Below the data prefix: code bundles by their content. They stay, as what is registered does."""
DEFAULT = "default"


class Copy(StrEnum):
    """Which code travels in a bundle."""

    AUTO = "auto"
    """The modules of the program that are loaded."""
    ALL = "all"
    """All files of its source tree that no ignore file names."""
    NONE = "none"
    """None: the images have it."""


@dataclass(frozen=True, slots=True)
class Shipping:
    """How the code of a program gets into containers, and which images these have."""

    copy: Copy = Copy.AUTO
    images: Mapping[str, str] = field(default_factory=dict)
    """By short name; `default` is for tasks that name none."""
    contained: Mapping[str, bool] = field(default_factory=dict)
    """Types of task that run in containers, where others run in processes of this machine."""
    prefix: str = ""
    """Where bundles go."""
    objects: ObjectStore = field(default_factory=Objects)

    @classmethod
    def of(cls, config: Config, *, copy: Copy | str = "", images: Sequence[str] = ()) -> Shipping:
        """As settings say, and a command line over them.

        Args:
            images: `registry/name:tag` for tasks that name none, or `NAME=registry/name:tag`.

        Raises:
            ConfigError: Settings of plugins are wrong.
        """
        return cls(
            Copy(copy or Copy.AUTO),
            {**config.images, **dict(map(named_image, images))},
            contained(config.backends),
            uris.join(config.data_prefix, BUNDLES),
        )

    @property
    def needed(self) -> bool:
        """Whether any Python task may run in a container."""
        return any(there for kind, there in self.contained.items() if kind not in ALWAYS_CONTAINED)

    def into(self, settings: SerializationSettings, code: Code) -> SerializationSettings:
        """Settings for the registration of a program, with what its containers need.

        Raises:
            ConfigError: An image has neither tag nor digest.
        """
        made = replace(settings, contained=self.contained, image_config=image_config(self.images))
        return made if self.copy is Copy.NONE else replace(made, bundle=self.shipped(code))

    def shipped(self, code: Code) -> Callable[[], str]:
        """Gives the URI of the bundle; packs it and brings it there when it is first asked."""
        sent: list[str] = []

        def bundle() -> str:
            if not sent:
                sent.append(ship(code, self.copy, self.objects, self.prefix))
            return sent[0]

        return bundle


def ship(code: Code, copy: Copy, objects: ObjectStore, prefix: str) -> str:
    """Bring the code of a program to where containers find it; the URI. A bundle that is there is not sent again.

    Raises:
        ConfigError: There is nothing to send.
        DataError: It cannot be read, is too big for code, or cannot be written.
    """
    files = None if copy is Copy.ALL else list(code.files)
    if files == []:
        raise ConfigError(
            f"the code of {code.target or code.module} is in no file below {code.root}, so it cannot be sent along",
            fix="put it into a file; or into the image, and say --copy none",
        )
    with scratch.Lent("bundle") as directory:
        made = pack(Path(code.root), directory, files=files)
        uri = uris.join(prefix, made.path.name)
        if not bridge.run(objects.exists(uri)):
            bridge.run(objects.upload(made.path, uri))
    return uri


def image_config(images: Mapping[str, str]) -> ImageConfig | None:
    """Images by short name, as tasks refer to them; None: there are none. Raises ConfigError."""
    if not images:
        return None
    others = {name: full for name, full in images.items() if name != DEFAULT}
    made = ImageConfig.from_images(None, others)
    if DEFAULT in images:
        return ImageConfig.create_from(Image.look_up_image_info(DEFAULT, images[DEFAULT], True), made.images)
    return made


def named_image(text: str) -> tuple[str, str]:
    """Short name and image of `[NAME=]IMAGE`."""
    name, equals, image = text.partition("=")
    return (name, image) if equals and "/" not in name else (DEFAULT, text)

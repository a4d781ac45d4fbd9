"""Container images by what they must contain, and those who build them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from alula._kits import lazy
from alula.errors import CallError, ConfigError, PluginError

if TYPE_CHECKING:
    from alula.sdk import image_builder
else:
    image_builder = lazy.module("alula.sdk.image_builder")  # for those who have images built, and it needs this file

log = logging.getLogger(__name__)

DOCKER = "docker"
"""The builder that is there without being registered; `default` means it, too."""
IMAGE_ID_VARIABLE = "_F_IMG_ID"
"""Set in an image to the id of the spec that it was built from."""
RUNTIME_PACKAGES = "_F_RUNTIME_PACKAGES"
"""Set in a container to the packages that it installs when it starts, named as in flytekit."""

_REGISTRY = re.compile(r"(localhost:\d{1,5}|[a-z\d._-]+(:\d{1,5})?)(/[\w.-]+)*")
_LISTS = (
    "packages",
    "conda_packages",
    "conda_channels",
    "apt_packages",
    "pip_extra_index_url",
    "entrypoint",
    "commands",
    "runtime_packages",
)
_NOT_CONTENT = ("pip_secret_mounts", "builder", "runtime_packages", "registry_config")
"""Fields that do not change what is inside the image."""
_IGNORED = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".DS_Store"})


class CopyFileDetection(Enum):
    """Which files of `source_root` go into the image."""

    LOADED_MODULES = 1
    """The Python files that this process has imported."""
    ALL = 2
    NO_COPY = 3


@dataclass(frozen=True, eq=False)
class ImageSpec:
    """What an image must contain: `ImageSpec(packages=["pandas"], registry="ghcr.io/me")`.

    A spec never changes; the `with_` methods return another one. Its tag follows its content, so equal specs are one
    image, and a changed requirements file makes a new one.

    Raises:
        CallError: Some fields are wrong; the message lists all of them.
    """

    name: str = "alula"
    python_version: str | None = None
    """None: that of the base image."""
    builder: str | None = None
    """Name of the builder. None: the one of highest priority; `noop`: `base_image` is used as it is."""
    source_root: str | None = None
    env: dict[str, str] | None = None
    registry: str | None = None
    packages: list[str] | None = None
    """Python packages, as pip takes them."""
    conda_packages: list[str] | None = None
    conda_channels: list[str] | None = None
    requirements: str | None = None
    """Path of a requirements file; its content counts, not its name."""
    apt_packages: list[str] | None = None
    cuda: str | None = None
    cudnn: str | None = None
    base_image: str | ImageSpec | None = None
    platform: str | None = None
    """None: linux/amd64, or linux/arm64 for a registry of this machine if that is what it is."""
    pip_index: str | None = None
    pip_extra_index_url: list[str] | None = None
    pip_secret_mounts: list[tuple[str, str]] | None = None
    """Secret files for pip, each with the path where it is mounted while the image is built."""
    pip_extra_args: str | None = None
    registry_config: str | None = None
    entrypoint: list[str] | None = None
    """Empty: none, whatever the base image has."""
    commands: list[str] | None = None
    """Run at the end of the build."""
    tag_format: str | None = None
    """The tag, with `{spec_hash}` in it."""
    source_copy_mode: CopyFileDetection | None = None
    copy: list[str] | None = None
    """Files and directories that go into the image."""
    python_exec: str | None = None
    runtime_packages: list[str] | None = None
    """Python packages that are installed when the container starts."""
    builder_options: dict[str, Any] | None = None
    builder_config: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise CallError("; ".join(faults), where=f"ImageSpec(name={self.name!r})", fix="correct these fields")
        self._set("name", self.name.lower())
        if self.registry:
            self._set("registry", self.registry.lower())
        if self.platform is None:
            arm = platform.machine().lower() in ("arm64", "aarch64") and (self.registry or "").startswith("localhost:")
            self._set("platform", "linux/arm64" if arm else "linux/amd64")
        if self.source_root is not None and self.source_copy_mode is None:
            self._set("source_copy_mode", CopyFileDetection.LOADED_MODULES)

    @classmethod
    def from_env(cls, *, pinned_packages: Sequence[str] | None = None, **fields: Any) -> ImageSpec:
        """A spec with this interpreter's Python version, and the given packages in the versions installed here.

        Raises:
            CallError: One of them is not installed, or `python_version` is given too.
        """
        if fields.get("python_version") is not None:
            raise CallError(
                f"python_version={fields['python_version']!r} contradicts from_env, which takes that of this process",
                where="ImageSpec.from_env",
                fix="leave it out, or use ImageSpec(...)",
            )
        packages = list(fields.pop("packages", None) or ())
        for name in pinned_packages or ():
            try:
                packages.append(f"{name}=={metadata.version(name)}")
            except metadata.PackageNotFoundError as exc:
                raise CallError(
                    f"the package {name!r} is not installed, so it cannot be pinned",
                    where="ImageSpec.from_env",
                    fix=f"pip install {name}, or give it in packages= with a version",
                ) from exc
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(**{**fields, "python_version": version, "packages": packages})

    @property
    def id(self) -> str:
        """Which image this is, from its fields alone; known inside the image too, where the files are not."""
        return _hash(self._content())

    @property
    def tag(self) -> str:
        """The image's tag: from the fields, and from the files that go into it.

        Raises:
            ConfigError: One of those files cannot be read.
        """
        content = self._content()
        if isinstance(self.base_image, ImageSpec):
            content["base_image"] = self.base_image.image_name()
        if self.requirements:
            content["requirements"] = _digest([Path(self.requirements)], self.name)
        if self.copy:
            content["copy"] = _digest([Path(path) for path in self.copy], self.name)
        if self.source_copy_mode not in (None, CopyFileDetection.NO_COPY):
            if self.source_root is None:
                raise ConfigError(
                    f"source_copy_mode={self.source_copy_mode} needs a source_root to copy from",
                    where=f"ImageSpec(name={self.name!r})",
                    fix="add source_root='path/of/the/sources'",
                )
            root = Path(self.source_root)
            chosen = [root] if self.source_copy_mode is CopyFileDetection.ALL else loaded_below(root)
            content["source_root"] = _digest(chosen, self.name, root)
        tag = _hash(content)
        return self.tag_format.format(spec_hash=tag) if self.tag_format else tag

    def image_name(self) -> str:
        """Registry, name and tag."""
        if self.builder == "noop" and self.base_image is not None:
            return self.base_image if isinstance(self.base_image, str) else self.base_image.image_name()
        name = f"{self.registry}/{self.name}:{self.tag}" if self.registry else f"{self.name}:{self.tag}"
        return ImageBuildEngine.built.get(name, name)

    def is_container(self) -> bool:
        """Whether this process runs in the image; outside of task containers True.

        For imports that only this image can serve: `if image.is_container(): import torch`.
        """
        image = os.environ.get(IMAGE_ID_VARIABLE)
        if image is None:
            return "FLYTE_INTERNAL_EXECUTION_ID" not in os.environ
        return image == self.id

    def exist(self) -> bool | None:
        """Whether the registry has the image (without a registry: the Docker of this machine); None: cannot tell."""
        docker = shutil.which("docker")
        if docker is None:
            log.warning("image.unknown: no docker command to look for %s with", self.image_name())
            return None
        what = "manifest" if self.registry else "image"
        command = [docker, what, "inspect", self.image_name()]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return True
        if re.search(r"no such (image|manifest)|manifest unknown|not found", asked.stderr, re.IGNORECASE):
            return False
        log.warning("image.unknown: %s: %s", self.image_name(), asked.stderr.strip())
        return None

    def with_commands(self, commands: str | list[str]) -> ImageSpec:
        return self._with_more("commands", commands)

    def with_packages(self, packages: str | list[str]) -> ImageSpec:
        return self._with_more("packages", packages)

    def with_apt_packages(self, apt_packages: str | list[str]) -> ImageSpec:
        return self._with_more("apt_packages", apt_packages)

    def with_copy(self, src: str | list[str]) -> ImageSpec:
        return self._with_more("copy", src)

    def with_runtime_packages(self, runtime_packages: list[str]) -> ImageSpec:
        return self._with_more("runtime_packages", runtime_packages)

    def with_builder_options(self, builder_options: dict[str, Any]) -> ImageSpec:
        return dataclasses.replace(self, builder_options={**(self.builder_options or {}), **builder_options})

    def force_push(self) -> ImageSpec:
        """The same image, built and pushed even if the registry has it."""
        other = dataclasses.replace(self)
        other._set("_forced", True)
        return other

    @property
    def forced(self) -> bool:
        asked = os.environ.get("FLYTE_FORCE_PUSH_IMAGE_SPEC", "").lower() in ("1", "true", "t", "yes", "y", "on")
        return asked or getattr(self, "_forced", False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageSpec) and dataclasses.astuple(self) == dataclasses.astuple(other)

    def __hash__(self) -> int:
        return hash(self.id)

    def _content(self) -> dict[str, Any]:
        """The fields that are set and count, nested specs as their content."""
        content: dict[str, Any] = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value is not None and each.name not in _NOT_CONTENT:
                content[each.name] = value._content() if isinstance(value, ImageSpec) else value
        return content

    def _with_more(self, name: str, values: str | list[str]) -> ImageSpec:
        more = [values] if isinstance(values, str) else values
        changed: dict[str, Any] = {name: [*(getattr(self, name) or ()), *more]}
        return dataclasses.replace(self, **changed)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _faults(self) -> Iterator[str]:
        for name in _LISTS:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
                yield f"{name}={value!r} is no list of str"
        if self.registry and not _REGISTRY.fullmatch(self.registry.lower()):
            yield f"registry={self.registry!r} is none, such as localhost:30000 or ghcr.io/name"
        mounts: object = self.pip_secret_mounts
        if mounts is not None and not (isinstance(mounts, list) and all(_is_pair(mount) for mount in mounts)):
            yield f"pip_secret_mounts={mounts!r} is no list of (path, mount path)"
        options: object = self.builder_options
        if options is not None and not isinstance(options, dict):
            yield f"builder_options={options!r} is no dict"


class ImageSpecBuilder(ABC):
    """Makes images from specs. Register it with `ImageBuildEngine.register`."""

    @abstractmethod
    def build_image(self, image_spec: ImageSpec) -> str | None:
        """Build and push the image; its full name if that is another than `image_spec.image_name()`. May block."""

    def should_build(self, image_spec: ImageSpec) -> bool:
        """Whether the image is not there yet. One that cannot be looked up counts as there.

        Raises:
            ConfigError: It cannot be looked up, and FLYTE_IMG_FAST_FAIL asks for an error then.
        """
        there = image_spec.exist()
        if there is None and os.environ.get("FLYTE_IMG_FAST_FAIL", "").lower() in ("1", "true", "t", "yes", "y", "on"):
            raise ConfigError(
                f"whether the image {image_spec.image_name()} exists cannot be told",
                where="FLYTE_IMG_FAST_FAIL is set",
                fix="log in to the registry, or unset FLYTE_IMG_FAST_FAIL to take it as given",
            )
        return there is False or (there is True and image_spec.forced)


class NoOpBuilder(ImageSpecBuilder):
    """Builds nothing: the base image is the image."""

    def should_build(self, image_spec: ImageSpec) -> bool:
        return not isinstance(image_spec.base_image, str)

    def build_image(self, image_spec: ImageSpec) -> str | None:
        raise CallError(
            f'builder="noop" takes base_image as the name of an image, got {image_spec.base_image!r:.80}',
            where=f"ImageSpec(name={image_spec.name!r})",
            fix="name a ready image: base_image='registry/name:tag'",
        )


class ImageBuildEngine:
    """The builders of this process, and the images that they have built."""

    builders: ClassVar[dict[str, tuple[ImageSpecBuilder, int]]] = {}
    built: ClassVar[dict[str, str]] = {}
    """Names that builders gave to images, by the names that the specs have for them."""

    @classmethod
    def register(cls, builder_type: str, image_spec_builder: ImageSpecBuilder, priority: int = 5) -> None:
        """Offer a builder; of those registered the one of highest priority serves specs that name none."""
        cls.builders[builder_type] = (image_spec_builder, priority)

    @classmethod
    def get_registry(cls) -> Mapping[str, tuple[ImageSpecBuilder, int]]:
        return cls.builders

    @classmethod
    def build(cls, image_spec: ImageSpec) -> None:
        """Build the image and those below it, unless they are there.

        Raises:
            PluginError: There is no builder for it.
        """
        builder = cls._builder(image_spec)
        if isinstance(image_spec.base_image, ImageSpec):
            cls.build(image_spec.base_image)
        if builder.should_build(image_spec):
            name = image_spec.image_name()
            real = builder.build_image(image_spec)
            if real is not None:
                cls.built[name] = real

    @classmethod
    def _builder(cls, spec: ImageSpec) -> ImageSpecBuilder:
        if spec.builder == "noop":
            return NoOpBuilder()
        if spec.builder is None and cls.builders:
            return max(cls.builders.values(), key=lambda entry: entry[1])[0]
        name = spec.builder or DOCKER
        if name == "default" and name not in cls.builders:
            name = DOCKER
        if name == DOCKER and name not in cls.builders:
            cls.register(DOCKER, image_builder.DockerBuilder(), priority=1)
        if name in cls.builders:
            return cls.builders[name][0]
        raise PluginError(
            f"no image builder {spec.builder!r} is registered, so {spec.image_name()} cannot be built",
            where=f"there are {', '.join(sorted({*cls.builders, DOCKER}))}",
            fix="leave builder= out, register one with ImageBuildEngine.register(name, builder), or build the image "
            "yourself and give the task container_image='registry/name:tag'",
        )


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, str) for each in value)


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def loaded_below(root: Path) -> list[Path]:
    """The files below `root` that modules of this process come from."""
    files = {
        Path(file).resolve() for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    }
    return sorted(file for file in files if file.is_relative_to(root.resolve()) and file.is_file())


def _digest(paths: Sequence[Path], name: str, root: Path | None = None) -> str:
    """A hash of files and of all that is in directories: content and relative names."""
    found = hashlib.sha256()
    try:
        for path in paths:
            base = (root or path.parent).resolve()
            for file in sorted(files_below(path)):
                relative = file.resolve().relative_to(base) if file.resolve().is_relative_to(base) else file.name
                data = file.read_bytes()
                found.update(f"{relative}\0{len(data)}\0".encode() + data)
    except OSError as exc:
        raise ConfigError(
            f"{exc.filename} cannot be read for the image: {exc.strerror}",
            where=f"ImageSpec(name={name!r})",
            fix="correct the path, relative to the directory that you start from",
        ) from exc
    return found.hexdigest()


def files_below(path: Path) -> Iterator[Path]:
    """A file, or all files of a directory but those that no image needs."""
    if not path.is_dir():
        yield path
        return
    for directory, folders, names in os.walk(path):
        folders[:] = [folder for folder in folders if folder not in _IGNORED]
        yield from (Path(directory, name) for name in names if name not in _IGNORED and not name.endswith(".pyc"))

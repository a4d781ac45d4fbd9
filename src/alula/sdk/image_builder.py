"""`DockerBuilder`: builds the image of an `ImageSpec` with the container engine at hand, Docker or Podman."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from alula._kits import bridge
from alula.config import load
from alula.containers.images.building import Wish, images
from alula.containers.images.context import Context
from alula.containers.images.recipe import Recipe
from alula.containers.images.wheel import Wheel, of_alula
from alula.errors import ConfigError
from alula.sdk.image_spec import (
    IMAGE_ID_VARIABLE,
    CopyFileDetection,
    ImageSpec,
    ImageSpecBuilder,
    files_below,
    loaded_below,
)

_OPTIONS: Mapping[str, type] = {"network": str, "pull": bool, "no_cache": bool, "build_args": dict}
"""What `builder_options` may say."""
_VERSION = re.compile(r"3\.\d{1,2}")
_ELSEWHERE = re.compile(r"\s*(-r|-c|-e|--requirement|--constraint|--editable)\b|\s*(\.{0,2}/|file:)")
"""Lines of a requirements file that lead to other files, which no tag knows."""
_OTHER_LOCKS = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "pyproject.toml", "environment.yml"})


class DockerBuilder(ImageSpecBuilder):
    """Builds with the engine that `DOCKER_HOST`, `[backends.docker] url` or the engine's own default names.

    Args:
        say: Is told each line of the build's log.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._say = say
        self._there: set[str] = set()
        """Images that were seen or made by this process."""

    def should_build(self, image_spec: ImageSpec) -> bool:
        """Whether the image is not there as the spec says. Asks the registry, if there is one, else the engine.

        Raises:
            ConfigError: The spec says what no Dockerfile can.
            ImageError: There is no engine.
        """
        name = image_spec.image_name()
        if image_spec.forced:
            return True
        if name in self._there:
            return False
        made = context(image_spec)
        there = bridge.run(self._is_there(image_spec, made, name))
        if there:
            self._there.add(name)
        return not there

    def build_image(self, image_spec: ImageSpec) -> None:
        """Build the image, and push it if it has a registry.

        Raises:
            ConfigError: The spec says what no Dockerfile can.
            ImageError: It could not be built or pushed; with the end of the log.
        """
        bridge.run(self._build(image_spec, context(image_spec), image_spec.image_name()))
        self._there.add(image_spec.image_name())

    async def _is_there(self, spec: ImageSpec, made: Context, name: str) -> bool:
        async with images(_url(), registry_config=spec.registry_config or "") as here:
            if spec.registry:
                known = await here.in_registry(name)
                if known is not None:
                    return known
            return await here.content_of(name) == made.digest()

    async def _build(self, spec: ImageSpec, made: Context, name: str) -> None:
        async with images(_url(), registry_config=spec.registry_config or "") as here:
            await here.build(made, name, _wish(spec), say=self._say)
            if spec.registry:
                await here.push(name, say=self._say)


def context(spec: ImageSpec) -> Context:
    """What a builder is given for a spec: a Dockerfile, and the files for it.

    Raises:
        ConfigError: With everything that no Dockerfile can say, or that cannot be read.
    """
    faults = [*_faults(spec), *_file_faults(spec)]
    if faults:
        raise ConfigError(
            f"the image {spec.name!r} cannot be built here: {'; '.join(faults)}",
            where=f"ImageSpec(name={spec.name!r})",
            fix="correct these fields, or build the image yourself and give its name as container_image=",
        )
    files, wheel = _files(spec), of_alula() if _for_python(spec) else None
    return Context(
        _recipe(spec, files=bool(files), wheel=wheel),
        files=files,
        requirements=Path(spec.requirements).read_bytes() if spec.requirements else b"",
        wheel=wheel.content if wheel else b"",
    )


def _recipe(spec: ImageSpec, *, files: bool, wheel: Wheel | None) -> Recipe:
    base = spec.base_image
    return Recipe(
        base=base.image_name() if isinstance(base, ImageSpec) else base or f"python:{_python_version(spec)}-slim",
        variables=spec.env or {},
        python=spec.python_exec or "python",
        python_version=spec.python_version or "",
        apt=spec.apt_packages or (),
        conda=spec.conda_packages or (),
        conda_channels=spec.conda_channels or (),
        requirements=bool(spec.requirements),
        packages=spec.packages or (),
        pip_options=_pip_options(spec),
        wheel=wheel.name if wheel else "",
        files=files,
        commands=spec.commands or (),
        entrypoint=spec.entrypoint,
        marks={IMAGE_ID_VARIABLE: spec.id},
    )


def _for_python(spec: ImageSpec) -> bool:
    """Whether the image is to run Python tasks, so that it gets Alula if its base has none."""
    asked = (spec.python_version, spec.packages, spec.requirements, spec.conda_packages, spec.source_root)
    return spec.base_image is None or any(asked)


def _python_version(spec: ImageSpec) -> str:
    return spec.python_version or f"{sys.version_info.major}.{sys.version_info.minor}"


def _pip_options(spec: ImageSpec) -> list[str]:
    made = ["--index-url", spec.pip_index] if spec.pip_index else []
    for url in spec.pip_extra_index_url or ():
        made += ["--extra-index-url", url]
    return made + shlex.split(spec.pip_extra_args or "")


def _files(spec: ImageSpec) -> dict[str, Path]:
    """The files for the working directory of the image, by their places there."""
    made: dict[str, Path] = {}
    if spec.source_root is not None and spec.source_copy_mode not in (None, CopyFileDetection.NO_COPY):
        root = Path(spec.source_root).resolve()
        loaded = spec.source_copy_mode is CopyFileDetection.LOADED_MODULES
        chosen = loaded_below(root) if loaded else [path for path in files_below(root) if path.is_file()]
        made |= {path.relative_to(root).as_posix(): path for path in chosen}
    for name in spec.copy or ():
        made |= {path.as_posix(): path for path in files_below(Path(PurePath(name))) if path.is_file()}
    return made


def _faults(spec: ImageSpec) -> Iterator[str]:
    """What the spec says and no Dockerfile can, or should."""
    if spec.cuda or spec.cudnn:
        yield "cuda and cudnn are parts of a base image: base_image='nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04'"
    if spec.python_version and not _VERSION.fullmatch(spec.python_version):
        yield f"python_version={spec.python_version!r} is none, such as 3.12"
    if (spec.conda_packages or spec.conda_channels) and not spec.base_image:
        yield "conda_packages need a base_image that has conda, such as mambaorg/micromamba"
    if spec.conda_channels and not spec.conda_packages:
        yield "conda_channels without conda_packages say nothing"
    if spec.pip_secret_mounts:
        yield (
            "pip_secret_mounts need a builder that mounts secrets, and the engine's would leave them in the image: "
            "install from an index of your network with pip_index, or build it with BuildKit"
        )
    if spec.builder_config:
        yield f"builder_config={spec.builder_config!r} is for other builders"
    for name, value in (spec.builder_options or {}).items():
        if name not in _OPTIONS:
            yield f"builder_options has no {name!r}; there are {', '.join(_OPTIONS)}"
        elif not isinstance(value, _OPTIONS[name]):
            yield f"builder_options[{name!r}] is {value!r}, and no {_OPTIONS[name].__name__}"
    for package in [*(spec.packages or ()), *(spec.conda_packages or ()), *(spec.apt_packages or ())]:
        if package.startswith(("-", ".", "/", "file:")):
            yield f"{package!r} is no package of an index: copy=[...] the file, and install it with commands=[...]"


def _file_faults(spec: ImageSpec) -> Iterator[str]:
    """Files that are not there, or cannot be a part of the image."""
    for name in spec.copy or ():
        path = PurePath(name)
        if path.is_absolute() or ".." in path.parts:
            yield f"copy={name!r} is no path below the working directory, so it has no place in the image"
        elif not Path(name).exists():
            yield f"copy={name!r} does not exist"
    if spec.source_root is not None and not Path(spec.source_root).is_dir():
        yield f"source_root={spec.source_root!r} is no directory"
    if spec.requirements:
        yield from _requirements_faults(Path(spec.requirements))


def _requirements_faults(path: Path) -> Iterator[str]:
    if path.name in _OTHER_LOCKS:
        yield f"requirements={str(path)!r} is none for pip: export it, as `uv export --format requirements-txt` does"
        return
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as exc:
        yield f"requirements={str(path)!r} cannot be read: {exc}"
        return
    for number, line in enumerate(lines, start=1):
        if _ELSEWHERE.match(line):
            yield f"{path}:{number} leads to a file that the tag would not know ({line.strip()}): put it in here"


def _wish(spec: ImageSpec) -> Wish:
    options: Mapping[str, Any] = spec.builder_options or {}
    return Wish(
        platform=spec.platform or "",
        network=options.get("network", ""),
        cache=not options.get("no_cache", False),
        pull=options.get("pull", False),
        arguments={str(name): str(value) for name, value in options.get("build_args", {}).items()},
    )


def _url() -> str:
    """Where the engine listens, if settings say."""
    section = load().backends.get("docker")
    return str(section.get("url", "")) if isinstance(section, Mapping) else ""

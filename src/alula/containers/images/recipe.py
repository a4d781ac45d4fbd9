"""What goes into an image, and the Dockerfile that puts it there; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alula.errors import ConfigError

WORKDIR = "/root"
"""Where code lies in an image, and what containers start in; flytekit's images have it there."""
FILES, REQUIREMENTS = "files", "requirements.txt"
"""Their names in the context."""

_FROM = "/var/lib/alula"
"""Where files for `pip` lie in an image."""
_TO_QUOTE = re.compile(r'(["\\$])')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir", "--root-user-action=ignore")
_VERSION_CHECK = (
    "import sys; is_it = '%d.%d' % sys.version_info[:2]; wanted = sys.argv[1]; "
    "sys.exit(None if is_it == wanted else "
    "'the base image has Python ' + is_it + ', and the image is to have ' + wanted)"
)
_CONDA = (
    "found=$(command -v micromamba || command -v mamba || command -v conda) "
    '|| { echo "the base image has none of micromamba, mamba and conda" >&2; exit 1; }; '
    'exec "$found" install --yes "$@"'
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into an image, in the order in which it is put there: what changes seldom comes first.

    Args:
        wheel: The name in the context of a wheel of Alula, for images that are to run tasks and have none.
    """

    base: str
    variables: Mapping[str, str] = field(default_factory=dict)
    python: str = "python"
    """The interpreter that packages are for."""
    python_version: str = ""
    """`3.12`: what that interpreter must be; empty: whatever it is."""
    apt: Sequence[str] = ()
    conda: Sequence[str] = ()
    conda_channels: Sequence[str] = ()
    requirements: bool = False
    """There is a file `requirements.txt` in the context."""
    packages: Sequence[str] = ()
    pip_options: Sequence[str] = ()
    wheel: str = ""
    files: bool = False
    """There are files in the context for the working directory."""
    commands: Sequence[str] = ()
    entrypoint: Sequence[str] | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    """Variables that no step needs."""

    @property
    def dockerfile(self) -> str:
        """The text that any builder of Dockerfiles takes; the oldest, too.

        Raises:
            ConfigError: Something cannot be written there.
        """
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"FROM {_word(self.base, 'the base image')}"
        if self.variables:
            yield "ENV " + " ".join(_variable(name, value) for name, value in sorted(self.variables.items()))
        yield f"WORKDIR {WORKDIR}"
        if self.apt:
            yield _shell(
                'apt-get update && apt-get install --yes --no-install-recommends "$@" && rm -rf /var/lib/apt/lists/*',
                *self.apt,
            )
        if self.conda:
            channels = [word for channel in self.conda_channels for word in ("--channel", channel)]
            yield _shell(_CONDA, *channels, *self.conda)
        if self.python_version:
            yield _run(self.python, "-c", _VERSION_CHECK, self.python_version)
        yield from self._python_packages()
        if self.files:
            yield f"COPY {FILES}/ {WORKDIR}/"
        for command in self.commands:
            yield _shell(command)
        last = [f'PYTHONPATH="{WORKDIR}${{PYTHONPATH:+:$PYTHONPATH}}"'] if self.files else []
        if last or self.marks:
            yield "ENV " + " ".join([*last, *(_variable(*pair) for pair in sorted(self.marks.items()))])
        if self.entrypoint is not None:
            yield f"ENTRYPOINT {json.dumps(list(self.entrypoint))}"

    def _python_packages(self) -> Iterator[str]:
        if self.wheel:
            yield f"COPY {self.wheel} {_FROM}/"
            installed = f'"$0" -c "import alula" 2>/dev/null || exec "$0" {" ".join(_PIP)} "$@"'
            words = [*self.pip_options, f"{_FROM}/{self.wheel}"]
            yield f"RUN {json.dumps(['/bin/sh', '-c', installed, self.python, *words])}"
        if self.requirements:
            yield f"COPY {REQUIREMENTS} {_FROM}/"
            yield self._pip("--requirement", f"{_FROM}/{REQUIREMENTS}")
        if self.packages:
            yield self._pip(*self.packages)

    def _pip(self, *words: str) -> str:
        return _run(self.python, *_PIP, *self.pip_options, *words)


def _run(*argv: str) -> str:
    """A step that is one process: no shell reads its words."""
    return f"RUN {json.dumps(argv)}"


def _shell(script: str, *words: str) -> str:
    """A step of the shell; `"$@"` in it are the words. Written as JSON, a line break in it ends no instruction."""
    return f"RUN {json.dumps(['/bin/sh', '-c', script, *(['sh', *words] if words else [])])}"


def _variable(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of an environment variable", fix="use letters, digits and underscores")
    if "\n" in value or "\r" in value:
        raise ConfigError(
            f"the variable {name} has more than one line, and a Dockerfile cannot say that",
            fix="set it with @task(environment=...), or write it into a file that is copied",
        )
    quoted = _TO_QUOTE.sub(r"\\\1", value)
    return f'{name}="{quoted}"'


def _word(text: str, what: str) -> str:
    if not text or re.search(r"\s", text):
        raise ConfigError(f"{what} is {text!r}, and must be one word", fix="name it like registry/name:tag")
    return text

"""`alula plugin new`: an installable package of a plugin, with tests that pass, to be changed into yours."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import click

TEMPLATES = Path(__file__).parent / "scaffold"
_SUFFIX = ".tmpl"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the kinds, beside their files."""

    about: str
    entry_points: Mapping[str, tuple[str, str]]
    """Group to name and value."""
    layout: Mapping[str, str]
    usage: str = ""
    verified: bool = False
    """It has a harness for `alula plugin verify`."""


_PACKAGE = "src/$package"
_BOTH = {
    f"{_PACKAGE}/tasks.py": "what users write",
    f"{_PACKAGE}/backend.py": "how the engine runs it",
}
_HARNESS = {f"{_PACKAGE}/conformance.py": "what `alula plugin verify` plays with"}
KINDS = {
    "webapi": Kind(
        "Tasks that are jobs of a remote service, for Alula.",
        {
            "alula.backends": ("$name", "$package.backend:${Class}"),
            "alula.conformance": ("$name", "$package.conformance"),
        },
        _BOTH | {f"{_PACKAGE}/service.py": "the client of the service"} | _HARNESS,
        """
    from alula import kwtypes, workflow
    from $package import ${Class}Job, ${Class}Task

    greet = ${Class}Task("greet", ${Class}Job("hello"), inputs=kwtypes(who=str), outputs=kwtypes(said=str))

    @workflow
    def main(who: str) -> str:
        return greet(who=who)
""",
        verified=True,
    ),
    "core": Kind(
        "Tasks that are a state machine of their own, for Alula.",
        {
            "alula.backends": ("$name", "$package.backend:${Class}"),
            "alula.conformance": ("$name", "$package.conformance"),
        },
        _BOTH | _HARNESS,
        """
    from alula import workflow
    from $package import ${Class}Task

    arrived = ${Class}Task("arrived")

    @workflow
    def main(path: str) -> int:
        return arrived(path=path)
""",
        verified=True,
    ),
    "k8s": Kind(
        "Tasks that are objects of a Kubernetes operator, for Alula.",
        {
            "alula.backends": ("$name", "$package.backend:${Class}"),
            "alula.tasks": ("$package.tasks.${Class}Config", "$package.tasks:${Class}TaskPlugin"),
            "alula.conformance": ("$name", "$package.conformance"),
        },
        _BOTH | _HARNESS,
        """
    from alula import task
    from $package import ${Class}Config

    @task(task_config=${Class}Config(workers=4))
    def train(epochs: int) -> float: ...
""",
        verified=True,
    ),
    "task": Kind(
        "Tasks that are prepared in the user's container, for Alula.",
        {"alula.tasks": ("$package.${Class}", "$package:${Class}Plugin")},
        {f"{_PACKAGE}/__init__.py": "the config that users write, and what it does around their function"},
        """
    from alula import task
    from $package import ${Class}

    @task(task_config=${Class}(label="mine"))
    def add(a: int, b: int) -> int:
        return a + b
""",
    ),
    "type": Kind(
        "A type for the inputs and outputs of tasks, for Alula.",
        {"alula.types": ("$package", "$package:transformers")},
        {f"{_PACKAGE}/__init__.py": "the type and its transformer"},
        """
    from alula import task
    from $package import ${Class}

    @task
    def twice(value: ${Class}) -> ${Class}: ...
""",
    ),
    "panel": Kind(
        "A panel for attempts of some type of task, for Alula.",
        {"alula.panels": ("$name", "$package:${Class}Panel")},
        {f"{_PACKAGE}/__init__.py": "the panel"},
        """
    alula get panels EXECUTION NODE
""",
    ),
}


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What it is a plugin for.")
@click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where its folder goes."
)
def new(name: str, kind: str, directory: Path) -> None:
    """Write an installable package NAME, with tests and CI, green from the first run.

    \b
    webapi  jobs of a remote service         task   a context around the user's function
    core    a state machine of your own      type   a Python type for inputs and outputs
    k8s     objects of a Kubernetes operator panel  what is shown of an attempt
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise click.UsageError(f"{name!r} is no name for a package: use lower case, digits, - and _ as in my-plugin")
    folder = directory / name
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is there and not empty: give another name, or --directory")
    made = render(name, kind)
    for path, text in made.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    click.echo(f"{folder}: {len(made)} files")
    click.echo(f"next: cd {folder} && pip install -e '.[test]' && pytest")
    if KINDS[kind].verified:
        click.echo(f"then: alula plugin verify {name}")


def render(name: str, kind: str) -> dict[str, str]:
    """All files of a new package: path inside of its folder to text."""
    chosen = KINDS[kind]
    package = name.replace("-", "_")
    words = {"name": name, "package": package, "Class": "".join(map(str.capitalize, package.split("_")))}

    def filled(text: str) -> str:
        return Template(text).substitute(words)

    points = "".join(
        f'\n[project.entry-points."{group}"]\n"{filled(key)}" = "{filled(value)}"\n'
        for group, (key, value) in chosen.entry_points.items()
    )
    layout = "\n".join(f"- `{filled(path)}`: {said}" for path, said in chosen.layout.items())
    words |= {
        "about": chosen.about,
        "entry_points": points,
        "layout": f"{layout}\n- `tests/`: run them with `pytest`\n",
        "usage": f"\nThen:\n{filled(chosen.usage)}" if chosen.usage else "",
        "verify_line": f"    alula plugin verify {name}\n" if chosen.verified else "",
        "verify_step": f"      - run: alula plugin verify {name}\n" if chosen.verified else "",
    }
    files = {}
    for folder in (TEMPLATES / "common", TEMPLATES / kind):
        for path in sorted(folder.rglob(f"*{_SUFFIX}")):
            target = path.relative_to(folder).as_posix().removesuffix(_SUFFIX).replace("__package__", package)
            files[target] = filled(path.read_text(encoding="utf-8")).rstrip("\n") + "\n"
    return files

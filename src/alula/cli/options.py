"""The options of `alula run`, wherever on the line they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from alula.cli import results

_COPIES = click.Choice(["auto", "all", "none"])


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `alula run`, from before FILE and after ENTITY."""

    inputs_file: str
    output: results.Format
    answer: tuple[str, ...]
    env: tuple[str, ...]
    cache: bool
    overwrite_cache: bool
    raw_output_data_prefix: str
    quiet: bool
    verbose: bool
    name: str
    detach: bool
    wait: bool
    local: bool
    max_parallelism: int | None
    durability: str
    image: tuple[str, ...] = ()
    copy: str = ""
    remote: bool = False
    profile: str = ""
    endpoint: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return dict(split_pair(pair, "--env", "KEY=VALUE") for pair in self.env)

    @property
    def answers(self) -> dict[str, str]:
        return dict(split_pair(pair, "--answer", "GATE=VALUE") for pair in self.answer)


def run_options() -> list[click.Option]:
    """The options that may stand before FILE as well as after ENTITY."""
    forms = click.Choice([form.value for form in results.Format])
    durability = click.Choice(["full", "relaxed"])
    return [
        click.Option(
            ["--name"], metavar="NAME", callback=named, help="Name of the execution; the same again goes on with it."
        ),
        click.Option(["-d", "--detach"], is_flag=True, help="Run it in the background, and print its name."),
        click.Option(["--wait/--no-wait"], default=None, help="Whether to drive it here; else alula serve does."),
        click.Option(["--remote"], is_flag=True, help="Have a control plane run it: register it there, and wait."),
        click.Option(["--profile"], metavar="NAME", help="With --remote: which one, by its name in profiles.toml."),
        click.Option(["--endpoint"], metavar="HOST:PORT", help="With --remote: which one, by its address."),
        click.Option(["--local"], is_flag=True, help="Call it in this process: no engine, nothing is kept."),
        click.Option(["--inputs-file"], metavar="FILE", help="JSON or YAML with inputs; - is standard input."),
        click.Option(["-o", "--output"], type=forms, help="How to print the result.  [default: table]"),
        click.Option(["--answer"], multiple=True, metavar="GATE=VALUE", help="Open a gate beforehand. Repeatable."),
        click.Option(["--env"], multiple=True, metavar="KEY=VALUE", help="Set an environment variable. Repeatable."),
        click.Option(["--max-parallelism"], type=click.IntRange(min=0), help="Tasks at a time; 0: no limit."),
        click.Option(["--durability"], type=durability, help="What a step that is done survives.  [default: full]"),
        click.Option(["--image"], multiple=True, metavar="[NAME=]IMAGE", help="Of tasks in containers. Repeatable."),
        click.Option(["--copy"], type=_COPIES, help="Code that goes with them.  [default: auto]"),
        click.Option(["--no-cache"], is_flag=True, help="Run cached tasks as if nothing were cached."),
        click.Option(["--overwrite-cache"], is_flag=True, help="Run cached tasks again, and keep the new results."),
        click.Option(["--raw-output-data-prefix"], metavar="URI", help="Where files and tables go."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Print the result only."),
        click.Option(["-v", "--verbose"], is_flag=True, help="Show whole tracebacks."),
    ]


def options_of(ctx: click.Context) -> Options:
    """What was given after ENTITY, else before FILE. Raises a usage error for what does not go together."""
    chain: list[dict[str, Any]] = []
    at: click.Context | None = ctx
    while at is not None and len(chain) < 3:
        chain.append(at.params)
        at = at.parent

    def last(name: str) -> Any:
        return next((params[name] for params in chain if params.get(name) not in (None, False)), None)

    def both(name: str) -> tuple[str, ...]:
        return tuple(value for params in reversed(chain) for value in params.get(name) or ())

    waits = [params["wait"] for params in chain if params.get("wait") is not None]
    made = Options(
        inputs_file=last("inputs_file") or "",
        output=results.Format(last("output") or "table"),
        answer=both("answer"),
        env=both("env"),
        cache=not last("no_cache"),
        overwrite_cache=bool(last("overwrite_cache")),
        raw_output_data_prefix=last("raw_output_data_prefix") or "",
        quiet=bool(last("quiet")),
        verbose=bool(last("verbose")),
        name=last("name") or "",
        detach=bool(last("detach")),
        wait=waits[0] if waits else True,
        local=bool(last("local")),
        max_parallelism=next((p["max_parallelism"] for p in chain if p.get("max_parallelism") is not None), None),
        durability=last("durability") or "",
        image=both("image"),
        copy=last("copy") or "",
        remote=bool(last("remote")),
        profile=last("profile") or "",
        endpoint=last("endpoint") or "",
    )
    _check(made)
    return made


def named(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """The name that an execution is given: none at all, or one that is not empty, as that of an unset variable is."""
    if name == "":
        raise click.BadParameter("it is empty; leave it out to get a new name", ctx, param)
    return name


def split_pair(text: str, option: str, wanted: str) -> tuple[str, str]:
    """`KEY=VALUE` as key and value. Raises a usage error."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{option} {text!r} is not of the form {wanted}")
    return key, value


def _check(made: Options) -> None:
    if made.remote:
        given = {"--local": made.local, "--durability": made.durability}
        if wrong := [option for option, value in given.items() if value]:
            raise click.UsageError(f"{wrong[0]} is for runs on this machine, and --remote has a control plane run it")
        if made.answer and (made.detach or not made.wait):
            raise click.UsageError("--answer is given to a control plane while the command waits: leave out --detach")
        return
    if made.profile or made.endpoint:
        raise click.UsageError("--profile and --endpoint say where --remote goes: give that, too")
    if made.local:
        given = {"--name": made.name, "--detach": made.detach, "--no-wait": not made.wait}
        if wrong := [option for option, value in given.items() if value]:
            raise click.UsageError(f"{wrong[0]} goes with an engine, and --local does without one")
    if made.detach and not made.wait:
        raise click.UsageError(
            "--detach has a process of its own drive the execution, and --no-wait leaves that to others"
        )

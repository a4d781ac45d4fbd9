"""What `alula doctor` says of the places where tasks can run: which of them are here, and what the others lack."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alula.cli.width import without_password
from alula.config import Config, WorkersConfig
from alula.containers.engine import where
from alula.containers.engine.docker import DockerEngine
from alula.errors import AlulaError, ConfigError
from alula.serve.flytekit import look, python_of

Row = tuple[str, str, str]
_SECONDS = 5.0
_SLURM = ("sbatch", "squeue", "scancel")
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere for tasks to run, or something that they need for it."""

    name: str
    state: str
    """`ok`, `missing` (it can be had), `off` (it is there, and no settings name it), `broken` (it does not answer)."""
    note: str


def places(config: Config) -> list[Place]:
    """All of them. Asks a container engine, and nobody else."""
    sections: Mapping[str, Any] = config.backends
    return [
        Place("workers", "ok", f"Python tasks in processes of this machine, {os.cpu_count()} cores"),
        _flytekit(config.workers),
        *asyncio.run(_containers(_section(sections, "docker"))),
        _kubernetes(sections),
        _slurm(_section(sections, "slurm")),
        _package("agents", "grpc", "agents", "agents over gRPC, and `alula agent serve`"),
        *_stores(),
    ]


def rows(found: list[Place]) -> list[Row]:
    return [(one.name, one.state, one.note) for one in found]


def _flytekit(config: WorkersConfig) -> Place:
    """What runs tasks that flytekit registered."""
    if not python_of(config):
        return Place(
            "flytekit", "off", "Alula's own SDK runs its tasks; or name a Python that has it: [workers] python"
        )
    try:
        found = look(config)
    except ConfigError as exc:
        return Place("flytekit", "broken", f"{exc.what}; {exc.fix}")
    how = "in warm workers" if found.warm else f"a process for each attempt{found.why and f', since {found.why}'}"
    return Place("flytekit", "ok", f"flytekit {found.version} of {found.python} runs its tasks, {how}")


async def _containers(section: Mapping[str, Any]) -> list[Place]:
    """The container engine, and what depends on it."""
    if find_spec("aiodocker") is None:
        return [Place(name, "missing", "pip install 'alula[docker]'") for name in ("containers", "images")]
    url = where.find(str(section.get("url", "")))
    if not url:
        looked = ", ".join(str(path) for path in where.usual_sockets(os.environ))
        note = f"no container engine: start Docker or Podman, or set url in [backends.docker] (looked at {looked})"
        return [Place("containers", "missing", note), Place("images", "missing", "built by a container engine")]
    shown = without_password(url)
    try:
        async with asyncio.timeout(_SECONDS), DockerEngine(url, timeout_seconds=_SECONDS) as engine:
            version = await engine.version()
            limits = await engine.limits()
    except (AlulaError, TimeoutError) as exc:
        said = exc.what if isinstance(exc, AlulaError) else f"no answer within {_SECONDS:g} s"
        fix = "start it, or see that you may use it (the group docker)"
        return [Place("containers", "broken", f"{said}; {fix}"), Place("images", "missing", "built by the same engine")]
    name = next((str(one.get("Name")) for one in version.get("Components") or () if one.get("Name")), "Engine")
    kind = "Podman" if "podman" in name.lower() else "Docker"
    platform = f"{version.get('Os', '?')}/{version.get('Arch', '?')}"
    lacking = f"; it cannot limit {', '.join(limits)}" if limits else ""
    note = f"{kind} {version.get('Version', '?')} for {platform} at {shown}{lacking}"
    return [Place("containers", "ok", note), Place("images", "ok", f"{kind} builds them: `alula image build`")]


def _kubernetes(sections: Mapping[str, Any]) -> Place:
    if find_spec("kubernetes_asyncio") is None:
        return Place("kubernetes", "missing", "pip install 'alula[k8s]'")
    section = _section(sections, "k8s")
    given = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    files = [str(section.get("kubeconfig", "")), *given, str(Path.home() / ".kube" / "config")]
    config = next((one for one in files if one and Path(one).expanduser().is_file()), "")
    cluster = str(section.get("url", "")) or config or (str(_ACCOUNT) if _ACCOUNT.exists() else "")
    if not cluster:
        return Place("kubernetes", "missing", "no kubeconfig, and no url in [backends.k8s]")
    if "k8s" not in sections and not {"pod", "spark"} & sections.keys():
        return Place("kubernetes", "off", f"{cluster} is there; write [backends.k8s] in alula.toml")
    return Place("kubernetes", "ok", f"by {cluster} (it was not asked)")


def _slurm(section: Mapping[str, Any]) -> Place:
    if section.get("url"):
        return Place("slurm", "ok", f"by slurmrestd at {section['url']} (it was not asked)")
    folder = str(section.get("commands", ""))
    lacking = [name for name in _SLURM if shutil.which(name, path=folder or None) is None]
    if lacking:
        there = f" in {folder}" if folder else ""
        return Place("slurm", "missing", f"no {', '.join(lacking)}{there}; or set url in [backends.slurm]")
    return Place("slurm", "ok", "its commands are here (it was not asked)")


def _stores() -> Iterator[Place]:
    """Libraries for data that are no files of this machine; whether the place for data works has its own section."""
    yield _package("object stores", "obstore", "", "s3://, gs://, az:// and files")
    yield _package("postgres", "psycopg", "postgres", "a store that several engines share")


def _package(name: str, package: str, extra: str, note: str) -> Place:
    found = False
    with suppress(ModuleNotFoundError, ValueError):
        found = find_spec(package) is not None
    return Place(name, "ok", note) if found else Place(name, "missing", f"pip install 'alula[{extra}]'")


def _section(sections: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = sections.get(name)
    return found if isinstance(found, Mapping) else {}

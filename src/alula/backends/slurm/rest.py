"""A cluster by `slurmrestd`, with a token."""

from __future__ import annotations

import getpass
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alula.backends.slurm.config import SlurmSettings
from alula.backends.slurm.transport import SlurmState, Submission, refused
from alula.errors import PluginError, RemoteError, Throttled

if TYPE_CHECKING:
    import httpx

_GONE = (2017, 2021)
"""Invalid job id; already done."""
_FIELDS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "reservation": "reservation",
    "constraint": "constraints",
    "licenses": "licenses",
    "cpus-per-task": "cpus_per_task",
    "ntasks": "tasks",
    "array": "array",
    "nice": "nice",
}
"""Options of `sbatch` to fields of a job."""


class Rest:
    """Speaks to `slurmrestd`. Made and used on one loop.

    Args:
        token: Asked for every call: tokens are short-lived, and somebody renews them.
    """

    def __init__(self, settings: SlurmSettings, token: Callable[[], Awaitable[str]]) -> None:
        try:
            import httpx
        except ModuleNotFoundError as exc:
            raise PluginError(
                "slurmrestd needs httpx, which is not installed", fix="pip install 'alula[http]'"
            ) from exc

        self._settings, self._token = settings, token
        self._base = f"{settings.url.rstrip('/')}/slurm/{settings.api}"
        self._client: httpx.AsyncClient = httpx.AsyncClient(
            timeout=settings.timeout.total_seconds(), trust_env=False, follow_redirects=False
        )

    async def submit(self, job: Submission) -> int:
        made: dict[str, Any] = {
            "name": job.name,
            "comment": job.comment,
            "requeue": False,
            "environment": dict(job.environment),
            "current_working_directory": job.directory,
            "standard_output": job.log,
            "standard_error": job.log,
            "open_mode": "append",
        }
        for option, value in job.options.items():
            if value:
                made |= _field(option, value)
        status, answer = await self._ask("POST", "/job/submit", {"job": made, "script": job.script})
        if not answer.get("job_id"):
            raise refused(_errors(answer) or f"HTTP status {status}", f"slurmrestd, job {job.name}")
        return int(_number(answer["job_id"]))

    async def named(self, name: str) -> list[SlurmState]:
        return [job for job in await self._all() if job.name == name]

    async def states(self, ids: Sequence[int]) -> list[SlurmState]:
        wanted = set(ids)
        return [job for job in await self._all() if job.id in wanted]

    async def live(self) -> list[SlurmState]:
        return [job for job in await self._all() if job.live]

    async def cancel(self, ids: Sequence[int]) -> None:
        for id in ids:
            status, answer = await self._ask("DELETE", f"/job/{id}")
            if status >= 400 and not _is_gone(answer):
                raise RemoteError(f"slurmrestd did not cancel: {_errors(answer) or status}", where=f"Slurm job {id}")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _all(self) -> list[SlurmState]:
        status, answer = await self._ask("GET", "/jobs")
        if status >= 400 or "jobs" not in answer:
            raise RemoteError(f"slurmrestd lists no jobs: {_errors(answer) or status}", where=self._base)
        return [_state(job) for job in answer["jobs"]]

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Mapping[str, Any]]:
        import httpx

        headers = {
            "X-SLURM-USER-NAME": self._settings.user or getpass.getuser(),
            "X-SLURM-USER-TOKEN": (await self._token()).strip().removeprefix("SLURM_JWT="),
        }
        try:
            response = await self._client.request(method, self._base + path, json=body, headers=headers)
        except httpx.HTTPError as exc:
            raise RemoteError(f"slurmrestd does not answer: {type(exc).__name__} {exc}", where=self._base) from exc
        try:
            answer = response.json() if response.content else {}
        except ValueError:
            answer = {"errors": [{"error": response.text[:200]}]}
        if response.status_code in (401, 403):
            raise RemoteError(
                f"slurmrestd does not take the token: {_errors(answer) or response.status_code}",
                where=self._base,
                fix=f"make a new one (scontrol token lifespan=...) the secret {self._settings.token}",
            )
        if response.status_code == 429:
            raise Throttled("slurmrestd wants to be asked less often", where=self._base)
        return response.status_code, answer if isinstance(answer, dict) else {}


def _field(option: str, value: str | int | bool) -> dict[str, Any]:
    match option:
        case "time":
            return {"time_limit": int(value)}
        case "mem":
            return {"memory_per_node": _mebibytes(str(value))}
        case "nodes":
            return {"nodes": [int(value), int(value)]}
        case "exclusive":
            return {"exclusive": "true"}
        case "gres":
            return {"tres_per_node": f"gres:{value}" if not str(value).startswith("gres") else value}
    return {_FIELDS[option]: value}


def _mebibytes(text: str) -> int:
    unit = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
    last = text[-1:].upper()
    return math.ceil(float(text[:-1]) * unit[last]) if last in unit else int(text)


def _state(job: Mapping[str, Any]) -> SlurmState:
    """One job, in the words of any version of the interface."""
    state = job.get("job_state", "")
    flags = state if isinstance(state, list) else [state]
    main = next((flag for flag in flags if flag in ("COMPLETING", "CONFIGURING")), flags[0] if flags else "")
    code = job.get("exit_code", 0)
    if isinstance(code, Mapping):
        signal = code.get("signal") or {}
        code = int(_number(code.get("return_code"))) << 8 | int(_number(signal.get("id", signal.get("signal_id"))))
    id = int(_number(job.get("array_job_id", 0))) or int(_number(job.get("job_id", 0)))
    reason = str(job.get("state_reason", ""))
    nodes = str(job.get("nodes", ""))
    return SlurmState(id, str(job.get("name", "")), str(main), "" if reason == "None" else reason, int(code), nodes)


def _number(value: Any) -> float:
    """A number, or what newer versions make of one: `{"set": true, "number": 7}`."""
    if isinstance(value, Mapping):
        return float(value.get("number", 0)) if value.get("set") else 0
    return float(value or 0)


def _errors(answer: Mapping[str, Any]) -> str:
    said = [str(one.get("description") or one.get("error") or one) for one in answer.get("errors", []) or []]
    return "; ".join(said)[:300]


def _is_gone(answer: Mapping[str, Any]) -> bool:
    return any((one.get("error_number") or one.get("error_code")) in _GONE for one in answer.get("errors", []) or [])

"""CPU, memory, GPUs and disk that a task asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeGuard

from alula.errors import CallError
from alula.idl import Resources as ResourcesMessage

_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?")
_FACTORS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY_FACTORS = {unit + "i": 1024.0 ** (power + 1) for power, unit in enumerate("KMGTPE")}

_CONTAINER_ORDER = ("ephemeral_storage", "cpu", "gpu", "mem")
_OVERRIDE_ORDER = ("cpu", "mem", "gpu", "ephemeral_storage")
"""Order of the entries as flytekit 1.16 writes them, in a container and in a node's overrides."""

_NAMES = {
    "cpu": ResourcesMessage.CPU,
    "mem": ResourcesMessage.MEMORY,
    "gpu": ResourcesMessage.GPU,
    "ephemeral_storage": ResourcesMessage.EPHEMERAL_STORAGE,
}

Amount = str | int | float


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of each resource, in the quantities of Kubernetes: `Resources(cpu="500m", mem="2Gi", gpu=1)`.

    Given as `@task(resources=...)`, an amount may also be a pair of request and limit: `cpu=("1", "2")`.

    Args:
        cpu: Cores.
        mem: Bytes.
        gpu: Devices.
        ephemeral_storage: Bytes of scratch disk.

    Raises:
        CallError: Some amount is no quantity; the message lists all of them.
    """

    cpu: Amount | tuple[Amount, Amount] | list[Amount] | None = None
    mem: str | int | tuple[str | int, str | int] | list[str | int] | None = None
    gpu: str | int | tuple[str | int, str | int] | list[str | int] | None = None
    ephemeral_storage: str | int | tuple[str | int, str | int] | list[str | int] | None = None

    def __post_init__(self) -> None:
        faults = [f"{name}={value!r} {fault}" for name, value in self._given() if (fault := _fault(name, value))]
        if faults:
            raise CallError(
                "; ".join(faults),
                where="Resources(...)",
                fix='write amounts like cpu="500m", mem="2Gi", gpu=1, and a request with its limit as ("1", "2")',
            )

    def _given(self) -> Iterator[tuple[str, object]]:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None:
                yield each.name, value


class ResourceSpec(NamedTuple):
    """What a task asks for, and what it may use at most."""

    requests: Resources
    limits: Resources

    @classmethod
    def from_multiple_resource(cls, resource: Resources) -> ResourceSpec:
        """Take the pairs of `resource` apart. A single amount is a request; it sets no limit."""
        requests: dict[str, object] = {}
        limits: dict[str, object] = {}
        for name, value in resource._given():
            if _paired(value):
                requests[name], limits[name] = value
            else:
                requests[name] = value
        return cls(Resources(**requests), Resources(**limits))  # type: ignore[arg-type]


def resource_spec(
    requests: Resources | None = None, limits: Resources | None = None, resources: Resources | None = None
) -> ResourceSpec:
    """The three keyword arguments of a task or of `with_overrides` as one value.

    Raises:
        CallError: `resources` comes with another one, an argument is no Resources, or `requests` or `limits` hold a
            pair.
    """
    for name, value in (("requests", requests), ("limits", limits), ("resources", resources)):
        if value is not None and not isinstance(value, Resources):
            raise CallError(
                f"{name} takes a Resources value, got {type(value).__name__}: {value!r:.80}",
                fix=f"write {name}=Resources(cpu=..., mem=...)",
            )
    if resources is not None:
        if requests is not None or limits is not None:
            raise CallError(
                "resources= says it all, so requests= and limits= cannot stand beside it",
                where=f"{resources!r} with requests={requests!r}, limits={limits!r}",
                fix='give only resources=, with pairs for requests and limits: Resources(cpu=("1", "2"))',
            )
        return ResourceSpec.from_multiple_resource(resources)
    for name, given in (("requests", requests), ("limits", limits)):
        pairs = [f"{field}={value!r}" for field, value in given._given() if _paired(value)] if given else []
        if pairs:
            raise CallError(
                f"{name} takes one amount of each resource, not a pair: {', '.join(pairs)}",
                where=f"{name}={given!r}",
                fix="give single amounts, or one resources= argument with pairs of request and limit",
            )
    return ResourceSpec(requests or Resources(), limits or Resources())


def above_limits(spec: ResourceSpec) -> list[str]:
    """What is requested beyond its limit, for people."""
    limits = dict(spec.limits._given())
    return [
        f"{name} is requested as {request!r}, which is more than its limit {limits[name]!r}"
        for name, request in spec.requests._given()
        if name in limits and _number(request) > _number(limits[name])
    ]


def to_message(
    requests: Resources | None = None,
    limits: Resources | None = None,
    resources: Resources | None = None,
    *,
    override: bool = False,
) -> ResourcesMessage:
    """What a container asks for; empty if nothing is given.

    Args:
        override: For a node's overrides, which order the entries in another way and keep zeros.

    Raises:
        CallError: See `resource_spec`.
    """
    spec = resource_spec(requests, limits, resources)
    message = ResourcesMessage()
    for given, entries in ((spec.requests, message.requests), (spec.limits, message.limits)):
        for name in _OVERRIDE_ORDER if override else _CONTAINER_ORDER:
            value = getattr(given, name)
            if value is not None and (value or override):
                entries.add(name=_NAMES[name], value=str(value))
    return message


def _paired(value: object) -> TypeGuard[tuple[Any, ...] | list[Any]]:
    return isinstance(value, (tuple, list))


def _fault(name: str, value: object) -> str:
    """What is wrong with an amount; empty if nothing is."""
    if _paired(value):
        if len(value) != 2:
            return f"is not a request and a limit, but {len(value)} amounts"
        faults = [fault for part in value if (fault := _fault(name, part))]
        if faults:
            return faults[0]
        request, limit = (_number(part) for part in value)
        return "requests more than its limit" if request > limit else ""
    kinds = (str, int, float) if name == "cpu" else (str, int)
    if isinstance(value, bool) or not isinstance(value, kinds):
        words = " or ".join(kind.__name__ for kind in kinds)
        return f"is neither {words} nor a pair of them"
    return "" if _QUANTITY.fullmatch(str(value)) else "is not a quantity"


def _number(value: object) -> float:
    match = _QUANTITY.fullmatch(str(value))
    assert match  # `_fault` has checked it
    number, unit = match.groups()
    if not unit:
        return float(number)
    if unit in _BINARY_FACTORS:
        return float(number) * _BINARY_FACTORS[unit]
    return float(number) * _FACTORS[unit] if unit in _FACTORS else float(number + unit)

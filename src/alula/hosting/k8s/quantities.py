"""Amounts as Kubernetes writes them: `100m`, `1.5`, `64Mi`, `1e3`; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

_FACTORS = {
    "": Decimal(1),
    **{name: Decimal(10) ** power for name, power in zip("num", (-9, -6, -3), strict=True)},
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}
_FORM = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")
_EXCEEDED = re.compile(
    r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.*), used: (?P<used>.*), limited: (?P<limited>.*)"
)


def amount(text: str) -> Decimal | None:
    """What a quantity says; None: it is none. Source: kubernetes apimachinery, resource.Quantity."""
    found = _FORM.fullmatch(text.strip())
    factor = _FACTORS.get(found[2]) if found else None
    if found is None or factor is None:
        return None
    try:
        return Decimal(found[1]) * factor
    except InvalidOperation:
        return None


def over(asked: Mapping[str, str], limits: Mapping[str, str]) -> list[str]:
    """The names of what is asked for beyond a limit, sorted. What cannot be read is for the API server to judge."""
    found = []
    for name in sorted(asked.keys() & limits.keys()):
        want, most = amount(asked[name]), amount(limits[name])
        if want is not None and most is not None and want > most:
            found.append(name)
    return found


def exceeded(message: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """What was asked for and what the whole quota is, out of a refusal for quota; None: it is about something else."""
    found = _EXCEEDED.search(message)
    if found is None:
        return None
    return _pairs(found["requested"]), _pairs(found["limited"])


def _pairs(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in text.split(","))
    return {name.strip(): value.strip() for name, _, value in pairs if value}

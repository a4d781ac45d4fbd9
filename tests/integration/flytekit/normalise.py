"""Two specs of the same entity, reduced to what must be equal.

What may differ between flytekit and Alula, and is taken out or given a common name here: which SDK wrote the spec, how
a container is told to run the user's function, the environment that only an SDK reads, the digest in the name of a map
task, the ids of failure nodes, descriptions without a word, and orders that mean nothing. All else must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

EXECUTORS = re.compile(r"^(pyflyte|alula)-(fast-|map-)*execute$")
SDK_VARIABLES = re.compile(r"^(_F_|_FLYTE|FLYTE_|ALULA_|_ALULA)")
MAP_NAME = re.compile(r"\.map_(\w+)_[0-9a-f]{32}-arraynode\b")
LEAKED_ID = re.compile(r"^fn(\d+)$")

Spec = dict[str, Any]


def normalise(spec: Any) -> Any:
    """A spec, as `MessageToDict` gives it with the field names of the .proto files, in its common form."""
    for step in (_names, _containers, _runtime, _descriptions, _orders, _templates):
        spec = _everywhere(spec, step)
    return spec


def _everywhere(value: Any, step: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        value = {_text(step, k): _everywhere(v, step) for k, v in value.items()}
    elif isinstance(value, list):
        value = [_everywhere(v, step) for v in value]
    return step(value)


def _text(step: Callable[[Any], Any], key: str) -> str:
    return str(step(key)) if step is _names else key


def _names(value: Any) -> Any:
    """Map tasks of the same function share a name: the digest in it covers settings that the spec shows anyway."""
    return MAP_NAME.sub(r".map_\1", value) if isinstance(value, str) else value


def _containers(value: Any) -> Any:
    """The command that runs a user's function becomes a mark; one that the user wrote stays."""
    if not isinstance(value, dict) or "image" not in value:
        return value
    made = {k: v for k, v in value.items() if k not in ("args", "command", "env")}
    words = [*value.get("command", ()), *value.get("args", ())]
    if words and EXECUTORS.match(words[0]):
        made["runs"] = "the user's function"
    else:
        made |= {k: value[k] for k in ("command", "args") if value.get(k)}
    env = {one.get("key") or one["name"]: one.get("value", "") for one in value.get("env", ())}
    made["env"] = {k: v for k, v in env.items() if not SDK_VARIABLES.match(k)}
    return made


def _runtime(value: Any) -> Any:
    """Who wrote the spec."""
    if isinstance(value, dict) and "runtime" in value:
        return {k: v for k, v in value.items() if k != "runtime"}
    return value


def _descriptions(value: Any) -> Any:
    """One that says nothing is none."""
    if isinstance(value, dict) and value.get("description") == {
        "long_description": {"format": "DESCRIPTION_FORMAT_RST"}
    }:
        return {k: v for k, v in value.items() if k != "description"}
    return value


def _orders(value: Any) -> Any:
    """Upstream nodes and resources are sets."""
    if not isinstance(value, dict):
        return value
    made = dict(value)
    if "upstream_node_ids" in made:
        made["upstream_node_ids"] = sorted(made["upstream_node_ids"])
    for key in ("requests", "limits"):
        if isinstance(made.get(key), list):
            made[key] = sorted(made[key], key=lambda one: str(one.get("name")))
    return made


def _templates(value: Any) -> Any:
    """A failure node is `fn0`, in flytekit's imperative workflows `efn`.

    And a workflow that flytekit first compiles as the failure handler of another has nodes `fn0`, `fn1` for `n0`, `n1`.
    """
    if not (isinstance(value, dict) and isinstance(value.get("nodes"), list)):
        return value
    ids = [node["id"] for node in value["nodes"]]
    plain = {id: LEAKED_ID.sub("n\\1", id) for id in ids if LEAKED_ID.match(id)}
    inside = {k: v for k, v in value.items() if k != "failure_node"}
    made = _everywhere(inside, lambda one: plain.get(one, one) if isinstance(one, str) else one) if plain else inside
    return made | ({"failure_node": {**value["failure_node"], "id": "fn0"}} if "failure_node" in value else {})

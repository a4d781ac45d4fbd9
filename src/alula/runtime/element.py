"""Which item of a mapped task a container runs."""

from __future__ import annotations

from collections.abc import Mapping

from alula.errors import ConfigError
from alula.idl import LiteralMap


def element_inputs(bound: frozenset[str], inputs: LiteralMap, environment: Mapping[str, str]) -> LiteralMap:
    """The inputs of one item: its element of every list, and all that is bound.

    A list of one is what an engine cut out for this item, wherever that stood.

    Raises:
        ConfigError: the platform passed no index, or one beyond the lists.
    """
    index = element_index(environment)
    made = LiteralMap()
    for name, lit in inputs.literals.items():
        if name in bound or not lit.HasField("collection"):
            made.literals[name].CopyFrom(lit)
            continue
        items = lit.collection.literals
        at = 0 if len(items) == 1 else index
        if at >= len(items):
            raise ConfigError(
                f"item {index} of a mapped task is asked for, and the list '{name}' has {len(items)}",
                fix="count items from 0, and pass the inputs that the map was planned with",
            )
        made.literals[name].CopyFrom(items[at])
    return made


def element_index(environment: Mapping[str, str]) -> int:
    """The item's index, as array services and Flyte pass it: a variable that names a variable, and an offset."""
    variable = environment.get("BATCH_JOB_ARRAY_INDEX_VAR_NAME", "")
    passed = [
        ("BATCH_JOB_ARRAY_INDEX_OFFSET", environment.get("BATCH_JOB_ARRAY_INDEX_OFFSET", "")),
        *([(variable, environment.get(variable, "none"))] if variable else []),
    ]
    numbers = [(name, value) for name, value in passed if value]
    if not numbers:
        raise ConfigError(
            "a mapped task is started without the index of its item",
            where="environment variable BATCH_JOB_ARRAY_INDEX_VAR_NAME",
            fix="let it name the variable that holds the index",
        )
    for name, value in numbers:
        if not value.isdecimal():
            raise ConfigError(
                f"the index of the item is {value!r}, which is no number",
                where=f"environment variable {name}",
                fix="pass a number from 0 upwards",
            )
    return sum(int(value) for _, value in numbers)

"""Nodes as flytekit shows them, each around one of Alula's."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from alula.compat.flytekit.core.promise import Promise, _guard, _overrides, show_nodes_as, unwrapped
from alula.compat.flytekit.models.core.workflow import NodeMetadata
from alula.compat.flytekit.models.literals import Binding
from alula.compat.names import mirror
from alula.data.workspace import workspace
from alula.sdk import walk
from alula.sdk.compiler import SerializationSettings
from alula.sdk.graph import START, Entity
from alula.sdk.graph import Node as Ours
from alula.sdk.kinds import Compilation
from alula.sdk.local import place_at
from alula.sdk.wire import binding

_MIRRORED: WeakKeyDictionary[Entity, Any] = WeakKeyDictionary()
"""By entity of Alula's: the object that the program knows."""


def mirrors(entity: Entity, theirs: Any) -> None:
    """Remember which object of the program an entity belongs to."""
    _MIRRORED[entity] = theirs


def mirrored(entity: Entity | None) -> Any:
    """The object of the program that an entity belongs to; the entity itself if there is none."""
    return _MIRRORED.get(entity, entity) if entity is not None else None


_SHOWN: WeakValueDictionary[int, Node] = WeakValueDictionary()
"""By id of a node of Alula's, which its value keeps alive."""


class Mirror:
    """An object of the program that runs as an entity of Alula's."""

    _held: Any

    @property
    def __alula_entity__(self) -> Any:
        return self._held

    def _hold(self, entity: Any) -> None:
        self.__dict__["_held"] = entity
        mirrors(entity, self)


class Node:
    """One step of a workflow."""

    __slots__ = ("__weakref__", "_ours")
    _ours: Ours

    def __new__(cls, ours: Ours) -> Node:
        """The one object for a node, as long as somebody has it."""
        made = _SHOWN.get(id(ours))
        if made is None:
            made = _SHOWN[id(ours)] = super().__new__(cls)
            made._ours = ours
        return made

    @property
    def id(self) -> str:
        return "" if self._ours.id == START else self._ours.id

    @property
    def name(self) -> str:
        return self._ours.title

    @property
    def outputs(self) -> dict[str, Promise]:
        return {name: Promise(each) for name, each in self._ours.outputs.items()}

    @property
    def flyte_entity(self) -> Any:
        return mirrored(self._ours.entity)

    run_entity = flyte_entity

    @property
    def upstream_nodes(self) -> list[Node]:
        return [Node(each) for each in walk.dependencies(self._ours) if each.id != START]

    @property
    def bindings(self) -> list[Binding]:
        here = workspace()
        place = place_at(here.prefix, here.objects)
        bound = self._ours.bindings
        return [Binding.from_flyte_idl(binding(name, bound[name], place)) for name in sorted(bound)]

    @property
    def metadata(self) -> NodeMetadata:
        message = Compilation(SerializationSettings()).node(self._ours)
        made: NodeMetadata = NodeMetadata.from_flyte_idl(message.metadata)
        return made

    def with_overrides(self, *args: Any, **kwargs: Any) -> Node:
        _guard(lambda: self._ours.with_overrides(**_overrides(args, kwargs)))
        return self

    def runs_before(self, other: Any) -> None:
        self >> other

    def __rshift__(self, other: Any) -> Any:
        target = unwrapped(other)
        self._ours >> (target if isinstance(target, Ours) else target._node)
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._ours, name)
        return Promise(found) if name in self._ours.outputs else found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self._ours is other._ours

    def __hash__(self) -> int:
        return hash(self._ours)

    _id, _bindings, _upstream_nodes, _metadata = id, bindings, upstream_nodes, metadata

    def __repr__(self) -> str:
        return f"Node(ID: {self.id} Upstream: {[each.id for each in self.upstream_nodes]})"


show_nodes_as(Node)
__getattr__, __dir__ = mirror(__name__, {})

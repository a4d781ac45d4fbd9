"""Frozen dataclasses with slots that are made and changed a million times: the same classes, several times as fast.

The standard library sets each field of a frozen class by a call around its own guard. Here an object is made as one
of an open class with the same slots, which is an ordinary and fast thing to fill, and gets its true class at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import replace as replace

    def quick(kind: type[T]) -> type[T]:
        """Make objects of a dataclass faster; above `@dataclass(frozen=True, slots=True)`.

        All fields are in slots; no `__post_init__`, no `InitVar`, and who derives from it is decorated as well.
        """
        return kind

else:
    from dataclasses import MISSING, fields

    _copiers = {}

    def replace(record, /, **changes):
        """The record with some fields changed. The same classes as for `quick`."""
        kind = type(record)
        copier = _copiers.get(kind)
        if copier is None:
            copier = _copiers[kind] = _copier(kind)
        return copier(record, changes)

    def quick(kind):
        parameters, lines, space = ["_"], [], {"_missing": MISSING}
        for field in fields(kind):
            name, value = field.name, field.name
            if field.kw_only and "*" not in parameters:
                parameters.append("*")
            if field.default_factory is not MISSING:
                space[f"_make_{name}"] = field.default_factory
                value = f"_make_{name}() if {name} is _missing else {name}"
            default = "" if field.default is MISSING and field.default_factory is MISSING else f"=_default_{name}"
            space[f"_default_{name}"] = field.default
            parameters.append(name + default)
            lines.append(f"_new.{name} = {value}")
        kind.__new__ = _written("__new__", parameters, lines, kind, space)
        kind.__init__ = object.__init__
        kind.__reduce__ = lambda self: (_again, (kind, {name: getattr(self, name) for name in _names(kind)}))
        return kind

    def _copier(kind):
        lines = [f"_new.{name} = record.{name}" for name in _names(kind)]
        lines += ["for name, value in changes.items():", "    _setters[name](_new, value)"]
        return _written("copier", ["record", "changes"], lines, kind, {})

    def _written(name, parameters, lines, kind, space):
        """A function that makes an object of a class. Its own names begin with `_`, which those of fields do not."""
        opened = type(kind.__name__, kind.__bases__, {"__slots__": kind.__slots__, "__setattr__": object.__setattr__})
        setters = {name: getattr(opened, name).__set__ for name in _names(kind)}
        space |= {"_create": object.__new__, "_opened": opened, "_setters": setters, "_kind": kind}
        lines = ["_new = _create(_opened)", *lines, "_new.__class__ = _kind", "return _new"]
        exec("\n    ".join([f"def {name}({', '.join(parameters)}):", *lines]), space)
        return space[name]

    def _names(kind):
        return [field.name for field in fields(kind)]

    def _again(kind, values):
        """What was pickled or copied."""
        return kind(**values)

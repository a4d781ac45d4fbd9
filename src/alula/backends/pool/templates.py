"""Task templates, each read once: its number on the wire, its bytes, and what it needs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from alula.backends.pool import needs
from alula.backends.pool.needs import Code, Need
from alula.idl import TaskTemplate

_MOST = 4096
"""Templates that are remembered; one that was forgotten is read again, under another number."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know about a template."""

    template: TaskTemplate
    """Held, so that no other message gets its id."""
    number: int
    content: bytes
    code: Code
    module: str
    refusal: str
    need: Need
    """Without overrides. A quantity that is none is part of the refusal."""


class Templates:
    """The templates of jobs, by identity and by content."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[int, Known] = OrderedDict()
        self._by_content: OrderedDict[bytes, Known] = OrderedDict()
        self._numbers = 0

    def known(self, template: TaskTemplate) -> Known:
        """What there is to know about a template, which nobody may change any more."""
        found = self._by_id.get(id(template))
        if found is None:
            content = template.SerializeToString(deterministic=True)
            found = self._by_content.get(content) or self._read(template, content)
            self._by_content[content] = found
            found = found if found.template is template else replace(found, template=template)
            self._by_id[id(template)] = found
            for kept in (self._by_id, self._by_content):
                if len(kept) > _MOST:
                    kept.popitem(last=False)
        return found

    def _read(self, template: TaskTemplate, content: bytes) -> Known:
        self._numbers += 1
        code, module = needs.code(template)
        refusal, need = needs.refusal(template), Need()
        try:
            need = needs.need(template, None)
        except ValueError as exc:
            refusal = refusal or f"task '{template.id.name}' asks for resources that cannot be read: {exc}"
        return Known(template, self._numbers, content, code, module, refusal, need)

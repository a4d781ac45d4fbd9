"""Python values as flyteidl literals: one file per family of types.

What lives here: the contract `TypeTransformer`, the registry that finds one for a declared type, and the families.
What does not: bytes and where they live (room `data`), messages (room `idl`), functions that use values (room `sdk`).
Who may import it: `sdk` and everything above, except the server side, which never needs the Python type.
Where to add one: one new file with a `transformers` list, and a line under the entry-point group `alula.types`
whose name is the top-level package that triggers it (`pandas`, `torch`); nothing else changes.
"""

from alula.types.registry import Registry, default
from alula.types.transformer import Converter, Place, Types, TypeTransformer

register = default.register

__all__ = ["Converter", "Place", "Registry", "TypeTransformer", "Types", "default", "register"]

"""Where primitives are registered: the table by name, filled by the modules beside it."""

from __future__ import annotations

from symgrad.lang.nodes import Primitive

PRIMITIVES: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
    """Enter a primitive into the table; a name is taken once."""
    if primitive.name in PRIMITIVES:
        raise ValueError(f"there is a primitive named {primitive.name!r} already")
    PRIMITIVES[primitive.name] = primitive
    return primitive

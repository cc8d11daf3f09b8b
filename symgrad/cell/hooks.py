"""What later layers add to a cell: name of the operation -> function of the cell.

``Cell`` stands below the graph and may not import it; a layer above registers its
operation here when it is imported, and the method of the cell looks it up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: ``unroll``: ``(cell, T) -> Graph``, filled by ``symgrad.graph``.
HOOKS: dict[str, Callable[..., Any]] = {}


def hook(name: str, module: str) -> Callable[..., Any]:
    """The registered operation.

    Raises:
        RuntimeError: the layer that provides it has not been imported.
    """
    found = HOOKS.get(name)
    if found is None:
        raise RuntimeError(f"nothing provides {name!r} yet: import {module} first")
    return found

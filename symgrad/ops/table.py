"""THE table of primitives, put together and bound to the operators of nodes.

Each derivative is written once, in one of three parts: ``elementwise``, ``linear`` and
``columns``. ``functions`` has what a declaration writes.
"""

from __future__ import annotations

from symgrad.lang.nodes import OPERATORS
from symgrad.ops import columns, elementwise, linear
from symgrad.ops.build import bind
from symgrad.ops.registry import PRIMITIVES

__all__ = ["PRIMITIVES", "columns", "elementwise", "linear"]

bind(PRIMITIVES, OPERATORS)

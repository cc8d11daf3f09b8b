"""The unrolled graph as SymPy equations, one a node."""

from __future__ import annotations

from typing import Any

import sympy

from symgrad.errors import UsageError
from symgrad.evaluate.exchange import to_sympy
from symgrad.graph import Graph


def sympy_equations(graph: Graph) -> tuple[Any, ...]:
    """``Eq(h(1), tanh(…)), …`` in the order of evaluation; nothing is substituted.

    Raises:
        UsageError: the graph is of the vector reading; unroll ``cell.scalar()``.
    """
    if not graph.cell.is_scalar:
        raise UsageError("SymPy equations exist in the scalar reading; unroll cell.scalar()")
    return tuple(
        sympy.Eq(to_sympy(e.target), to_sympy(e.value), evaluate=False) for e in graph.equations
    )

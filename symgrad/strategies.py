"""Strategies for property tests of cells and gradients with Hypothesis.

Values include those that break derivatives: exact and negative zero, 1e-300, 1e3, and
±40, where tanh and σ are flat in float64. Needs the extra: ``pip install "symgrad[testing]"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    raise ImportError(
        "symgrad.strategies needs Hypothesis; install it with: pip install 'symgrad[testing]'"
    ) from error

import numpy as np

from symgrad.cell import Cell
from symgrad.cells import CATALOGUE
from symgrad.lang.nodes import Param, Shape, Signal

#: Values at which derivatives vanish, overflow or lose their sign.
EXTREME = (0.0, -0.0, 1e-300, -1e-300, 1e3, -1e3, 40.0, -40.0, 1.0, -1.0)


def values(*, extreme: bool = True) -> st.SearchStrategy[float]:
    """Real numbers: between -2 and 2, and (unless told otherwise) extreme ones."""
    ordinary = st.floats(-2.0, 2.0, allow_nan=False, allow_subnormal=False)
    return st.one_of(ordinary, st.sampled_from(EXTREME)) if extreme else ordinary


def cells(*, reading: str | None = None) -> st.SearchStrategy[Cell]:
    """Cells of the catalogue; ``reading`` is ``vector``, ``scalar`` or None for both."""
    if reading not in (None, "vector", "scalar"):
        raise ValueError(f"reading={reading!r}: use 'vector', 'scalar' or None")
    found: list[Cell] = []
    for cell in CATALOGUE.values():
        found += [cell] if reading != "scalar" else []
        found += [cell.scalar()] if reading != "vector" else []
    return st.sampled_from(found)


def horizons(largest: int = 8) -> st.SearchStrategy[int]:
    """T = 0, 1, …; shrinks to the smallest."""
    return st.integers(0, largest)


def sizes(cell: Cell, largest: int = 3) -> st.SearchStrategy[dict[str, int]]:
    """A value of every symbolic size of a cell; empty in the scalar reading."""
    return st.fixed_dictionaries({name: st.integers(1, largest) for name in cell.size_names})


def parameters(
    cell: Cell, sizes: Mapping[str, int] | None = None, *, extreme: bool = True
) -> st.SearchStrategy[dict[str, Any]]:
    """A value of every parameter by name: a float, or in the vector reading an array.

    ``sizes`` are the values of n, m, …, needed in the vector reading.
    """
    return _by_name(cell, cell.params, sizes, extreme)


def initial_states(
    cell: Cell, sizes: Mapping[str, int] | None = None, *, extreme: bool = True
) -> st.SearchStrategy[dict[str, Any]]:
    """A value at time 0 of every state by name."""
    return _by_name(cell, cell.states, sizes, extreme)


def sequences(
    cell: Cell,
    T: int,
    sizes: Mapping[str, int] | None = None,
    *,
    extreme: bool = True,
) -> st.SearchStrategy[dict[str, list[Any]]]:
    """T values of every input by name; the value at time t is entry t - 1."""
    return st.fixed_dictionaries(
        {
            entry.name: st.lists(
                _array(_shape(cell, entry.shape, sizes), cell, extreme), min_size=T, max_size=T
            )
            for entry in cell.inputs
        }
    )


def _by_name(
    cell: Cell,
    nodes: Iterable[Param | Signal],
    sizes: Mapping[str, int] | None,
    extreme: bool,
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {node.name: _array(_shape(cell, node.shape, sizes), cell, extreme) for node in nodes}
    )


def _shape(cell: Cell, shape: Shape, sizes: Mapping[str, int] | None) -> tuple[int, int]:
    needed = sorted({name for size in shape for name in size.names} - set(sizes or {}))
    if needed:
        raise ValueError(
            f"cell {cell.name!r} in the vector reading needs sizes: no value of {needed[0]!r}; "
            "pass sizes={...}, or use cell.scalar()"
        )
    return (shape[0].value(sizes or {}), shape[1].value(sizes or {}))


def _array(shape: tuple[int, int], cell: Cell, extreme: bool) -> st.SearchStrategy[Any]:
    number = values(extreme=extreme)
    if cell.is_scalar:
        return number
    rows, columns = shape
    flat = st.lists(number, min_size=rows * columns, max_size=rows * columns)
    return flat.map(lambda entries: np.array(entries).reshape(rows, columns))

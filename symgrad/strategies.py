"""Strategies for property tests of cells and gradients with Hypothesis.

``runs`` draws whole runs: a cell, an objective and all numbers; a failing one is shrunk and
printed as the call that makes it again. Values include those that break derivatives:
signed zeros, subnormal, tiny and huge numbers, and such at which tanh and σ are flat in
float64. Needs the extra: ``pip install "symgrad[testing]"``.
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

from symgrad.adjoint import Objective, final, loss, summed
from symgrad.cell import Cell
from symgrad.cells import CATALOGUE
from symgrad.lang.nodes import Node, Param, Shape, Signal
from symgrad.testing.generated import Choose, generated_cell
from symgrad.testing.runs import DATA, Run, make_run, user_shape

#: Kinds of values at which derivatives vanish, overflow or lose their sign.
KINDS: Mapping[str, tuple[float, ...]] = {
    "unit": (1.0, -1.0),
    "signed zero": (0.0, -0.0),
    "saturating": (40.0, -40.0, 20.0, -20.0),
    "tiny": (1e-300, -1e-300, 1e-8, -1e-8),
    "subnormal": (5e-324, -5e-324, 1e-310, -1e-310),
    "huge": (1e3, -1e3, 1e8, -1e8),
}
#: All of them.
EXTREME = tuple(value for kind in KINDS.values() for value in kind)


def values(*, extreme: bool = True, kinds: Iterable[str] | None = None) -> st.SearchStrategy[float]:
    """Real numbers: 0 and 1e-6 to 2 of either sign, and (unless told otherwise) extreme ones.

    ``kinds``: names of ``KINDS``, for those instead of all; the ordinary ones always are there.
    """
    floats = st.floats(-2.0, 2.0, allow_nan=False, allow_subnormal=False)
    ordinary = floats.filter(lambda value: value == 0 or abs(value) >= 1e-6)
    chosen = list(KINDS if kinds is None else kinds) if extreme else []
    unknown = [kind for kind in chosen if kind not in KINDS]
    if unknown:
        raise ValueError(f"kinds={unknown}: use some of {', '.join(KINDS)}")
    drawn = [value for kind in chosen for value in KINDS[kind]]
    return st.one_of(ordinary, st.sampled_from(drawn)) if drawn else ordinary


def cells(*, reading: str | None = None) -> st.SearchStrategy[Cell]:
    """Cells of the catalogue; ``reading`` is ``vector``, ``scalar`` or None for both."""
    _check(reading)
    found: list[Cell] = []
    for cell in CATALOGUE.values():
        found += [cell] if reading != "scalar" else []
        found += [cell.scalar()] if reading != "vector" else []
    return st.sampled_from(found)


@st.composite
def random_cells(draw: st.DrawFn, *, reading: str | None = None) -> Cell:
    """Small cells of any kind: one or two states, gates, with or without inputs and a readout.

    Activations are smooth, and a denominator is at least 1, so there is a gradient everywhere.
    """
    _check(reading)

    def choose(options: Any) -> Any:
        return draw(st.sampled_from(list(options)))

    chooser: Choose = choose
    cell = generated_cell(chooser)
    scalar = reading == "scalar" or (reading is None and draw(st.booleans()))
    return cell.scalar() if scalar else cell


def horizons(largest: int = 8, *, smallest: int = 0) -> st.SearchStrategy[int]:
    """T = 0, 1, …; shrinks to the smallest."""
    return st.integers(smallest, largest)


def sizes(cell: Cell, largest: int = 3) -> st.SearchStrategy[dict[str, int]]:
    """A value of every symbolic size of a cell; empty in the scalar reading."""
    return st.fixed_dictionaries({name: st.integers(1, largest) for name in cell.size_names})


def parameters(
    cell: Cell,
    sizes: Mapping[str, int] | None = None,
    *,
    extreme: bool = True,
    kinds: Iterable[str] | None = None,
) -> st.SearchStrategy[dict[str, Any]]:
    """A value of every parameter by name: a float, or in the vector reading an array.

    ``sizes`` are the values of n, m, …, needed in the vector reading; arrays are those of the
    language, of shape (rows, columns). ``extreme`` and ``kinds`` as of ``values``.
    """
    return _by_name(cell, cell.params, sizes, values(extreme=extreme, kinds=kinds))


def initial_states(
    cell: Cell,
    sizes: Mapping[str, int] | None = None,
    *,
    extreme: bool = True,
    kinds: Iterable[str] | None = None,
) -> st.SearchStrategy[dict[str, Any]]:
    """A value at time 0 of every state by name."""
    return _by_name(cell, cell.states, sizes, values(extreme=extreme, kinds=kinds))


def sequences(
    cell: Cell,
    T: int,
    sizes: Mapping[str, int] | None = None,
    *,
    extreme: bool = True,
    kinds: Iterable[str] | None = None,
) -> st.SearchStrategy[dict[str, list[Any]]]:
    """T values of every input by name; the value at time t is entry t - 1."""
    number = values(extreme=extreme, kinds=kinds)
    return st.fixed_dictionaries(
        {
            entry.name: st.lists(
                _array(_shape(cell, entry.shape, sizes), cell, number), min_size=T, max_size=T
            )
            for entry in cell.inputs
        }
    )


def objectives(cell: Cell) -> st.SearchStrategy[Objective]:
    """L of a cell: of the last step, a sum, a mean, or half the squared error."""
    return st.sampled_from(
        [
            final(cell),
            summed(cell),
            summed(cell).over_mean(),
            loss(cell, squared=True),
            loss(cell, squared=True, last_only=True),
            loss(cell),
        ]
    )


@st.composite
def runs(
    draw: st.DrawFn,
    cell: Cell | st.SearchStrategy[Cell] | None = None,
    objective: Objective | None = None,
    *,
    T: int | st.SearchStrategy[int] | None = None,
    largest_size: int = 3,
    extreme: bool = True,
    kinds: Iterable[str] | None = None,
) -> Run:
    """A cell, an objective and all numbers of one run, shrinking to small ones of each.

    ``run.arguments()`` are the arguments of ``Compiled.gradient`` and of ``gradients_by``; the
    run prints itself as the call of ``symgrad.testing.make_run`` that makes it again.

    Args:
        cell: one cell, or a strategy; default: those of the catalogue and random ones.
        objective: default: any of ``objectives(cell)``.
        T: a number or a strategy; default: 1 to 8.
        largest_size: of n, m, … in the vector reading.
        extreme, kinds: as of ``values``.
    """
    if cell is None:
        cell = st.one_of(cells(), random_cells())
    chosen = cell if isinstance(cell, Cell) else draw(cell)
    target = draw(objectives(chosen)) if objective is None else objective
    if T is None:
        T = horizons(smallest=1)
    horizon = T if isinstance(T, int) else draw(T)
    size = draw(sizes(chosen, largest_size))
    number = values(extreme=extreme, kinds=kinds)

    def drawn(node: Node, *time: int) -> Any:
        shape = (*time, *(() if chosen.is_scalar else user_shape(node.shape, size)))
        count = int(np.prod(shape))
        return np.array(draw(st.lists(number, min_size=count, max_size=count))).reshape(shape)

    data: dict[str, Any] = {}
    kind = DATA[target.kind]
    if kind != "cotangent" or isinstance(target.cotangent, Param):
        timed = (horizon,) if kind != "cotangent" and target.when == "sum" else ()
        data[kind] = drawn(target.signal, *timed)
    params = {p.name: drawn(p) for p in chosen.params}
    coefficients = [rho for _, rho in target.decay if isinstance(rho, Param)]
    params |= {rho.name: np.asarray(draw(number)) for rho in coefficients}
    return make_run(
        chosen,
        target,
        params,
        {x.name: drawn(x, horizon) for x in chosen.inputs},
        {s.name: drawn(s) for s in chosen.states},
        T=horizon,
        **data,
    )


def _check(reading: str | None) -> None:
    if reading not in (None, "vector", "scalar"):
        raise ValueError(f"reading={reading!r}: use 'vector', 'scalar' or None")


def _by_name(
    cell: Cell,
    nodes: Iterable[Param | Signal],
    sizes: Mapping[str, int] | None,
    number: st.SearchStrategy[float],
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {node.name: _array(_shape(cell, node.shape, sizes), cell, number) for node in nodes}
    )


def _shape(cell: Cell, shape: Shape, sizes: Mapping[str, int] | None) -> tuple[int, int]:
    needed = sorted({name for size in shape for name in size.names} - set(sizes or {}))
    if needed:
        raise ValueError(
            f"cell {cell.name!r} in the vector reading needs sizes: no value of {needed[0]!r}; "
            "pass sizes={...}, or use cell.scalar()"
        )
    return (shape[0].value(sizes or {}), shape[1].value(sizes or {}))


def _array(
    shape: tuple[int, int], cell: Cell, number: st.SearchStrategy[float]
) -> st.SearchStrategy[Any]:
    if cell.is_scalar:
        return number
    rows, columns = shape
    flat = st.lists(number, min_size=rows * columns, max_size=rows * columns)
    return flat.map(lambda entries: np.array(entries).reshape(rows, columns))

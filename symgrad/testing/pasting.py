"""Cells, objectives and arrays as Python that makes them again, for people to paste.

The text needs ``import symgrad as sg`` and, for an array without entries, ``import numpy as np``.
"""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.cells import CATALOGUE
from symgrad.errors import NotSupportedYet
from symgrad.evaluate.compiled.problem import Array
from symgrad.lang.nodes import Param
from symgrad.parse.writing import cell_text


def cell_expression(cell: Cell) -> str:
    """A cell of the catalogue by its name, any other one by its equations.

    A cell that no text spells comes out in angle brackets, which is no Python.
    """
    for key, known in CATALOGUE.items():
        if cell == known:
            return f"sg.CATALOGUE[{key!r}]"
        if cell == known.scalar():
            return f"sg.CATALOGUE[{key!r}].scalar()"
    try:
        return f"sg.read_cell({cell_text(cell)!r})"
    except NotSupportedYet:
        return f"<cell {cell.name!r}>"


def objective_expression(objective: Objective) -> str:
    """An objective of the cell that is called ``cell``."""
    of = f"cell, {objective.signal.name!r}"
    if objective.kind == "linear":
        made = f"sg.{'final' if objective.when == 'final' else 'summed'}({of})"
        made += ".over_mean()" * objective.mean
    else:
        options = [", squared=True"] * (objective.kind == "squared")
        options += [", last_only=True"] * (objective.when == "final")
        options += [", mean=True"] * objective.mean
        made = f"sg.loss({of}{''.join(options)})"
    for theta, rho in objective.decay:
        factor = "" if isinstance(rho, Param) and rho.name == "rho" else f", rho={rho!r}"
        which = f"next(p for p in cell.params if p.name == {theta.name!r})"
        made += f".with_decay({which}{factor})"
    return made


def array_expression(array: Array) -> str:
    """Numbers with all their digits, signed zeros and subnormal ones included."""
    if 0 in array.shape and array.ndim > 1:
        return f"np.zeros({array.shape})"
    return repr(array.tolist())


def mapping_expression(arrays: Mapping[str, Array]) -> str:
    """Arrays by name."""
    return "{" + ", ".join(f"{k!r}: {array_expression(v)}" for k, v in arrays.items()) + "}"

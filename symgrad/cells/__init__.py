"""The catalogue of cells: one small file per family, each with its variant and source."""

from __future__ import annotations

from difflib import get_close_matches

from symgrad.cell import Cell
from symgrad.cells.linear import LINEAR, LINEAR_INPUT
from symgrad.cells.lstm import LSTM
from symgrad.cells.rnn import RNN
from symgrad.errors import UsageError

CATALOGUE: dict[str, Cell] = {cell.name: cell for cell in (LINEAR, LINEAR_INPUT, RNN, LSTM)}


def catalogue_cell(name: str) -> Cell:
    """A cell of the catalogue by its name.

    Raises:
        UsageError: there is none; the nearest name is suggested.
    """
    found = CATALOGUE.get(name)
    if found is not None:
        return found
    near = get_close_matches(name, CATALOGUE, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no cell {name!r} in the catalogue; {hint}it has {', '.join(CATALOGUE)}")

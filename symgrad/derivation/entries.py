"""The table's entries that a cell uses, as claims for ``verify`` to prove.

This is where the table of derivatives is read out and handed over: ``verify`` itself
never reads it.
"""

from __future__ import annotations

from symgrad.cell import Cell
from symgrad.errors import FailedCheck
from symgrad.lang.nodes import Apply, Primitive, param, walk
from symgrad.verify.axioms import Entry, prove_entry
from symgrad.verify.verdict import Verdict

_ANSWER, _ARGUMENT = param("ans"), param("a")


def entry_of(primitive: Primitive) -> Entry:
    """The table's derivative of an elementwise function, as a claim."""
    assert primitive.partials is not None
    (claim,) = primitive.partials(_ANSWER, _ARGUMENT)
    return Entry(primitive, claim, _ANSWER, _ARGUMENT)


def cell_entries(cell: Cell) -> dict[str, Entry]:
    """The entries used by a cell, in the order of first use."""
    used: dict[str, Entry] = {}
    for equation in cell.equations:
        for node in walk(equation.value):
            if isinstance(node, Apply) and node.head.elementwise:
                used.setdefault(node.head.name, entry_of(node.head))
    return used


def entry_verdicts(cell: Cell) -> dict[str, Verdict]:
    """The verdict on each entry that a cell uses."""
    return {name: prove_entry(entry) for name, entry in cell_entries(cell).items()}


def proved_entries(cell: Cell) -> dict[str, Entry]:
    """The cell's entries, every one of them proved.

    Raises:
        FailedCheck: an entry of the table is wrong; nothing may be derived from it.
    """
    entries = cell_entries(cell)
    for name, entry in entries.items():
        verdict = prove_entry(entry)
        if verdict.status != "proved":
            raise FailedCheck(
                f"the table of primitives is wrong at {name}: {verdict.how[0]}; no derivative of "
                f"cell {cell.name!r} can be trusted until symgrad/ops/table.py is mended"
            )
    return entries

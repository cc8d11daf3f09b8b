"""What a sweep consists of: tasks as plain data, and the grid that makes them.

A task can be pickled and sent anywhere: it holds the text of a cell, not the cell, and a
digest of the cell's equations, so that a result is never taken for that of another cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from symgrad.adjoint import backward, final, loss, summed
from symgrad.adjoint.objective import Objective
from symgrad.cell import Cell
from symgrad.cell.quantity import cell_param, unknown
from symgrad.cli.loading import load_cell
from symgrad.errors import UsageError
from symgrad.parse import read_cell
from symgrad.verify.claims import all_sizes

ObjectiveName = Literal["loss", "squared", "summed", "final"]
OBJECTIVES: tuple[ObjectiveName, ...] = ("loss", "squared", "summed", "final")
Sizes = tuple[tuple[str, int], ...]

#: Every gradient of the objective, and every form.
ALL = "all"


@dataclass(frozen=True)
class CellSource:
    """A cell as data.

    Attributes:
        name: what the user calls it: ``lstm``, ``leaky.cell``, ``mine.py:LEAKY``.
        kind: ``catalogue``; ``python``, a file to import; ``text`` or ``latex``, equations.
        body: the name, the absolute path with the name of the cell, or the equations.
        digest: of the equations.
    """

    name: str
    kind: Literal["catalogue", "python", "text", "latex"]
    body: str
    digest: str

    def load(self) -> Cell:
        """The cell, in the vector reading.

        Raises:
            UsageError: it cannot be read here, or its equations are others than those meant.
        """
        return _loaded(self)


@lru_cache(maxsize=64)
def _loaded(source: CellSource) -> Cell:
    if source.kind == "text" or source.kind == "latex":
        name = Path(source.name).stem
        cell = read_cell(source.body, source.kind, name=name, file=source.name)
    else:
        cell = load_cell(source.body)
    if digest_of(cell) != source.digest:
        raise UsageError(
            f"{source.name}: the equations here are others than those of the task; "
            "the cell has changed since the sweep began, or differs on this machine"
        )
    return cell


def cell_source(text: str) -> CellSource:
    """The cell that the command line names: see ``symgrad cells --help``.

    Raises:
        UsageError, ParseError, DeclarationError: it cannot be read.
    """
    digest = digest_of(load_cell(text))
    if text.endswith((".cell", ".tex")):
        body = Path(text).read_text(encoding="utf-8-sig")
        return CellSource(text, "latex" if text.endswith(".tex") else "text", body, digest)
    path, separator, name = text.rpartition(":")
    if separator and path.endswith(".py"):
        return CellSource(text, "python", f"{Path(path).resolve()}:{name}", digest)
    return CellSource(text, "catalogue", text, digest)


def digest_of(cell: Cell) -> str:
    """Eight hexadecimal digits that depend on the equations and on all shapes."""
    nodes = [*cell.params, *cell.signals, *cell.inputs]
    shapes = [f"{node!r}: {node.shape!r}" for node in nodes]
    equations = [f"{e.target!r} = {e.value!r}" for e in cell.equations]
    text = "\n".join([*equations, *shapes, repr(cell.output)])
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class Task:
    """One check of the gradients of one cell at one T, one set of sizes and one seed.

    Attributes:
        quantity: ``all``, or what to differentiate with respect to: a parameter, or a state
            or an input by its name.
        sizes: n, m, … by name, sorted; () is the scalar reading.
        objective: what is differentiated.
        statement: a claimed equation, ``dh_T/dw = …``, to be judged in place of the gradients
            that symgrad derives.
    """

    cell: CellSource
    T: int
    sizes: Sizes = ()
    seed: int = 0
    quantity: str = ALL
    objective: ObjectiveName = "loss"
    statement: str = ""

    @property
    def key(self) -> str:
        """Tells the task from all others, in the result file."""
        words = [f"{self.cell.name}#{self.cell.digest}", self.quantity, self.objective]
        words += [f"T={self.T}", self.place, f"seed={self.seed}"]
        return " ".join([*words, self.statement] if self.statement else words)

    @property
    def place(self) -> str:
        """The sizes as the command line takes them."""
        return ",".join(f"{name}={value}" for name, value in self.sizes) or "scalar"

    def read_cell(self) -> Cell:
        """The cell in the reading of the task."""
        cell = self.cell.load()
        return cell if self.sizes else cell.scalar()


def objective_of(cell: Cell, name: ObjectiveName) -> Objective:
    """The objective that a task names, of the cell's output."""
    if name == "loss" or name == "squared":
        return loss(cell, squared=name == "squared")
    return final(cell) if name == "final" else summed(cell)


def grid(
    cells: Sequence[CellSource],
    horizons: Iterable[int],
    sizes: Sequence[Sizes | Literal["scalar"]] = (),
    seeds: Iterable[int] = (0,),
    quantities: Sequence[str] = (ALL,),
    objectives: Sequence[ObjectiveName] = ("loss",),
    *,
    statement: str = "",
) -> list[Task]:
    """All tasks of cells × sizes × objectives × quantities × T × seeds, in this order.

    ``sizes``: those that a cell does not have are left out; empty: the scalar reading and the
    sizes at which symgrad checks matrix equations. A T at which an objective has no value (the
    final output at T = 0) is left out.

    Raises:
        UsageError: a size without a value, or a quantity that a cell does not have.
    """
    horizons, seeds = list(horizons), list(seeds)
    found: dict[Task, None] = {}
    for source in cells:
        cell = source.load()
        for quantity in quantities:
            check_quantity(cell, quantity)
        for place in _places(cell, source.name, sizes):
            for objective in objectives:
                read = cell if place else cell.scalar()
                first = backward(read, objective_of(read, objective)).first_horizon
                for quantity in quantities:
                    for T in horizons:
                        if first <= T:
                            for seed in seeds:
                                task = Task(source, T, place, seed, quantity, objective, statement)
                                found[task] = None
    return list(found)


def check_quantity(cell: Cell, text: str) -> None:
    """Refuse what is no parameter, state or input of the cell."""
    if text == ALL or cell_param(cell, text) is not None:
        return
    known = cell.declared_name(text)
    if known not in {s.name for s in (*cell.states, *cell.inputs)}:
        raise unknown(cell, text)


def _places(cell: Cell, name: str, sizes: Sequence[Sizes | Literal["scalar"]]) -> Iterator[Sizes]:
    if not sizes:
        yield ()
        yield from (tuple(sorted(s)) for s in all_sizes(cell.size_names)[1:])
        return
    places: dict[Sizes, None] = {}
    for entry in sizes:
        if entry == "scalar":
            places[()] = None
            continue
        given = dict(entry)
        missing = [size for size in cell.size_names if size not in given]
        if missing:
            raise UsageError(
                f"cell {name} has the sizes {', '.join(cell.size_names)}; "
                f"no value of {missing[0]}: give all, such as "
                + ",".join(f"{size}={given.get(size, 2)}" for size in cell.size_names)
            )
        places[tuple((size, given[size]) for size in sorted(cell.size_names))] = None
    yield from places


__all__ = ["ALL", "OBJECTIVES", "CellSource", "Task", "cell_source", "grid", "objective_of"]

"""What can be asked about a cell, and what is answered: data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symgrad.adjoint.objective import Objective
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.lang.nodes import Node, Signal
from symgrad.verify.verdict import Verdict

FormName = Literal["recursive", "expanded", "closed", "unrolled"]
When = Literal["final", "sum"]


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        of: a signal with its time; None for L.
        wrt: a parameter or a signal with its time; None for the state itself, closed.
        when: the objective, the final value or a sum over time.
        horizon: T as a number, for the unrolled form.
        inputs: for elementary forms: zero, constant or geometric.
        objective: what L is, where that is not a sum of unknown losses.
    """

    cell: Cell
    of: Signal | None
    wrt: Node | None
    form: FormName = "expanded"
    when: When = "final"
    immediate: bool = False
    along: tuple[str, ...] = ()
    horizon: int | None = None
    inputs: str | None = None
    objective: Objective | None = None


@dataclass(frozen=True)
class Line:
    """``left = right``, and for which times."""

    left: Node
    right: Node
    condition: str = ""


@dataclass(frozen=True)
class Answer:
    """Equations in order; the last one is what was asked for.

    Attributes:
        single: one formula, as opposed to a list of equations.
        first: the smallest T for which it is said.
    """

    lines: tuple[Line, ...]
    verdict: Verdict
    single: bool
    form: Form | None = None
    where: tuple[tuple[Node, Node], ...] = ()
    first: int = 0

"""The table that sets the forms of one gradient side by side."""

from __future__ import annotations

from symgrad.adjoint.objective import final
from symgrad.adjoint.reverse import backward
from symgrad.cell import Cell
from symgrad.derivation.model import FormRow, FormsTable, Step
from symgrad.derivation.statements import param_of, signal_of
from symgrad.derivation.writer import Writer
from symgrad.evaluate.unrolled import straight_line
from symgrad.lang.program import Program
from symgrad.verify.verdict import Verdict


def operation_counts(cell: Cell, program: Program, horizons: tuple[int, int]) -> tuple[int, int]:
    """Operations per further step: of the forward pass, and of forward and backward pass."""
    first, second = horizons
    forward = [straight_line(cell.program, T).operations for T in horizons]
    both = [straight_line(program, T).operations for T in horizons]
    steps = second - first
    return (forward[1] - forward[0]) // steps, (both[1] - both[0]) // steps


def forms_table(
    write: Writer,
    cell: Cell,
    of: str,
    wrt: str,
    recursive: Step,
    *,
    caption: str,
    expanded: Step,
    closed: Step | None = None,
    elementary: tuple[Step, ...] = (),
) -> None:
    """Recursive, expanded, closed and elementary forms, and the unrolled program."""
    gradient = backward(cell, final(cell, signal_of(cell, of)))
    param_of(cell, wrt)
    forward, whole = operation_counts(cell, gradient.program, (4, 5))
    rows = [
        FormRow(
            "recursive",
            (recursive.label,),
            _scope(recursive.verdict),
            "one pass over $t = T, …, 1$",
            recursive.verdict,
        ),
        FormRow(
            "expanded",
            (expanded.label,),
            _scope(expanded.verdict),
            "one sum over $k$; each product continues the one before",
            expanded.verdict,
        ),
    ]
    if closed is not None:
        rows.append(
            FormRow(
                "closed",
                (closed.label,),
                _scope(closed.verdict),
                "no state but the initial one",
                closed.verdict,
            )
        )
    if elementary:
        worst = max((s.verdict for s in elementary), key=lambda v: v.status != "proved")
        rows.append(
            FormRow(
                "elementary",
                tuple(s.label for s in elementary),
                _scope(worst),
                "a fixed number of operations and powers",
                worst,
            )
        )
    rows.append(
        FormRow(
            "unrolled",
            (),
            "any given T",
            f"per step {whole} operations for all gradients, {forward} of them forward",
            recursive.verdict,
        )
    )
    write.add(FormsTable(caption, tuple(rows)))


def _scope(verdict: Verdict) -> str:
    return verdict.whole_scope

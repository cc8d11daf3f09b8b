"""Statements about one step or two: Jacobians and total derivatives, path by path."""

from __future__ import annotations

from symgrad.adjoint.steps import step_jacobian, step_paths
from symgrad.cell import Cell
from symgrad.closed.sums import expanded_form
from symgrad.derivation.model import Step
from symgrad.derivation.statements.basic import signal_of, written_form
from symgrad.derivation.writer import Writer
from symgrad.lang.affine import T, as_affine, t
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Block,
    Node,
    block,
    derivative,
    name,
    transform,
)


def one_step_jacobian(write: Writer, cell: Cell, rule: str) -> Step:
    """M_t, the Jacobian of the states with respect to the states one step back."""
    evidence = write.evidence(cell)
    right = step_jacobian(cell)
    if not isinstance(right, Block):
        state = cell.states[0]
        return written_form(write, cell, expanded_form(cell, state, state.prev), rule, "$t ≥ 1$")
    names: dict[Node, Node] = {}

    def shortened(node: Node) -> Node:
        return names.get(node, node)

    rows: list[tuple[Node, ...]] = []
    left_rows: list[tuple[Node, ...]] = []
    for row_state, row in zip(cell.states, right.rows, strict=True):
        shown: list[Node] = []
        for column_state, entry in zip(cell.states, row, strict=True):
            left = derivative("immediate", row_state, column_state.prev)
            if isinstance(entry, Apply) and entry.head.name == "add":
                _jacobian_entry(write, cell, left, transform(entry, shortened))
                names[entry] = left
            shown.append(shortened(entry))
        rows.append(tuple(shown))
        left_rows.append(
            tuple(derivative("immediate", row_state, column.prev) for column in cell.states)
        )
    left, right = block(left_rows), block(rows)
    named = name("M", right.shape, t)
    return write.state(
        cell,
        named,
        (left, right),
        rule,
        lambda: evidence.one_step(left, right, times=(("t", as_affine(1), T),)),
        "$t ≥ 1$",
    )


def _jacobian_entry(write: Writer, cell: Cell, left: Node, right: Node) -> Step:
    """An entry of M_t that is a sum, stated before the matrix."""
    evidence = write.evidence(cell)
    return write.state(
        cell,
        left,
        (right,),
        "chain rule within the step, one term a path",
        lambda: evidence.one_step(left, right, times=(("t", as_affine(1), T),)),
        "$t ≥ 1$",
    )


def one_step_total(write: Writer, cell: Cell, of: str, rule: str, condition: str) -> Step:
    """ds_t/ds_{t-1} through every path, one term a path."""
    signal_t = signal_of(cell, of)
    return written_form(write, cell, expanded_form(cell, signal_t, signal_t.prev), rule, condition)


def first_step(write: Writer, cell: Cell, of: str, rule: str) -> Step:
    """ds_1/ds_0: the initial states do not depend on each other."""
    signal_t = signal_of(cell, of)
    one = as_affine(1)
    form = expanded_form(cell, signal_t.at(one), signal_t.at(0))
    return written_form(write, cell, form, rule, "$t = 1$")


def two_step_total(write: Writer, cell: Cell, of: str, rule: str) -> Step:
    """ds_t/ds_{t-2} as the product of one-step derivatives plus the paths that avoid s_{t-1}."""
    signal_t = signal_of(cell, of)
    before, earlier = signal_t.at(t - 1), signal_t.at(t - 2)
    product = OPERATORS["matmul"](
        derivative("total", signal_t, before), derivative("total", before, earlier)
    )
    around = [path.product for path in step_paths(cell, earlier, signal_t, avoid=(before,))]
    right = OPERATORS["add"](product, *around)
    left = derivative("total", signal_t, earlier)
    evidence = write.evidence(cell)
    times = (("t", as_affine(3), T),)
    return write.state(
        cell,
        left,
        (right,),
        rule,
        lambda: evidence.one_step(
            left, right, times=times, horizon=3, indices={"t": 3}, scope="all t ≥ 3", first=3
        ),
        "$t ≥ 3$",
    )


def path_count(cell: Cell, of: str, *, avoiding: bool) -> int:
    """Paths from s_{t-2} to s_t; all, or those that avoid s_{t-1}."""
    signal_t = signal_of(cell, of)
    avoid = (signal_t.at(t - 1),) if avoiding else ()
    return len(step_paths(cell, signal_t.at(t - 2), signal_t, avoid=avoid))

"""One step: Jacobians of the states, immediate derivatives, paths between signals.

The states of a cell make one column z_t; M_t = ∂z_t/∂z_{t-1} is a block matrix with a
row of blocks per state at t and a column per state at t - 1. Everything computed within
step t follows; states at t - 1 and inputs are held fixed (∂⁺ of Pascanu et al. 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.cell import Cell
from symgrad.lang.affine import Affine, t
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Node,
    Param,
    Signal,
    block,
    full,
    params_in,
    signals_in,
    substitute_indices,
)
from symgrad.ops.chain import jacobian, pull_back


def activated(cell: Cell, signal_t: Signal) -> Node | None:
    """The signal itself where its equation is an activation, for derivatives in its own value."""
    value = cell.equation_of(signal_t)
    return signal_t if isinstance(value, Apply) and value.head.elementwise else None


def local_jacobian(cell: Cell, target: Signal, source: Node) -> Node:
    """The derivative of one equation with respect to one name in it, the others fixed."""
    return jacobian(cell.equation_of(target), source, at=activated(cell, target))


def within_step(cell: Cell, source: Node, *, stop: tuple[str, ...] = ()) -> dict[str, Node]:
    """For each signal at t its derivative with respect to ``source``, through the step.

    ``stop``: signals at t that are treated as independent (their own influence is left out).
    """
    known: dict[str, Node] = {}
    for equation in cell.equations:
        target = equation.target
        if target == source:
            known[target.name] = full("identity", (target.shape[0], target.shape[0]))
            continue
        parts: list[Node] = []
        leaves = signals_in(equation.value)
        if source in leaves or (isinstance(source, Param) and source in params_in(equation.value)):
            parts.append(local_jacobian(cell, target, source))
        for used in leaves:
            if used.time == t and used.name in known and used != source and used.name not in stop:
                outer = local_jacobian(cell, target, used)
                parts.append(OPERATORS["matmul"](outer, known[used.name]))
        if parts:
            known[target.name] = OPERATORS["add"](*parts)
    return known


def zero_jacobian(of: Signal, wrt: Node) -> Node:
    """The Jacobian of what does not depend on ``wrt``."""
    return full("zeros", (of.shape[0], wrt.shape[0]))


def step_jacobian(cell: Cell) -> Node:
    """M_t = ∂z_t/∂z_{t-1}; for one state simply ∂h_t/∂h_{t-1}."""
    columns = [within_step(cell, state.prev) for state in cell.states]
    rows = [
        tuple(
            column.get(state.name, zero_jacobian(state, source))
            for column, source in zip(columns, cell.states, strict=True)
        )
        for state in cell.states
    ]
    return block(rows)


def entry_column(cell: Cell, source: Node) -> Node:
    """dz_t/d(source) within step t, as a block column over the states."""
    known = within_step(cell, source)
    return block([(known.get(s.name, zero_jacobian(s, source)),) for s in cell.states])


def read_out(cell: Cell, signal_t: Signal) -> tuple[Node | None, Node | None]:
    """A signal's derivative with respect to the states at t and at t - 1, as block rows.

    A path is cut at the first state it meets, so nothing is counted twice; None where
    there is no such path.
    """
    if cell.is_state(signal_t.name):
        row = tuple(
            full("identity" if s == signal_t else "zeros", (signal_t.shape[0], s.shape[0]))
            for s in cell.states
        )
        return block([row]), None
    names = tuple(s.name for s in cell.states)
    now = [_cut(cell, state, signal_t, names) for state in cell.states]
    before = [_cut(cell, state.prev, signal_t, names) for state in cell.states]
    return _row(now, cell, signal_t), _row(before, cell, signal_t)


def _cut(cell: Cell, source: Signal, of: Signal, names: tuple[str, ...]) -> Node | None:
    stop = tuple(name for name in names if name != source.name or source.time != t)
    return within_step(cell, source, stop=stop).get(of.name)


def _row(parts: list[Node | None], cell: Cell, of: Signal) -> Node | None:
    if all(part is None for part in parts):
        return None
    return block(
        [
            tuple(
                zero_jacobian(of, state) if part is None else part
                for part, state in zip(parts, cell.states, strict=True)
            )
        ]
    )


def step_pull_back(
    cell: Cell, cotangents: dict[str, Node], *, stop: tuple[str, ...] = ()
) -> dict[Node, Node]:
    """Reverse mode through one step: cotangents of signals at t to those of everything used.

    Returns cotangents of parameters, inputs at t and states at t - 1, written out.
    ``stop``: signals at t that are not passed through; their cotangents are returned.
    """
    received: dict[str, list[Node]] = {name: [node] for name, node in cotangents.items()}
    result: dict[Node, list[Node]] = {}
    for equation in reversed(cell.equations):
        parts = received.get(equation.target.name)
        if not parts or (equation.target.name in stop and equation.target.name not in cotangents):
            continue
        total = OPERATORS["add"](*parts)
        at = activated(cell, equation.target)
        for leaf, part in pull_back(equation.value, total, at=at).items():
            computed = isinstance(leaf, Signal) and leaf.time == t and leaf in cell.signals
            if computed and isinstance(leaf, Signal) and leaf.name not in stop:
                received.setdefault(leaf.name, []).append(part)
            else:
                result.setdefault(leaf, []).append(part)
    return {leaf: OPERATORS["add"](*parts) for leaf, parts in result.items()}


@dataclass(frozen=True)
class Path:
    """A way from one signal to another: the signals on it and the Jacobian of each edge."""

    signals: tuple[Signal, ...]
    jacobians: tuple[Node, ...]

    @property
    def product(self) -> Node:
        """The latest edge on the left; neighbouring diagonal matrices are one."""
        factors = [f for edge in reversed(self.jacobians) for f in _factors(edge)]
        result = factors[-1]
        for factor in reversed(factors[:-1]):
            result = OPERATORS["matmul"](factor, result)
        return result


def _factors(node: Node) -> list[Node]:
    if isinstance(node, Apply) and node.head.name == "matmul":
        return [f for argument in node.args for f in _factors(argument)]
    return [node]


def step_paths(
    cell: Cell, source: Signal, target: Signal, *, avoid: tuple[Signal, ...] = ()
) -> list[Path]:
    """All paths from a signal at an earlier step to a signal at t, through the steps between.

    Ordered by length, then by the order of the cell's equations. An initial state has no
    equation, so where ``source`` stands at time 0 only paths that leave it directly count.
    """
    gap = (target.time - source.time).const
    found: list[Path] = []

    def extend(path: tuple[Signal, ...], jacobians: tuple[Node, ...]) -> None:
        here = path[-1]
        if here == target:
            found.append(Path(path, jacobians))
            return
        for equation in cell.equations:
            for used in signals_in(equation.value):
                for shift in range(-gap, 1):
                    following = equation.target.at(target.time + shift)
                    if used.at(used.time - t + target.time + shift) != here or following in avoid:
                        continue
                    local = local_jacobian(cell, equation.target, used)
                    moved = substitute_indices(local, {"t": target.time + shift})
                    extend((*path, following), (*jacobians, moved))

    extend((source,), ())
    names = [s.name for s in (*cell.inputs, *cell.signals)]
    return sorted(found, key=lambda p: (len(p.signals), [names.index(s.name) for s in p.signals]))


def at_time(node: Node, time: Affine) -> Node:
    """A one-step formula at another time."""
    return substitute_indices(node, {"t": time})

"""What is differentiated: the final value of a signal, a sum over time, or a loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.lang.affine import T, t
from symgrad.lang.nodes import (
    OPERATORS,
    SCALAR,
    Node,
    Param,
    Signal,
    const,
    index_value,
    iverson,
    param,
    signal,
    substitute_indices,
    sum_over,
)
from symgrad.ops import total
from symgrad.ops.build import square

#: Letters for the free cotangent, the first that the cell does not use.
_COTANGENTS = ("s", "v", "q", "r", "cotangent")


@dataclass(frozen=True)
class Objective:
    """A scalar L of one run of a cell.

    Attributes:
        signal: the signal that L looks at.
        when: ``final`` for its value at T, ``sum`` for all t = 1..T.
        kind: ``linear`` for L = ⟨s, signal⟩ with a free cotangent s (1 in the scalar
            reading), ``loss`` for per-step losses ℓ_t(signal_t) whose gradient is given
            as the signal ``dl_…``, ``squared`` for ℓ_t = ½ ‖signal_t - target_t‖².
        cotangent: s.
        mean: L is the mean over time instead of the sum.
        decay: parameters θ with a coefficient ρ, for each of which ρ/2 ‖θ‖² is added to L.
    """

    signal: Signal
    when: Literal["final", "sum"]
    kind: Literal["linear", "loss", "squared"]
    cotangent: Node
    mean: bool = False
    decay: tuple[tuple[Param, Node], ...] = ()

    def __post_init__(self) -> None:
        if self.mean and self.when == "final":
            raise UsageError("a mean is over time: it goes with a sum, not with the last step")

    @property
    def seed(self) -> Node:
        """dL / d(signal_t), what does not come back through later signals."""
        if self.kind == "linear":
            seed = self.cotangent
        elif self.kind == "loss":
            seed = loss_gradient(self.signal)
        else:
            seed = self.signal - target(self.signal)
        if self.mean:
            seed = const(1) / index_value(T) * seed
        return iverson(T - t) * seed if self.when == "final" else seed

    @property
    def penalty(self) -> Node:
        """What weight decay adds to L."""
        terms = [const(Fraction(1, 2)) * rho * total(square(theta)) for theta, rho in self.decay]
        return OPERATORS["add"](*terms) if terms else const(0)

    @property
    def value(self) -> Node | None:
        """L as a formula; None where the losses of the steps are not known."""
        if self.kind == "loss":
            return None
        if self.kind == "squared":
            gap = self.signal - target(self.signal)
            step = const(Fraction(1, 2)) * total(gap * gap)
        elif self.signal.is_scalar:
            step = self.cotangent * self.signal
        else:
            step = self.cotangent.T @ self.signal
        if self.when == "final":
            found = substitute_indices(step, {"t": T})
        else:
            found = sum_over("t", 1, T, step)
        if self.mean:
            found = const(1) / index_value(T) * found
        return found + self.penalty

    def with_decay(self, *params: Param, rho: Node | None = None) -> Objective:
        """The objective with ρ/2 ‖θ‖² added for each parameter θ; ρ is a number or a parameter."""
        if not params:
            raise UsageError("with_decay needs the parameters that decay: *cell.params for all")
        for theta in params:
            if not isinstance(theta, Param):
                raise UsageError(
                    f"{theta!r} is no parameter; with_decay takes those of the cell: "
                    "with_decay(cell.param('W'))"
                )
        coefficient = param("rho") if rho is None else rho
        if not coefficient.is_scalar:
            raise UsageError(f"the coefficient {coefficient!r} of weight decay must be a scalar")
        return replace(self, decay=(*self.decay, *((theta, coefficient) for theta in params)))

    def with_free_cotangent(self, cell: Cell) -> Objective:
        """L = s q_T of a scalar q, with a free s where ``final`` and ``summed`` have 1."""
        return replace(self, cotangent=_free_cotangent(cell, self.signal))

    def over_mean(self) -> Objective:
        """The mean over time instead of the sum."""
        return replace(self, mean=True)


def loss_gradient(signal_t: Signal) -> Signal:
    """∂ℓ_t/∂signal_t: a given signal, labelled ``dl_…``."""
    return signal(signal_t.name, signal_t.shape, signal_t.time, "dl")


def target(signal_t: Signal) -> Signal:
    """The target of the squared error: a given signal, labelled ``target_…``."""
    return signal(signal_t.name, signal_t.shape, signal_t.time, "target")


def cotangent_for(cell: Cell, of: Signal) -> Node:
    """The free cotangent of the vector reading; 1 in the scalar reading."""
    return const(1) if of.shape == SCALAR else _free_cotangent(cell, of)


def _free_cotangent(cell: Cell, of: Signal) -> Node:
    used = {p.name.lower() for p in cell.params} | {
        s.name.lower() for s in (*cell.signals, *cell.inputs)
    }
    letter = next(name for name in _COTANGENTS if name not in used)
    return param(letter, of.shape)


def _resolve(cell: Cell, of: Signal | str | None) -> Signal:
    name = cell.output.name if of is None else of if isinstance(of, str) else of.name
    known = cell.declared_name(name)
    for candidate in cell.signals:
        if candidate.name == known:
            return candidate
    raise UsageError(
        f"cell {cell.name!r} computes no signal {name!r}; "
        f"it has {', '.join(s.name for s in cell.signals)}"
    )


def final(cell: Cell, of: Signal | str | None = None) -> Objective:
    """L = ⟨s, signal_T⟩."""
    signal_t = _resolve(cell, of)
    return Objective(signal_t, "final", "linear", cotangent_for(cell, signal_t))


def summed(cell: Cell, of: Signal | str | None = None) -> Objective:
    """L = Σ_t ⟨s, signal_t⟩."""
    signal_t = _resolve(cell, of)
    return Objective(signal_t, "sum", "linear", cotangent_for(cell, signal_t))


def loss(
    cell: Cell,
    of: Signal | str | None = None,
    *,
    squared: bool = False,
    last_only: bool = False,
    mean: bool = False,
) -> Objective:
    """L = Σ_t ℓ_t(signal_t), its mean over time, or ℓ_T alone; generic, or half the squared error.

    For other losses put the loss of a step into the cell, with ``with_loss``, and sum that.
    """
    signal_t = _resolve(cell, of)
    when: Literal["final", "sum"] = "final" if last_only else "sum"
    return Objective(signal_t, when, "squared" if squared else "loss", const(1), mean)

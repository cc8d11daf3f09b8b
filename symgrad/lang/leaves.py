"""Leaves of formulas: literals, parameters, signals at times, names of derivatives."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from symgrad.lang.affine import Affine, as_affine
from symgrad.lang.base import Node, Shape


class Const(Node):
    """A rational literal."""

    __slots__ = ()

    @property
    def value(self) -> Fraction:
        value: Fraction = self.key[0]
        return value


class Full(Node):
    """A matrix of one structure: ``identity``, ``zeros`` or ``ones``, of symbolic shape."""

    __slots__ = ()

    @property
    def kind(self) -> Literal["identity", "zeros", "ones"]:
        return self.key[0]  # type: ignore[no-any-return]


class Param(Node):
    """A parameter: a scalar, a vector or a matrix that does not depend on time."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.key[0])


class Signal(Node):
    """A signal at a time: ``h_{t-1}``, ``x_k``, ``h_0``; ``adjoint`` tells λ and δ from others."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.key[0])

    @property
    def time(self) -> Affine:
        time: Affine = self.key[1]
        return time

    @property
    def adjoint(self) -> str:
        """``""`` for a signal, ``"lam"`` or ``"delta"`` for its adjoint."""
        return str(self.key[2])

    @property
    def prev(self) -> Signal:
        """The same signal one step back."""
        return self.at(self.time - 1)

    def at(self, time: Affine | int) -> Signal:
        return signal(self.name, self.shape, as_affine(time), self.adjoint)

    @property
    def label(self) -> str:
        """The name in code: ``h``, ``lam_h``, ``delta_f``."""
        return f"{self.adjoint}_{self.name}" if self.adjoint else self.name


class IndexValue(Node):
    """An affine form in times and bound indices, as a number: ``T - k`` in ``(T - k) w``."""

    __slots__ = ()

    @property
    def form(self) -> Affine:
        form: Affine = self.key[0]
        return form


class Iverson(Node):
    """``[form = 0]``: 1 where the affine form vanishes, else 0 (Iverson's bracket)."""

    __slots__ = ()

    @property
    def form(self) -> Affine:
        form: Affine = self.key[0]
        return form


class Derivative(Node):
    """A derivative by name, as it stands on the left of an equation: no rule is applied.

    kinds: ``total`` (d/dθ), ``immediate`` (∂⁺/∂θ, Pascanu et al. 2013), ``restricted``
    (only paths through the signals ``along``), ``gradient`` (of a scalar objective),
    ``loss`` (of a per-step loss with respect to the output: given data).
    """

    __slots__ = ()

    @property
    def kind(self) -> Literal["total", "immediate", "restricted", "gradient", "loss"]:
        return self.key[0]  # type: ignore[no-any-return]

    @property
    def along(self) -> tuple[str, ...]:
        return tuple(self.key[1])

    @property
    def of(self) -> Node:
        return self.args[0]

    @property
    def wrt(self) -> Node:
        return self.args[1]


class Name(Node):
    """A name for a formula: ``L``, ``M_t``. ``time`` may be absent."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.key[0])

    @property
    def time(self) -> Affine | None:
        time: Affine | None = self.key[1]
        return time

    @property
    def roman(self) -> bool:
        return bool(self.key[2])


def signal(name: str, shape: Shape, time: Affine | int, adjoint: str = "") -> Signal:
    """A signal at a time; ``adjoint`` tells λ and δ from the rest."""
    return Signal((name, as_affine(time), adjoint), (), shape)

"""Where formulas are evaluated: what the names in them stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from symgrad.lang.affine import Affine
from symgrad.lang.algebra import Value
from symgrad.lang.nodes import Node, Shape

#: The range and the value of a sum, by the sum and the values of the indices free in it; a
#: factor of a product, by the product and where it stands.
Kept = dict[tuple[Node, tuple[int | None, ...]], Value]


def _no_name(node: Node) -> Value:
    raise KeyError(f"no value for {node!r}")


@dataclass
class Environment:
    """What the names in a formula stand for.

    Attributes:
        params: value of each parameter by name.
        signal: value of a signal or an adjoint, from its label and its time.
        indices: value of T, t, k and other free indices.
        sizes: value of n, m and other sizes (not needed in the scalar reading).
        named: value of a ``Name`` or a ``Derivative`` that stands in the formula.
        kept: parts of sums and products over a run, for whoever asks for many T of it.
    """

    params: Mapping[str, Value]
    signal: Callable[[str, int], Value]
    indices: dict[str, int]
    sizes: Mapping[str, int] = field(default_factory=dict)
    named: Callable[[Node], Value] = _no_name
    kept: Kept | None = None

    def number(self, form: Affine) -> int:
        """The value of an affine form in times, indices and sizes."""
        return form.value({**self.sizes, **self.indices})

    def shape(self, shape: Shape) -> tuple[int, int]:
        return (shape[0].value(self.sizes), shape[1].value(self.sizes))

"""The free atoms of one step, in the scalar reading or for all sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symgrad.lang.affine import symbol
from symgrad.lang.algebra import Value
from symgrad.lang.nodes import (
    SCALAR,
    Apply,
    Block,
    Const,
    Full,
    IndexValue,
    Node,
    Param,
    Power,
    Shape,
    Signal,
    Slice,
    walk,
)
from symgrad.lang.program import Inputs, Program
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.axioms import Entry, entry_calls
from symgrad.verify.matrices import MatrixFunctions, matrix_atom
from symgrad.verify.rational import RationalFunctions, generator
from symgrad.verify.sampling import Sampler


class Atoms:
    """The free atoms of one step, and the algebra they are in.

    In the scalar reading values are rational functions; else matrices of unknown sizes, so that
    an identity holds for all of them.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        program: Program,
        base: RationalFunctions | None = None,
    ) -> None:
        known = [*program.params, *program.inputs, *program.states]
        known += [e.target for sweep in program.sweeps for e in sweep.equations]
        scalar = self.scalar = all(item.shape == SCALAR for item in known)
        names = {name for item in known for side in item.shape for name in side.names}
        #: Each size stands for itself: an affine form where numbers are expected otherwise.
        self.sizes: Mapping[str, Any] = {name: symbol(name) for name in sorted(names)}
        self.base: RationalFunctions | MatrixFunctions = base or (
            RationalFunctions(entries) if scalar else MatrixFunctions(entries)
        )
        self.calls = entry_calls(entries, self.base)

    def atom(self, kind: str, label: str, shape: Shape) -> Value:
        """A value that is not known further."""
        return generator(kind, label) if self.scalar else matrix_atom(kind, label, shape)

    def environment(
        self,
        params: Mapping[str, Value],
        signal: Callable[[str, int], Value],
        indices: dict[str, int],
    ) -> Environment:
        """Where formulas are evaluated; sizes stay as they are."""
        return Environment(params, signal, indices, self.sizes)

    def inner(self, left: Value, right: Value) -> Value:
        """The sum of the products of their entries."""
        return self.base.total(self.base.mul(left, right))

    def inputs(self, program: Program, given: Mapping[str, Node]) -> Inputs:
        """Values of parameters, states before the step and given signals."""
        sampler = Sampler(lambda label: None, self.sizes, scalar=self.scalar)
        sampler.draw = lambda label, shape: self.atom("var", label, shape)  # type: ignore[method-assign]
        return sampler.inputs(program, given)


def no_signal(label: str, time: int) -> Value:
    """For formulas of parameters alone."""
    raise KeyError(f"{label} at {time}")


def same_for_all_sizes(left: Node, right: Node) -> bool:
    """Whether two formulas of one step have the same terms, entry by entry.

    True is a proof for all sizes and times; False says nothing. Σ, Π, cases and what counts
    with times are no formulas of one step.
    """
    if left is right:
        return True
    sizes = frozenset(n for x in walk(left, right) for side in x.shape for n in side.names)
    if left.shape != right.shape or not all(_is_timeless(x, sizes) for x in walk(left, right)):
        return False
    base = MatrixFunctions(
        node.head.name
        for node in walk(left, right)
        if isinstance(node, Apply) and node.head.elementwise
    )
    names = sorted({n for x in walk(left, right) if isinstance(x, Signal) for n in x.time.names})
    # Far from each other: times that are written differently are different.
    far = {name: 10 ** (6 * place) for place, name in enumerate(names, 1)}
    params = {
        p.name: matrix_atom("var", p.name, p.shape)
        for p in walk(left, right)
        if isinstance(p, Param)
    }
    shapes = {s.label: s.shape for s in walk(left, right) if isinstance(s, Signal)}

    def signal(label: str, time: int) -> Value:
        return matrix_atom("var", f"{label} at {time}", shapes[label])

    try:
        themselves: dict[str, Any] = {name: symbol(name) for name in sizes}
        sides = Tape([left, right], base).run(Environment(params, signal, far, themselves))
    except ArithmeticError:
        return False
    return base.equal(*sides)


def _is_timeless(node: Node, sizes: frozenset[str]) -> bool:
    if isinstance(node, IndexValue):
        return node.form.names <= sizes
    if isinstance(node, Power):
        return node.exponent.is_const
    return isinstance(node, Const | Full | Param | Signal | Apply | Block | Slice)

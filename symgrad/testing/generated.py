"""Random small cells, from a function that chooses among options; the first is the simplest.

The kinds of equations that recurrent cells of the literature are made of: pre-activations,
gates, convex mixtures, residual steps, states that are gated and read out, divisions by what
is at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.lang.nodes import Node, Signal
from symgrad.ops import exp, sigma, softplus, tanh

#: Chooses one of some options.
Choose = Callable[[Sequence[Any]], Any]


def generated_cell(choose: Choose) -> Cell:
    """One cell in the vector reading, whatever is chosen."""
    return _Maker(choose).cell()


class _Maker:
    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.n, self.m, self.q = sizes("n m q")
        self.h, self.x = signal("h", self.n), input_signal("x", self.m)
        self.equations: list[tuple[Signal, Node]] = []
        self.with_input = choose([False, True])

    def cell(self) -> Cell:
        """The state h, with a second state c below it or without, and perhaps a readout."""
        h = self.h
        if self.choose([False, True]):
            c = signal("c", self.n)
            self.equations.append((c, self.update(c)))
            gate = self.gate("o")
            self.equations.append((h, gate * self.choose([tanh, _itself])(c)))
        else:
            self.equations.append((h, self.update(h)))
        if self.choose([False, True]):
            y = signal("y", self.q)
            self.equations.append((y, param("W_y", self.q, self.n) @ h + param("b_y", self.q)))
        return Cell("generated", self.equations, inputs=[self.x] if self.with_input else [])

    def pre(self, name: str, state: Node) -> Node:
        """W state + U x + b, or less of it."""
        value = param(f"W_{name}", self.n, self.n) @ state
        if self.with_input:
            value = value + param(f"U_{name}", self.n, self.m) @ self.x
        return value + param(f"b_{name}", self.n) if self.choose([False, True]) else value

    def gate(self, name: str) -> Signal:
        """A gate as a signal of its own."""
        gate = signal(name, self.n)
        self.equations.append((gate, sigma(self.pre(name, self.h.prev))))
        return gate

    def candidate(self) -> Node:
        """What may become the new state."""
        before: Node = self.h.prev
        if self.choose([False, True]):
            before = self.gate("r") * before
        function = self.choose([tanh, _itself, sigma, softplus, _bell])
        value: Node = function(self.pre("h", before))
        if self.choose([False, True]):
            value = value / (1 + self.choose([self.h.prev**2, exp(param("s", self.n))]))
        return value

    def update(self, state: Signal) -> Node:
        """The next value of a state."""
        kind = self.choose(["new", "residual", "leaky", "mixed", "gated"])
        value = self.candidate()
        if kind == "residual":
            return state.prev + Fraction(1, 2) * value
        if kind == "leaky":
            rate = param("alpha")
            return (1 - rate) * state.prev + rate * value
        if kind == "mixed":
            gate = self.gate("z")
            return gate * state.prev + (1 - gate) * value
        if kind == "gated":
            return self.gate("f") * state.prev + self.gate("i") * value
        # A state c that reads only h would be none.
        return value if state is self.h else value + Fraction(1, 4) * state.prev


def _itself(value: Node) -> Node:
    return value


def _bell(value: Node) -> Node:
    return exp(-value * value)

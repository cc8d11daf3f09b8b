"""The hypotheses that may be made about a cell, as lines of a proof in JSON.

A hypothesis is an equation of the cell, a derivative of the table that is proved from its
definition, or says that inputs, initial values and the past do not move with what is varied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from symgrad.adjoint.steps import within_step
from symgrad.cell import Cell
from symgrad.derivation.entries import proved_entries
from symgrad.derivation.prooflines import Json, Line, given, names_of_times
from symgrad.lang.affine import Affine, as_affine, symbol, t
from symgrad.lang.nodes import (
    Apply,
    Node,
    Param,
    Shape,
    Signal,
    full,
    param,
    transform,
    walk,
)
from symgrad.verify import kernel
from symgrad.verify.encoding import INVERSE, NotEncoded, encode, identity, paths, zero

#: Times before a signal is varied, in the hypothesis that the past does not move.
_v = symbol("v")


@dataclass(frozen=True)
class Varied:
    """What is varied: a parameter, or a signal at a time; ``along``: only through these signals."""

    wrt: Node
    along: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return paths(self.along)

    def moves(self, of: Signal) -> bool:
        """Whether paths lead through a signal."""
        return not self.along or of.name in self.along

    @property
    def time(self) -> Affine:
        assert isinstance(self.wrt, Signal)
        return self.wrt.time

    def shape(self, of: Signal) -> Shape:
        return (of.shape[0], self.wrt.shape[0]) if isinstance(self.wrt, Signal) else of.shape

    def of(self, of: Signal) -> Json:
        """The derivative of a signal, as a term."""
        return ["der", encode(of), encode(self.wrt), self.kind]


@dataclass
class Hypotheses:
    """The lines that may be assumed of a cell, each made once."""

    cell: Cell
    _made: dict[Any, Line] = field(default_factory=dict)

    def _line(self, key: Any, when: Sequence[Affine], left: Json, right: Json) -> Line:
        if key not in self._made:
            self._made[key] = given(when, left, right)
        return self._made[key]

    def equation(self, of: Signal) -> Line:
        """h_t = … for t >= 1."""
        value = self.cell.equation_of(of)
        line = self._line(("equation", of), [t - 1], encode(of), encode(value))
        # To the kernel all names but those of sizes in shapes are times, for which all is said.
        others = {name for name in names_of_times(line.claims) if name != "t"}
        if others:
            raise NotEncoded(f"{of!r}: {', '.join(sorted(others))} as a number has no place here")
        return line

    @cached_property
    def slopes(self) -> dict[Any, Line]:
        """The derivative of each function that the cell calls, at each shape it is called at."""
        found: dict[Any, Line] = {}
        entries = proved_entries(self.cell)
        calls = [i for e in self.cell.equations for i in walk(e.value) if isinstance(i, Apply)]
        wanted: dict[tuple[str, Shape], Json] = {}
        for call in calls:
            if call.head.elementwise:
                entry = entries[call.head.name]
                named: dict[Node, Node] = {
                    entry.answer: param("ans", call.shape),
                    entry.argument: param("arg", call.shape),
                }
                wanted[call.head.name, call.shape] = encode(_slope(entry.claim, named, call.shape))
            elif call.head.name == "div":
                shape = call.args[1].shape
                answer = param("ans", shape)
                wanted[INVERSE, shape] = encode(-(answer * answer))
        for (name, shape), slope in wanted.items():
            call_of = ["call", name, encode(param("arg", shape))]
            read = kernel.read("t", call_of)
            size = kernel.normal(read, ())[1]
            found[name, size] = Line({"rule": "slope", "call": call_of, "is": slope})
        return found

    def inputs(self, varied: Varied) -> list[Line]:
        """Inputs do not move; one that is varied moves at that time alone."""
        lines = []
        for x in self.cell.inputs:
            wrt = varied.wrt
            mine = isinstance(wrt, Signal) and wrt.name == x.name
            when = [x.time - varied.time - 1] if mine else []
            lines.append(
                self._line(("input", x, varied), when, varied.of(x), zero(varied.shape(x)))
            )
        return lines

    def start(self, varied: Varied) -> list[Line]:
        """What is known where the variation begins: initial values, or the varied signal itself."""
        wrt = varied.wrt
        if isinstance(wrt, Param):
            return [
                self._line(("start", s, varied), [], varied.of(s.at(0)), zero(s.shape))
                for s in self.cell.states
            ]
        assert isinstance(wrt, Signal)
        one = identity(varied.shape(wrt))
        lines = [self._line(("self", varied), [wrt.time], varied.of(wrt), one)]
        for state in self.cell.states:
            if state.name != wrt.name and self.unmoved(state, wrt):
                of, nothing = varied.of(state.at(wrt.time)), zero(varied.shape(state))
                lines.append(self._line(("other", state, varied), [wrt.time], of, nothing))
        return lines

    def unmoved(self, state: Signal, wrt: Signal) -> bool:
        """Whether a state does not depend on another one within the same step."""
        if wrt.time == as_affine(0):
            return True  # initial values do not depend on each other
        return state.name not in within_step(self.cell, wrt.at(t))

    def past(self, varied: Varied) -> list[Line]:
        """No signal moves before the one that is varied."""
        return [
            self._line(
                ("past", s, varied),
                [varied.time - _v - 1],
                varied.of(s.at(_v)),
                zero(varied.shape(s)),
            )
            for s in (*self.cell.signals, *self.cell.inputs)
        ]

    def derivative(self, moving: Signal, varied: Varied) -> Line:
        """The equation of a signal, differentiated."""
        key = ("derivative", moving, varied)
        if key not in self._made:
            equation = self.equation(moving)
            ((left, right),) = equation.claims
            numbered = list(self.slopes.items())
            slopes = {
                k: (i, kernel.read("t", line.data["is"])) for i, (k, line) in enumerate(numbered)
            }
            wrt, used = kernel.read("t", encode(varied.wrt)), set[int]()
            try:
                moved = kernel.derive(right, wrt, varied.kind, slopes, used, {right: left})
            except KeyError:
                raise NotEncoded(f"{moving!r}: a function in it has no proved derivative") from None
            of = ("der", left, wrt, varied.kind)
            nothing = ("mul", ("num", Fraction(0)), of)
            data = {
                "rule": "differentiate",
                "line": equation,
                "wrt": encode(varied.wrt),
                "kind": varied.kind,
            }
            needs = (equation, *(numbered[i][1] for i in sorted(used)))
            self._made[key] = Line(data, ((of, moved or nothing),), needs)
        return self._made[key]


def _slope(claim: Node, named: Mapping[Node, Node], shape: Shape) -> Node:
    """A derivative of the table at the shape of a call, entry by entry."""

    def change(item: Node) -> Node:
        return named.get(item, item)

    found = transform(claim, change)
    return found if found.shape == shape else found * full("ones", shape)

"""The free times of a statement: the ranges in which everything that it names exists."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.cell import Cell
from symgrad.lang.affine import Affine, T, as_affine
from symgrad.lang.nodes import (
    Cases,
    Derivative,
    Fold,
    IndexValue,
    Iverson,
    Node,
    Power,
    Signal,
    open_fold,
    signals_in,
    walk,
)
from symgrad.verify.onestep import same_at_every_time
from symgrad.verify.times import Times


@dataclass(frozen=True)
class FreeTimes:
    """Both sides of a statement about a cell."""

    cell: Cell
    left: Node
    right: Node

    def signals(self) -> list[Signal]:
        return signals_in(self.left, self.right)

    def _earliest(self, item: Signal) -> int:
        """The first time at which it exists: of losses, targets and δ there are none at 0."""
        return 0 if self.cell.is_state(item.name) and item.adjoint in ("", "lam") else 1

    def times(self) -> Times:
        """The free times with their ranges: t, then k up to it."""
        nodes = walk(self.left, self.right)
        taken = {node.index for node in nodes if isinstance(node, Fold)} | {"T"}
        taken |= {letter for node in nodes for side in node.shape for letter in side.names}
        forms = times_in(self.left, self.right)
        free = dict.fromkeys(
            letter for form in forms for letter in sorted(form.names) if letter not in taken
        )
        found: list[tuple[str, Affine, Affine]] = []
        last = T
        earlier = {"T"}
        edges = self._edges()
        for letter in sorted(free, key=lambda letter: "tkji".find(letter) % 5):
            mine = [s for s in self.signals() if s.time.names == {letter}]
            low = max((self._earliest(s) - s.time.const for s in mine), default=0)
            below = [low, *(-edge.const for edge in edges if edge == _only(letter, edge.const))]
            high = max((s.time.const for s in mine), default=0)
            bound = last - max(high, 0)
            if not mine:
                bound = self._mixed_bound(letter, earlier) or bound
            found.append((letter, as_affine(max(*below, 0)), bound))
            last = _only(letter)
            earlier.add(letter)
        return tuple(found)

    def _mixed_bound(self, letter: str, earlier: set[str]) -> Affine | None:
        """The largest k where it occurs beside earlier times only: in h_{t-k}, h_{t+k}."""
        found: list[Affine] = []
        for item in self.signals():
            rest = item.time - _only(letter).scale(item.time.coefficient(letter))
            if letter not in item.time.names or not rest.names <= earlier:
                continue
            if item.time.coefficient(letter) == -1:
                found.append(rest - self._earliest(item))
            elif item.time.coefficient(letter) == 1:
                found.append(T - rest)
        same = [bound for bound in found if (bound - found[0]).is_const]
        return min(same, key=lambda bound: bound.const) if same == found and found else None

    def _edges(self) -> list[Affine]:
        """What must not be negative for the first terms of sums and products to exist."""
        found: list[Affine] = []
        for node in walk(self.left, self.right):
            if not isinstance(node, Fold):
                continue
            index, body = open_fold(node)
            for item in signals_in(body):
                if item.time.coefficient(index) > 0:
                    first = item.time.substitute({index: node.lower})
                    found.append(first - self._earliest(item))
        return found

    def first(self) -> int:
        """The smallest T at which every signal exists."""
        at_end = [s for s in self.signals() if s.time.names == {"T"}]
        numbers = [s.time.const for s in self.signals() if s.time.is_const]
        low = max((self._earliest(s) - s.time.const for s in at_end), default=0)
        edges = [-edge.const for edge in self._edges() if edge == _only("T", edge.const)]
        return max([low, *numbers, *edges, 0])

    def span(self) -> tuple[str, int, int] | None:
        """The letter of a statement of few steps, how many, and how far back they end."""
        letters = {letter for item in self.signals() for letter in item.time.names}
        if len(letters) != 1 or not same_at_every_time(self.left, self.right):
            return None
        if any(item.time.is_const for item in self.signals()):
            return None
        (letter,) = letters
        # What the states bring along is another tangent for each parameter.
        derivatives = [n for n in walk(self.left, self.right) if isinstance(n, Derivative)]
        if any(not isinstance(node.wrt, Signal) for node in derivatives):
            return None
        later = max(item.time.const for item in self.signals())
        gap = max(self._earliest(item) - item.time.const for item in self.signals())
        if any(item.time.coefficient(letter) != 1 for item in self.signals()):
            return None
        return (letter, gap + later, -later) if later <= 0 and gap + later >= 1 else None


def times_in(*sides: Node) -> list[Affine]:
    """Every time in a formula: of signals, in exponents, bounds and conditions."""
    found: list[Affine] = []
    for node in walk(*sides):
        if isinstance(node, Signal):
            found.append(node.time)
        elif isinstance(node, IndexValue | Iverson):
            found.append(node.form)
        elif isinstance(node, Power):
            found.append(node.exponent)
        elif isinstance(node, Fold):
            found += [node.lower, node.upper]
        elif isinstance(node, Cases):
            conditions = [c for row in node.conditions for c in row]
            found += [s for c in conditions for s in (c.left, c.right) if isinstance(s, Affine)]
    return found


def _only(letter: str, const: int = 0) -> Affine:
    return Affine(((letter, 1),), const)

"""An evaluator of the language of proofs, for tests of the kernel.

Signals are computed from a theorem's hypotheses over fractions, derivatives by dual numbers;
calls are values drawn at random. It shares no line with the kernel.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np

F = Fraction
Json = Any

Pair = tuple[Any, Any]  # a matrix of fractions, and how it moves
SIZES = {"n": 2, "m": 3, "q": 2}


class Model:
    """Values for the names of a theorem, its signals computed from its hypotheses."""

    def __init__(self, theorem: dict[str, Json], seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.known: dict[Any, Any] = {}
        self.only_shapes = False
        self.equations: dict[str, Json] = {}
        self.slopes: dict[str, Json] = {}
        for line in theorem["hypotheses"]:
            if line["rule"] == "slope":
                self.slopes[line["call"][1]] = line["is"]
            elif line["when"] == [{"": -1, "t": 1}]:
                ((left, right),) = line["claims"]
                assert left[0] == "sig"
                self.equations[left[1]] = right

    def size(self, side: Json) -> int:
        return sum(c * (SIZES[n] if n else 1) for n, c in side.items())

    def draw(self, key: Any, shape: tuple[int, int]) -> Any:
        """A value that depends on the name alone."""
        if key not in self.known:
            found = np.empty(shape, dtype=object)
            for place in np.ndindex(shape):
                found[place] = F(self.random.randint(-5, 5), self.random.randint(2, 4))
            self.known[key] = found
        return self.known[key]

    def time(self, form: Json, env: dict[str, int], bound: list[int]) -> int:
        def of(name: str) -> int:
            return bound[-1 - int(name[1:])] if name.startswith("@") else env[name]

        return sum(c * (of(n) if n else 1) for n, c in form.items())

    def matrix(self, term: Json, first: int) -> tuple[int, int]:
        sides = term[first:] or [{"": 1}, {"": 1}]
        return (self.size(sides[0]), self.size(sides[1]))

    def signal(self, term: Json, time: int, move: Any) -> Pair:
        """A signal; ``move``: (kind, what is varied, its time, which entry)."""
        name, shape = term[1], self.matrix(term, 3)
        key = ("signal", name, time, move)
        if key in self.known:
            return self.known[key]
        value = None
        moved = np.full(shape, F(0), dtype=object)
        if name in self.equations and time >= 1:
            inner = move
            if move and move[0] != "d" and name not in move[0].split(","):
                inner = None
            value, moved = self(self.equations[name], {"t": time}, move=inner)
        else:
            value = self.draw(("signal", name, time), shape)
        if move and move[1:3] == (name, time):
            moved = np.full(shape, F(0), dtype=object)
            moved[move[3], 0] = F(1)
        self.known[key] = (value, moved)
        return self.known[key]

    def call(self, term: Json, argument: Pair, move: Any) -> Pair:
        value = np.empty(argument[0].shape, dtype=object)
        for place, entry in np.ndenumerate(argument[0]):
            if term[1] == "inv":
                value[place] = 1 / entry
            else:
                value[place] = self.draw(("call", term[1], entry), (1, 1))[0, 0]
        if not move or not argument[1].any():
            return value, argument[1]
        slope = self.slopes[term[1]]
        column = np.empty(value.shape, dtype=object)
        for place, entry in np.ndenumerate(argument[0]):
            column[place] = self.scalar_slope(slope, value[place], entry)
        return value, column * argument[1]

    def scalar_slope(self, slope: Json, ans: Fraction, arg: Fraction) -> Fraction:
        """An entrywise slope at one entry: diag(u) v is u v there."""
        head, *rest = slope
        if head == "num":
            return F(rest[0])
        if head == "ones":
            return F(1)
        if head == "par":
            return ans if rest[0] == "ans" else arg
        if head == "diag":
            return self.scalar_slope(rest[0], ans, arg)
        values = [self.scalar_slope(r, ans, arg) for r in rest]
        return sum(values, F(0)) if head == "add" else np.prod(np.array(values, dtype=object))

    def derivative(self, term: Json, env: dict[str, int], bound: list[int]) -> Any:
        of, wrt, kind = term[1:]
        time = self.time(of[2], env, bound)
        if wrt[0] == "par":
            return self.signal(of, time, ("d", wrt[1], None, 0))[1]
        at = self.time(wrt[2], env, bound)
        rows = self.matrix(wrt, 3)[0]
        columns = [self.signal(of, time, (kind, wrt[1], at, i))[1] for i in range(rows)]
        return np.concatenate(columns, axis=1)

    def __call__(
        self, term: Json, env: dict[str, int], bound: list[int] | None = None, move: Any = None
    ) -> Pair:
        """The value of a term, and how it moves."""
        head, bound = term[0], bound or []

        def of(part: Json, more: list[int] | None = None) -> Pair:
            return self(part, env, [*bound, *(more or [])], move)

        def still(value: Any) -> Pair:
            found = np.array(value, dtype=object).reshape(np.shape(value) or (1, 1))
            return found, np.full(found.shape, F(0), dtype=object)

        if head == "num":
            return still(F(term[1]))
        if head == "int":
            return still(F(self.time(term[1], env, bound)))
        if head in ("par", "dir"):
            shape = self.matrix(term, 2)
            value = self.draw((head, term[1]), shape)
            if head == "par" and move and move[1:3] == (term[1], None):
                one = np.full((1, 1), F(1), dtype=object)
                return value, one if shape == (1, 1) else self.draw(("dir", term[1]), shape)
            return still(value)
        if head == "ones":
            return still(np.full(self.matrix(term, 1), F(1), dtype=object))
        if head == "unit":
            before, mine, after = map(self.size, term[1:])
            found = np.full((before + mine + after, mine), F(0), dtype=object)
            for i in range(mine):
                found[before + i, i] = F(1)
            return still(found)
        if head == "sig":
            return self.signal(term, self.time(term[2], env, bound), move)
        if head == "der":
            return still(self.derivative(term, env, bound))
        if head == "cases":
            return of(term[2] if self.time(term[1], env, bound) == 0 else term[3])
        if head == "call":
            return self.call(term, of(term[2]), move)
        if head == "pow":
            e = self.time(term[2], env, bound)
            assert e >= 0 or self.only_shapes
            value = of(term[1])[0]
            power = self.eye(len(value))
            for _ in range(e):
                power = power @ value
            return still(power)
        if head in ("sum", "prod"):
            low, high = (self.time(f, env, bound) for f in term[1:3])
            parts = [of(term[3], [i])[0] for i in range(low, high + 1)]
            if not parts:
                before, self.only_shapes = self.only_shapes, True
                like = of(term[3], [low])[0]
                self.only_shapes = before
                return still(np.full(like.shape, F(0)) if head == "sum" else self.eye(len(like)))
            total = parts[0]
            for part in parts[1:]:
                total = total + part if head == "sum" else part @ total
            return still(total)
        value, moved = of(term[1])
        if head == "T":
            return value.T, moved.T
        if head == "diag":
            eye = self.eye(len(value))
            return value * eye, moved * eye
        if head == "tr":
            return still(sum(value.diagonal(), F(0)))
        for part in term[2:]:
            other, change = of(part)
            if head == "add":
                assert value.shape == other.shape
                value, moved = value + other, moved + change
            elif (1, 1) in (value.shape, other.shape):
                value, moved = value * other, moved * other + value * change
            else:
                value, moved = value @ other, moved @ other + value @ change
        return value, moved

    @staticmethod
    def eye(size: int) -> Any:
        found = np.full((size, size), F(0), dtype=object)
        for i in range(size):
            found[i, i] = F(1)
        return found


def holds(theorem: dict[str, Json], last: int = 6) -> bool:
    """Whether the claims are true for T up to 6, at values drawn at random."""
    names = sorted({n for f in theorem["when"] for n in f if n})
    model, compared = Model(theorem), 0
    for times in np.ndindex(*[last + 1] * len(names)):
        env = dict(zip(names, map(int, times), strict=True))
        if any(model.time(form, env, []) < 0 for form in theorem["when"]):
            continue
        for left, right in theorem["claims"]:
            compared += 1
            if (model(left, env)[0] != model(right, env)[0]).any():
                return False
    assert compared >= 4
    return True

"""The runs at which a gradient function is judged unless it is told where.

Errors hide where gradients are unlike those of an ordinary run. So there are runs in which
they vanish; in which they are large by long products, by what weighs L, or by large states;
in which units saturate; and in which many numbers are 0, -0, 1 or -1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from symgrad.adjoint import Objective
from symgrad.cell import Cell
from symgrad.errors import SymgradError, UsageError
from symgrad.evaluate.compiled import compile as compile_cell
from symgrad.evaluate.compiled.problem import Array
from symgrad.lang.nodes import Param, Signal, params_in
from symgrad.testing.oracles import by_name
from symgrad.testing.runs import DATA, Run, make_run, user_shape
from symgrad.verify.claims import all_sizes

#: The T that are tried where none are given; 0 last, since few functions are made for it.
HORIZONS = (1, 2, 3, 5, 8, 13, 21, 0)

#: How much larger than ordinary a large number is, and a gradient that counts as large.
LARGE, LARGE_GRADIENT = 1e9, 1e5


@dataclass(frozen=True)
class Kind:
    """A kind of run: factors of its numbers, which are ordinarily between 0.1 and 1.

    Attributes:
        params, inputs, initial, data: the factors; ``data`` is what weighs L: targets, dl or
            the cotangent.
        simple: half of the numbers are 0, -0, 1 or -1.
        single: factors of single arrays by name.
    """

    params: float = 1.0
    inputs: float = 1.0
    initial: float = 1.0
    data: float = 1.0
    simple: bool = False
    single: Mapping[str, float] = field(default_factory=dict)


#: At every T: ordinary runs, and runs in which gradients vanish.
ALWAYS = (Kind(), Kind(params=0.15), Kind(params=0.01))
#: In turns with T, each at two T or more.
IN_TURNS = (
    # Large states and inputs that saturate nothing.
    Kind(1 / LARGE, LARGE, LARGE, LARGE),
    # Linear cells explode, and units saturate until exp overflows.
    Kind(params=1e3),
    Kind(simple=True),
    Kind(data=LARGE),
)

_MOST_SOUGHT, _LONGEST_SOUGHT = 5, 13


def tried_runs(cell: Cell, objective: Objective, horizons: Iterable[int]) -> Iterator[Run]:
    """For each T runs of several kinds, with sizes in turn.

    A T at which L does not exist is left out if it is 0.

    Raises:
        UsageError: L does not exist at another T, or a T is no number of steps.
        NotSupportedYet: the cell has a generic activation.
    """
    every = list(dict.fromkeys(horizons))
    turning = [T for T in every if T > 0]
    turns = {
        (turning[turn % len(turning)], turn % len(IN_TURNS))
        for turn in range(2 * max(len(turning), len(IN_TURNS)) * bool(turning))
    }
    sizes = ((),) if cell.is_scalar else all_sizes(cell.size_names)
    for number, horizon in enumerate(every):
        if horizon == 0 and objective.mean:
            continue  # the mean of no numbers
        # Without a step the parameters do nothing.
        kinds = list(ALWAYS if horizon else ALWAYS[:1])
        kinds += [kind for which, kind in enumerate(IN_TURNS) if (horizon, which) in turns]
        for turn, kind in enumerate(kinds):
            maker = _Maker(cell, objective, horizon, dict(sizes[(number + turn) % len(sizes)]))
            try:
                yield maker.run(kind)
            except UsageError:
                if horizon > 0:
                    raise
    short = [T for T in every if 0 < T <= _LONGEST_SOUGHT]
    maker = _Maker(cell, objective, max(short, default=0), dict(sizes[-1]))
    if short and not maker.has_data:
        yield from maker.sought()


@dataclass(frozen=True)
class _Maker:
    """Makes the runs of a cell at one T and one set of sizes."""

    cell: Cell
    objective: Objective
    horizon: int
    sizes: Mapping[str, int]

    @property
    def has_data(self) -> bool:
        kind = DATA[self.objective.kind]
        return kind != "cotangent" or isinstance(self.objective.cotangent, Param)

    def run(self, kind: Kind) -> Run:
        """Numbers of three digits: hardly any two products are the same, so few terms cancel."""
        cell, objective, T = self.cell, self.objective, self.horizon
        random = np.random.default_rng([T, *self.sizes.values()])

        def draw(node: Param | Signal, factor: float, *time: int) -> Array:
            shape = (*time, *(() if cell.is_scalar else user_shape(node.shape, self.sizes)))
            signs = random.choice([-1.0, 1.0], shape)
            numbers = random.integers(100, 1000, shape) / 1000 * signs
            if kind.simple:
                chosen = random.choice([0.0, -0.0, 1.0, -1.0], shape)
                numbers = np.where(random.random(shape) < 0.5, chosen, numbers)
            return np.asarray(numbers * factor * kind.single.get(node.name, 1.0))

        params = {p.name: draw(p, kind.params) for p in cell.params}
        decays = [p for p in params_in(objective.penalty) if p.name not in params]
        params |= {p.name: draw(p, 1.0) for p in decays}
        data: dict[str, Any] = {}
        if self.has_data:
            over_time = objective.kind != "linear" and objective.when == "sum"
            timed = (T,) if over_time else ()
            data[DATA[objective.kind]] = draw(objective.signal, kind.data, *timed)
        inputs = {x.name: draw(x, kind.inputs, T) for x in cell.inputs}
        initial = {s.name: draw(s, kind.initial) for s in cell.states}
        return make_run(cell, objective, params, inputs, initial, T=T, **data)

    def sought(self) -> Iterator[Run]:
        """Where nothing weighs L: runs with the gradients of as many names as possible large."""
        compiled = compile_cell(self.cell, self.objective)
        groups, named = self.run(Kind()).arguments()

        def large(single: Mapping[str, float]) -> set[str]:
            positional = [{k: v * single.get(k, 1.0) for k, v in g.items()} for g in groups]
            try:
                with np.errstate(all="ignore"):
                    found = by_name(compiled.gradient(*positional, **named, wrt_inputs=True))
            except (ArithmeticError, SymgradError):
                return set()
            sizes = {name: np.max(np.abs(value), initial=0.0) for name, value in found.items()}
            return {name for name, size in sizes.items() if LARGE_GRADIENT < size < 1e30}

        found = [(single, large(single)) for single in self._one_stands_out()]
        seen: set[str] = set()
        for _ in range(_MOST_SOUGHT):
            single, names = max(found, key=lambda pair: len(pair[1] - seen))
            if names <= seen:
                return
            seen |= names
            yield self.run(Kind(single=single))

    def _one_stands_out(self) -> Iterator[dict[str, float]]:
        """Factors with one array large, and small what would saturate units."""
        params = [p.name for p in self.cell.params]
        others = [node.name for node in (*self.cell.inputs, *self.cell.states)]
        for name in others:
            yield {**dict.fromkeys(params, 1 / LARGE), name: LARGE}
        # Near the state 0 products over many steps may grow.
        for name, rest, near, factor in product(
            params, (1.0, 0.0), (1.0, 1 / LARGE), (LARGE, 100.0)
        ):
            yield {**dict.fromkeys(others, near), **dict.fromkeys(params, rest), name: factor}


__all__ = ["HORIZONS", "tried_runs"]

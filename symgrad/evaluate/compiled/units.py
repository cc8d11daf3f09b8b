"""What one emission of NumPy code does, and in which order.

A unit is a single operation, a group of alike ones on a common array, a sum of products
with the parameters of a home (``U_f^⊤ δ^f + U_i^⊤ δ^i + …`` is one matrix product), or the
accumulation of the gradients of a home.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from symgrad.evaluate.compiled.plan import (
    Accumulate,
    BackwardSection,
    Op,
    Operand,
    Section,
    Value,
    reads,
)
from symgrad.lang.base import SCALAR


@dataclass(frozen=True)
class Home:
    """Values in one array, below each other, in this order."""

    values: tuple[Value, ...]

    @property
    def count(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Unit:
    """What one emission does.

    Attributes:
        kind: ``one`` op; ``group`` of ops of one head; ``sum``: the add ``ops[0]`` with the
            products ``ops[1:]`` as one; ``accumulate``.
        ops: the operations; for ``accumulate`` the products that it takes in, or none.
        accumulate: for one parameter, or for all of a home in its order.
        common: the factor that all products of an accumulation have.
    """

    kind: Literal["one", "group", "sum", "accumulate"]
    ops: tuple[Op, ...] = ()
    accumulate: tuple[Accumulate, ...] = ()
    common: Operand | None = None

    @property
    def operands(self) -> list[Operand]:
        """What it reads."""
        ours = {op.target for op in self.ops} if self.kind != "one" else set()
        found = [a for op in self.ops for a in op.args if a not in ours]
        return found + [a.term for a in self.accumulate if a.term not in ours]


class Places(Protocol):
    """Where values live."""

    homes: dict[Value, Home]

    def request(self, operands: Sequence[Operand]) -> bool:
        """Whether the values stand below each other, giving them one home if they have none."""
        ...

    def parameter(self, operand: Operand) -> Value | None:
        """The parameter that an operand is, or is the transpose of."""
        ...


def other(op: Op, common: Operand | None) -> Operand:
    """The factor of a product of two that is not the common one."""
    return op.args[0] if op.args[1] == common else op.args[1]


def fused_units(places: Places, section: BackwardSection) -> list[Unit]:
    """Sums over the parameters of a home, and all accumulations."""
    counts = reads(section)
    units = []
    for ops in _over_parameters(places, section):
        total = _sum_of(section, ops, counts)
        if total is not None and places.request([op.args[1] for op in ops]):
            units.append(Unit("sum", (total, *ops)))
    units += _accumulations(places, section, counts)
    return units


def _over_parameters(places: Places, section: Section) -> Iterator[list[Op]]:
    """Products of each parameter of a home with something."""
    groups: dict[tuple[str, Home], dict[Value, Op]] = {}
    for op in section.ops:
        if op.head not in ("mul", "matmul") or len(op.args) != 2:
            continue
        param = places.parameter(op.args[0])
        home = places.homes.get(param) if param is not None else None
        if param is None or home is None or places.parameter(op.args[1]) is not None:
            continue
        column = op.args[1].shape[1] == SCALAR[1] and op.args[0] is not param
        if column if op.head == "matmul" else param.is_scalar and op.target.is_scalar:
            groups.setdefault((op.head, home), {}).setdefault(param, op)
    for (_, home), group in groups.items():
        if len(group) == home.count > 1:
            yield [group[param] for param in home.values]


def _sum_of(section: Section, ops: list[Op], counts: dict[Value, int]) -> Op | None:
    """The one sum that reads them, each once and with the sign 1."""
    targets = {op.target for op in ops}
    if any(counts.get(target) != 1 for target in targets):
        return None
    for op in section.ops:
        if op.head == "add" and targets <= set(op.args):
            signs = {s for a, s in zip(op.args, op.data, strict=True) if a in targets}
            return op if signs == {1} else None
    return None


def _accumulations(
    places: Places, section: BackwardSection, counts: dict[Value, int]
) -> Iterator[Unit]:
    """Accumulations for all parameters of a home together where they are alike, else singly."""
    definitions = section.definitions

    def product(item: Accumulate) -> Op | None:
        """The product of two that only this accumulation reads."""
        op = definitions.get(item.term) if isinstance(item.term, Value) else None
        alone = op is not None and counts[op.target] == 1 and len(op.args) == 2
        return op if alone and op is not None and op.head in ("mul", "matmul") else None

    def keys(item: Accumulate) -> list[tuple[object, ...]]:
        """How it may be grouped: by the home of the parameter and a common factor."""
        home, op = places.homes.get(item.param), product(item)
        if home is None:
            return []
        if op is None:
            return [(home, item.sign, None, None)]
        factors = op.args[1:] if op.head == "matmul" else op.args
        return [(home, item.sign, op.head, factor) for factor in factors]

    sizes = Counter(key for item in section.accumulate for key in keys(item))
    groups: dict[tuple[object, ...], list[Accumulate]] = {}
    for item in section.accumulate:
        best = max(keys(item), key=lambda key: sizes[key], default=(item,))
        groups.setdefault(best, []).append(item)
    for key, items in groups.items():
        home = key[0]
        if isinstance(home, Home):
            order = {value: position for position, value in enumerate(home.values)}
            items = sorted(items, key=lambda item: order[item.param])
            whole = [item.param for item in items] == list(home.values)
            common = key[3] if len(key) > 3 else None
            ops = tuple(op for item in items if (op := product(item)) is not None)
            parts = [other(op, common) for op in ops] or [item.term for item in items]  # type: ignore[arg-type]
            # Scalars below each other do not broadcast over columns below each other.
            level = all(p.shape == home.values[0].shape for p in parts) or key[2] == "matmul"
            if whole and level and home.count > 1 and places.request(parts):
                yield Unit("accumulate", ops, tuple(items), common)  # type: ignore[arg-type]
                continue
        for item in items:
            op = product(item)
            fused = () if op is None else (op,)
            yield Unit("accumulate", fused, (item,), op.args[1] if op is not None else None)


def in_order(section: Section, units: list[Unit]) -> list[Unit]:
    """The units so that each comes after what it reads; those that cannot are taken apart."""
    while True:
        ordered, stuck = _sorted(section, units)
        if not stuck:
            return ordered
        units = [u for u in units if u not in stuck or u.kind not in ("group", "sum")]
        taken_apart = [u for u in stuck if u.kind in ("group", "sum")]
        assert taken_apart, "operations of a section read each other in a circle"
        units += [Unit("one", (op,)) for unit in taken_apart for op in unit.ops]


def _sorted(section: Section, units: list[Unit]) -> tuple[list[Unit], list[Unit]]:
    position = {op.target: i for i, op in enumerate(section.ops)}
    maker = {op.target: i for i, unit in enumerate(units) for op in unit.ops}
    needs = [
        {maker[o] for o in unit.operands if isinstance(o, Value) and o in maker} - {i}
        for i, unit in enumerate(units)
    ]

    def rank(i: int) -> tuple[int, int]:
        # As early as its operands allow, so that they are still in the cache.
        places = [position[o] for o in units[i].operands if isinstance(o, Value) and o in position]
        return max(places, default=-1), i

    done: set[int] = set()
    ordered: list[Unit] = []
    waiting = sorted(range(len(units)), key=rank)
    while waiting:
        ready = next((i for i in waiting if needs[i] <= done), None)
        if ready is None:
            return ordered, [units[i] for i in waiting]
        waiting.remove(ready)
        done.add(ready)
        ordered.append(units[ready])
    return ordered, []

"""Which values share one array, so that one NumPy call does the work of several.

The gates of a cell do the same with different parameters: ``W_f x + U_f h + b_f`` and so on.
Values of that kind are laid out one below the other in one array (a ``Home``), and one
call works on all of them: one matrix product for all gates, one accumulation for all their
gradients. Nothing here knows a cell: operations are grouped when they have the same head
and their arguments are the same value, or members of one group, or parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from symgrad.evaluate.compiled.plan import (
    BackwardSection,
    Number,
    Op,
    Operand,
    Plan,
    Section,
    Value,
)
from symgrad.evaluate.compiled.units import Home, Unit, fused_units, in_order
from symgrad.lang.base import SCALAR

#: Heads that are not elementwise; of these only ``matmul`` with a parameter is grouped.
WHOLE = frozenset(
    {"matmul", "transpose", "total", "diag", "block", "slice", "full", "index", "iverson"}
    | {"matpower", "power", "softmax", "logsumexp", "mean", "variance"}
)
#: Heads of what may be the same for all samples within a step.
STILL = frozenset(["index", "iverson", "full", "add", "mul", "neg", "div"])


@dataclass
class Packing:
    """Homes of values and the units of every section.

    Attributes:
        kept: values of the forward pass that are kept over time.
        varying: parameters that differ from sample to sample.
        separate: parameters whose gradient is kept per sample.
    """

    plan: Plan
    kept: frozenset[Value]
    varying: frozenset[str]
    separate: frozenset[str]
    homes: dict[Value, Home] = field(default_factory=dict)
    units: dict[int, list[Unit]] = field(default_factory=dict)
    _kind: dict[Value, object] = field(default_factory=dict)
    _moving: set[Value] = field(default_factory=set)
    _key: dict[Value, object] = field(default_factory=dict)
    _under: dict[Value, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan = self.plan
        for op in plan.setup.ops:
            if op.head == "transpose" and isinstance(op.args[0], Value):
                self._under[op.target] = op.args[0]
        states = {plan.forward.results[s.label] for s in plan.states}
        for value in plan.params:
            self._kind[value] = ("param", value.label in self.varying, value.label in self.separate)
        for op in plan.setup.ops:
            if any(self.varies(a) for a in op.args):
                self._moving.add(op.target)
        for number, section in enumerate(self._sections()):
            for op in section.ops:
                # A state has an array of its own, with one more time.
                free = None if number == 0 and op.target in states else ("temp", number)
                self._kind[op.target] = ("kept",) if free and op.target in self.kept else free
                if free is None or op.target in self.kept or self._moves(op):
                    self._moving.add(op.target)
        for section in self._sections():
            self.units[id(section)] = self._section(section)

    def _sections(self) -> list[Section]:
        plan = self.plan
        loss = [] if plan.loss is None else [plan.loss]
        return [plan.forward, plan.step, plan.last, *loss, plan.empty]

    def varies(self, operand: Operand) -> bool:
        """Whether it differs from sample to sample, and has an axis for the batch."""
        if isinstance(operand, Number):
            return False
        if operand.role == "param":
            return operand.label in self.varying
        return operand in self._moving or operand.role not in ("temp", "signal", "adjoint")

    def _moves(self, op: Op) -> bool:
        # What is the same for all samples is a formula of few heads; anything else gets a batch.
        return op.head not in STILL or any(self.varies(a) for a in op.args)

    def home(self, value: Value) -> Home:
        """The home of a value; one of its own if it shares none."""
        found = self.homes.get(value)
        if found is None:
            found = self.homes[value] = Home((value,))
        return found

    def place(self, operands: Sequence[Operand]) -> tuple[Home, int] | None:
        """The home and the first position of values that stand below each other in order."""
        homes = [self.homes.get(o) if isinstance(o, Value) else None for o in operands]
        home = homes[0]
        if home is None or home.count < 2 or any(h is not home for h in homes):
            return None
        first = operands[0]
        assert isinstance(first, Value)
        start = home.values.index(first)
        return (
            (home, start) if home.values[start : start + len(operands)] == tuple(operands) else None
        )

    def parameter(self, operand: Operand) -> Value | None:
        """The parameter that an operand is, or is the transpose of."""
        if isinstance(operand, Value):
            value = self._under.get(operand, operand)
            return value if value.role == "param" else None
        return None

    # ---- one section -------------------------------------------------------------------

    def _section(self, section: Section) -> list[Unit]:
        units: list[Unit] = []
        # Larger groups first: what lives in a home can be part of a smaller group later.
        groups = sorted(self._isomorphic(section), key=lambda group: -len(group))
        if isinstance(section, BackwardSection):
            units += fused_units(self, section)
        taken = {op.target for unit in units for op in unit.ops}
        for ops in groups:
            ordered = self._ordered([op for op in ops if op.target not in taken])
            if len(ordered) > 1 and self._fits(ordered):
                units.append(Unit("group", tuple(ordered)))
                taken |= {op.target for op in ordered}
        units += [Unit("one", (op,)) for op in section.ops if op.target not in taken]
        return in_order(section, units)

    def request(self, operands: Sequence[Operand]) -> bool:
        """Whether the values stand below each other, giving them one home if they have none."""
        values = [o for o in operands if isinstance(o, Value)]
        if len(values) < len(operands) or len(set(values)) < len(values):
            return False
        if self.place(values) is not None:
            return True
        kinds = {self._kind.get(v) for v in values}
        if any(v in self.homes for v in values) or len(kinds) > 1 or kinds == {None}:
            return False
        if len({v.shape for v in values}) > 1 or (
            values[0].role == "param" and not self._stacks(values)
        ):
            return False
        home = Home(tuple(values))
        self.homes.update(dict.fromkeys(values, home))
        return True

    def _stacks(self, values: list[Value]) -> bool:
        return values[0].is_scalar or not any(
            v.label in self.varying | self.separate for v in values
        )

    def _isomorphic(self, section: Section) -> list[list[Op]]:
        groups: dict[object, list[Op]] = {}
        for op in section.ops:
            if op.head in WHOLE and not (op.head == "matmul" and self._is_stackable(op)):
                continue
            if not self.varies(op.target):
                continue
            key = (id(section), op.head, op.data, op.target.shape, tuple(map(self._class, op.args)))
            self._key[op.target] = key
            groups.setdefault(key, []).append(op)
        return [ops for ops in groups.values() if len(ops) > 1]

    def _is_stackable(self, op: Op) -> bool:
        """A product of a parameter (not transposed) and a column."""
        left, right = op.args
        return isinstance(left, Value) and left.role == "param" and right.shape[1] == SCALAR[1]

    def _class(self, operand: Operand) -> object:
        if isinstance(operand, Number):
            return operand
        if operand.role == "param":
            return ("param", operand.shape, self._kind[operand])
        return self._key.get(operand, operand)

    def _ordered(self, ops: list[Op]) -> list[Op]:
        """The order that the arguments have where they already live."""
        for position in range(len(ops[0].args) if ops else 0):
            operands = [op.args[position] for op in ops]
            homes = {self.homes.get(o) if isinstance(o, Value) else None for o in operands}
            (home, *others) = homes
            if home is not None and not others and len(set(operands)) == len(operands):
                values = list(home.values)
                return sorted(ops, key=lambda op: values.index(op.args[position]))  # type: ignore[arg-type]
        return ops

    def _fits(self, ops: list[Op]) -> bool:
        columns = list(zip(*[op.args for op in ops], strict=True))
        for operands in columns:
            if len(set(operands)) < 2:
                continue
            # Scalars below each other do not broadcast over columns below each other.
            level = ops[0].head == "matmul" or operands[0].shape == ops[0].target.shape
            if not level or not self.request(operands):
                return False
        if not any(len(set(operands)) > 1 for operands in columns):
            return False
        return self.request([op.target for op in ops])

"""NumPy source of a plan: one function per pass, a Python loop over time, arrays reused.

Every array of a step is written with ``out=``: into an array over time where the backward
pass needs it, else into a buffer that is used again as soon as nobody reads it.
"""

from __future__ import annotations

from symgrad.evaluate.compiled.buffers import made_by
from symgrad.evaluate.compiled.numpy_names import rank
from symgrad.evaluate.compiled.numpy_sums import Sums
from symgrad.evaluate.compiled.plan import BackwardSection, Operand, Section, Value, results_of
from symgrad.evaluate.compiled.units import Unit
from symgrad.lang.base import Shape

#: Lists of arrays that the caller makes: parameters, inputs, targets, states, kept values,
#: extra signals, carries, sums, gradients of inputs, L, gradients at T = 0, buffers,
#: functions, numbers, packed parameters, results of setup.
ARRAYS = ("T", "B", *"PXGSKRCADLEWFNQU")
HELPERS = (
    *("add", "subtract", "multiply", "divide", "negative", "matmul", "dot", "copyto"),
    *("add_reduce", "number", "full", "zero", "product", "matrix_power", "integer_power"),
    *("diagonal", "blocks", "softmax", "logsumexp", "mean", "variance"),
)


class Printer(Sums):
    """Source for one plan, one choice of what is kept and of what differs between samples."""

    def source(self, *, extra: tuple[str, ...] = (), value: bool = False) -> str:
        """``forward`` and, with an objective, ``backward`` and ``empty``; ``a`` holds the arrays.

        ``extra``: signals that are copied out; ``value``: the forward pass computes L too.
        """
        plan = self.plan
        self.layout.extra = list(extra)
        setup = self._setup()
        bodies = {"forward": self._forward(value)}
        if plan.when is not None:
            bodies |= {"backward": self._backward(), "empty": self._empty(value)}
        lines: list[str] = []
        for name, body in bodies.items():
            lines += [f"def {name}(a):", *self._function(body, setup)]
        return "\n".join(lines) + "\n"

    def _function(self, body: list[str], setup: list[str]) -> list[str]:
        sizes = [f"n_{name}" for name in self.plan.sizes]
        helpers = [f"{name} = a.helpers[{name!r}]" for name in HELPERS]
        head = [f"{letter} = a.{letter}" for letter in ARRAYS]
        head += [f"{name} = a.sizes[{i}]" for i, name in enumerate(sizes)]
        head += [f"{v.name} = P[{i}]" for i, v in enumerate(self.plan.params)]
        # Buffers, functions and numbers are known only once everything is printed.
        tables = [f"w{i} = W[{i}]" for i in range(len(self.layout.buffers))]
        tables += [f"f{i} = F[{i}]" for i in range(len(self.layout.functions))]
        tables += [f"k{i} = N[{i}]" for i in range(len(self.layout.numbers))]
        tables += [f"q{i} = Q[{i}]" for i in range(len(self.layout.packs))]
        tables += [f"{v.name} = U[{i}]" for i, v in enumerate(self.layout.setup)]
        return [f"    {line}" for line in [*helpers, *head, *tables, *setup, *body, "return"]]

    def _setup(self) -> list[str]:
        self.layout.setup = [
            op.target for op in self.plan.setup.ops if self.packing.varies(op.target)
        ]
        self._start()
        for op in self.plan.setup.ops:
            if self.packing.varies(op.target):
                self._names[op.target] = op.target.name
            self._single(op)
        return [*self.before, *self.body]

    def _forward(self, value: bool) -> list[str]:
        plan = self.plan
        self._start()
        tail: list[str] = []
        self.kept_places(plan.forward)
        self._units(plan.forward)
        for number, state in enumerate(plan.states):
            operand = plan.forward.results[state.label]
            if self.owner.get(operand) != number:
                tail.append(f"copyto(S[{number}][t + 1], {self._entry(operand, state.shape)})")
        for number, label in enumerate(self.layout.extra):
            operand = plan.forward.results[label]
            tail.append(f"copyto(R[{number}][t], {self._entry(operand, operand.shape)})")
        first, self.body = self.body, []
        if value and plan.loss is not None:
            self._units(plan.loss)
            self.body.append(f"add(L, {self.name(plan.loss.results['L'])}, L)")
        loss = self.body
        if plan.when == "final" and loss:
            loss = ["if t == T - 1:", *_in(loss)]
        return [*self.before, "for t in range(T):", *_in([*self.load, *first, *tail, *loss])]

    def _empty(self, value: bool) -> list[str]:
        """What there is at T = 0: gradients of the initial states, and L."""
        self._start()
        section = self.plan.empty
        self._units(section)
        tail = []
        for number, state in enumerate(self.plan.states):
            if state.label in section.results:
                entry = self._entry(section.results[state.label], state.shape)
                tail.append(f"copyto(E[{number}], {entry})")
        if value and "L" in section.results:
            tail.append(f"copyto(L, {self.name(section.results['L'])})")
        return ["t = 0", *self.before, *self.load, *self.body, *tail]

    def kept_places(self, forward: Section) -> None:
        """Where values of the forward pass are kept over time."""
        for op in forward.ops:
            if op.target in self.packing.kept and op.target not in self.owner:
                home = self.packing.home(op.target)
                if home not in self._place:
                    self._place[home] = f"K[{len(self.layout.kept)}][t]"
                    self.layout.kept.append(home)

    def _backward(self) -> list[str]:
        lines: list[str] = []
        for section, header in (
            (self.plan.last, "for t in range(T - 1, T - 2, -1):"),
            (self.plan.step, "for t in range(T - 2, -1, -1):"),
        ):
            self._start()
            self._direct = {}
            tail = self._tail(section)
            self._units(section)
            ends = [self._copy(*entry) for entry in tail]
            # An old carry may be the new one of another state: copied before it changes.
            moved = [o for where, o, _ in tail if where.startswith("C") and o in self._carries]
            for number, operand in enumerate(dict.fromkeys(moved)):
                old = self.name(operand) if operand is not None else ""
                ends.insert(number, f"m{number} = {old}.copy()")
                ends[number + 1 :] = [
                    line.replace(f", {old})", f", m{number})") for line in ends[number + 1 :]
                ]
            lines += [*self.before, header, *_in([*self.load, *self.body, *ends])]
        return ["if T == 0:", "    return", *lines]

    def _copy(self, where: str, operand: Operand | None, shape: Shape) -> str:
        if operand is None:
            return f"{where}[...] = zero"
        return f"copyto({where}, {self._entry(operand, shape)})"

    @property
    def _carries(self) -> list[Value]:
        return list(self.plan.carries.values())

    def _tail(self, section: BackwardSection) -> list[tuple[str, Operand | None, Shape]]:
        """What ends a step: where what is copied; a carry that can be written there is not."""
        copies: list[tuple[str, Operand | None, Shape]] = []
        made = section.definitions
        units = self.packing.units[id(section)]
        for number, (label, carry) in enumerate(self.plan.carries.items()):
            operand = section.carries.get(label)
            if isinstance(operand, Value) and operand in made and operand not in self._direct:
                # What is the same for all samples is a number of its own, and is copied.
                alone = self.packing.varies(operand) and operand.shape == carry.shape
                alone = alone and self.packing.home(operand).count == 1
                makes = next(i for i, u in enumerate(units) if operand in made_by(u))
                read = [i for i, u in enumerate(units) if carry in u.operands]
                others = [o for k, o in section.carries.items() if k != label]
                others += section.inputs.values()
                # Nobody reads the old value once the new one is there.
                if alone and all(i < makes for i in read) and carry not in others:
                    self._direct[operand] = f"C[{number}]"
                    continue
            copies.append((f"C[{number}]", operand, carry.shape))
        # Gradients of inputs first: they may be old carries.
        moved = [
            (f"D[{number}][t]", section.inputs[value.label], value.shape)
            for number, value in enumerate(self.plan.inputs)
            if value.label in section.inputs
        ]
        return [*moved, *copies]

    def _units(self, section: Section) -> None:
        units = self.packing.units[id(section)]
        for unit in units:
            if unit.kind == "one" and unit.ops[0].head == "transpose":
                (op,) = unit.ops
                if rank(op.target.shape) < 2 and self.packing.varies(op.target):
                    # A row of all samples is stored like the column.
                    self._alias[op.target] = op.args[0]
        fixed = set(self.owner) | set(self._direct) | self.packing.kept | set(self._alias)
        plan = self.buffers.plan(self.packing, units, fixed, self._alias, results_of(section))
        for unit, (homes, scratch) in zip(units, plan, strict=True):
            for home, buffer in homes.items():
                self._place[home] = f"w{buffer}"
            self._unit(unit, None if scratch is None else f"w{scratch}")

    def _unit(self, unit: Unit, scratch: str | None) -> None:
        if unit.kind == "one":
            self._single(unit.ops[0])
        elif unit.kind == "group":
            self._group(list(unit.ops))
        elif unit.kind == "sum":
            self._sum(unit.ops[0], list(unit.ops[1:]))
        else:
            self._accumulate(unit, scratch)


def _in(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines or ["pass"]]

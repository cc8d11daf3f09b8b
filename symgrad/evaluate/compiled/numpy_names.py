"""Names of arrays in generated NumPy code: where each value of a step is found.

A name is assigned before the loop over time, or at the start of a step where the array is
kept over time. Names are made here; what a user called things is not in the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symgrad.evaluate.compiled.buffers import Buffers
from symgrad.evaluate.compiled.packs import Packing
from symgrad.evaluate.compiled.plan import Number, Operand, Plan, Value
from symgrad.evaluate.compiled.units import Home
from symgrad.lang.affine import ONE, Affine
from symgrad.lang.base import Shape


def form_text(form: Affine) -> str:
    """An affine form in time, horizon and sizes, with the names of the generated code."""
    parts = [
        f"{c} * {'(t + 1)' if name == 't' else 'T' if name == 'T' else f'n_{name}'}"
        for name, c in form.terms
    ]
    return " + ".join([*parts, str(form.const)]) if parts else str(form.const)


def rank(shape: Shape) -> int:
    """Axes of what has a batch axis too: a column and a row have one, (n, B)."""
    if shape == (ONE, ONE):
        return 0
    return 1 if ONE in shape else 2


@dataclass
class Layout:
    """Arrays that a generated function takes in lists, as (count, shape) of their entries."""

    kept: list[Home] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    buffers: list[tuple[int, Shape]] = field(default_factory=list)
    setup: list[Value] = field(default_factory=list)
    packs: list[Home] = field(default_factory=list)
    accumulators: list[tuple[Value, ...]] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)


class Names:
    """Local names of operands, and the lines that assign them."""

    def __init__(self, plan: Plan, packing: Packing) -> None:
        self.plan = plan
        self.packing = packing
        self.layout = Layout()
        self.before: list[str] = []
        self.load: list[str] = []
        self.body: list[str] = []
        self._names: dict[object, str] = {}
        self._loaded: dict[object, str] = {}
        self._direct: dict[Value, str] = {}
        self._alias: dict[Value, Operand] = {}
        self._place: dict[Home, str] = {}
        self.buffers = Buffers(self.layout.buffers)
        results = plan.forward.results
        self.owner: dict[Operand, int] = {}
        made = {op.target for op in plan.forward.ops}
        for number, state in enumerate(plan.states):
            if results[state.label] in made:
                self.owner.setdefault(results[state.label], number)

    def _start(self) -> None:
        self.before, self.load, self.body = [], [], []
        self._loaded = {}

    def _local(self, key: object, text: str, *, each_step: bool) -> str:
        """A local name for an expression, assigned before the loop or at the start of a step."""
        found = self._loaded.get(key)
        if found is None:
            found = self._loaded[key] = f"a{len(self._loaded)}"
            (self.load if each_step else self.before).append(f"{found} = {text}")
        return found

    def name(self, operand: Operand) -> str:
        """The array of an operand in this step: (B,), (n, B), (n, m, B); shared without B."""
        if isinstance(operand, Number):
            if operand not in self.layout.numbers:
                self.layout.numbers.append(operand)
            return f"k{self.layout.numbers.index(operand)}"
        if operand in self._alias:
            return self.name(self._alias[operand])
        if operand in self._names:
            return self._names[operand]
        plan = self.plan
        if operand.role == "param":
            return operand.name
        if operand.role == "input":
            return self._local(operand, f"X[{plan.inputs.index(operand)}][t]", each_step=True)
        if operand.role in ("given", "cotangent"):
            timed = operand.role == "given" and plan.when == "sum"
            text = f"G[{plan.givens.index(operand)}]"
            return self._local(operand, f"{text}[t]" if timed else text, each_step=timed)
        if operand.role == "previous":
            return self._local(operand, f"S[{plan.states.index(operand)}][t]", each_step=True)
        if operand.role == "carry":
            number = list(plan.carries.values()).index(operand)
            return self._local(operand, f"C[{number}]", each_step=False)
        if operand in self.owner:
            return self._local(operand, f"S[{self.owner[operand]}][t + 1]", each_step=True)
        if operand in self._direct:
            return self._local(operand, self._direct[operand], each_step=False)
        home = self.packing.homes.get(operand)
        if home is None or home not in self._place:
            return operand.name
        whole, each = self._whole(home)
        if home.count == 1:
            return whole
        return self._local(operand, f"{whole}[{home.values.index(operand)}]", each_step=each)

    def _whole(self, home: Home) -> tuple[str, bool]:
        place = self._place[home]
        each = place.startswith("K")
        return self._local(home, place, each_step=each), each

    def _part(self, home: Home, start: int, count: int) -> str:
        """Some values of a home: (count, …, B)."""
        if home.values[0].role == "param":
            whole, each = self._pack(home), False
        else:
            whole, each = self._whole(home)
        if count == home.count:
            return whole
        return self._local(
            (home, start, count), f"{whole}[{start}:{start + count}]", each_step=each
        )

    def _flat(self, home: Home, start: int, count: int) -> str:
        """The same as a matrix: (count · n, B), or for parameters (count · n, m)."""
        part = self._part(home, start, count)
        each = home.values[0].role != "param" and self._place[home].startswith("K")
        text = f"{part}.reshape(-1, {part}.shape[-1])"
        return self._local(("flat", home, start, count), text, each_step=each)

    def _pack(self, home: Home) -> str:
        if home not in self.layout.packs:
            self.layout.packs.append(home)
        return f"q{self.layout.packs.index(home)}"

    def _entry(self, operand: Operand, shape: Shape) -> str:
        """An operand as it stands in elementwise operations of things that have a batch."""
        text = self.name(operand)
        if self.packing.varies(operand) or operand.is_scalar:
            return text
        if rank(operand.shape) == 2:
            return f"{text}[:, :, None]"
        return f"{text}.T" if operand.shape[0] == ONE else text

    def _cube(self, operand: Operand) -> str:
        """An operand as (rows, columns, B); B is 1 for what all samples share."""
        text = self.name(operand)
        if operand.is_scalar:
            return f"{text}.reshape(1, 1, -1)"
        if not self.packing.varies(operand):
            return f"{text}[:, :, None]"
        if rank(operand.shape) == 2:
            return text
        return f"{text}[None]" if operand.shape[0] == ONE else f"{text}[:, None]"

    def function(self, head: str) -> str:
        if head not in self.layout.functions:
            self.layout.functions.append(head)
        return f"f{self.layout.functions.index(head)}"

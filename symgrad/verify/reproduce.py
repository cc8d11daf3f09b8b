"""A witness as a few lines of NumPy that anybody can run: values, forward pass, both sides.

Derivatives are computed by the complex step through the forward pass, so nothing that was
proved or derived is used to reproduce a refutation; the other side is the formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np

from symgrad.lang.algebra import Algebra, Multiprecision, Value, is_array
from symgrad.lang.nodes import Derivative, Name, Node, Param, Signal, signals_in, walk
from symgrad.lang.program import (
    Equation,
    Program,
    Runner,
    Sweep,
    at_last_step,
    before_last_step,
)
from symgrad.verify.numpy_text import Names, Printer, Unprintable, number
from symgrad.verify.sampling import Sampler, Weights
from symgrad.verify.verdict import Witness

_SLOPE = """def slope(f, key, like):  # by the complex step, entry by entry down the columns
    found = []
    for place in np.ndindex(*np.shape(np.transpose(like))):
        unit = np.zeros(np.shape(like), complex)
        unit[place[::-1]] = 1e-30j
        found.append(np.imag(f({key: unit})) / 1e-30)
    return found"""
_OBJECTIVE = """def objective(move):
    run = forward(move)
    return sum(np.sum(weight * run[name][time]) for (name, time), weight in weights.items())"""


@runtime_checkable
class FormulaLike(Protocol):
    """What a claim about formulas along a run consists of."""

    program: Program
    left: Node
    right: Node
    given: Mapping[str, Node]
    weights: Weights | None
    backward: Program | None
    penalty: Node | None
    imposed: tuple[tuple[Param, Node], ...]


def reproducible(
    claim: object, witness: Witness, point: Mapping[str, Fraction], *, scalar: bool
) -> Witness:
    """The witness with a NumPy program that prints both sides, where one can be written."""
    if not isinstance(claim, FormulaLike) or witness.horizon is None:
        return witness
    try:
        lines = _Text(claim, witness, point, scalar).lines()
    except Unprintable:
        return witness
    return replace(witness, lines=tuple(lines))


def _in_float64(value: str) -> float:
    if "/" not in value:
        return float(value)
    try:
        return float(Fraction(value))
    except OverflowError:
        return float("-inf" if value.startswith("-") else "inf")


class _Text(Printer):
    """The program of one witness; derivatives in formulas are calls of its helpers."""

    def __init__(
        self, claim: FormulaLike, witness: Witness, point: Mapping[str, Fraction], scalar: bool
    ) -> None:
        super().__init__(Names(), dict(witness.sizes))
        self.claim, self.witness, self.point, self.scalar = claim, witness, point, scalar
        self.horizon = witness.horizon or 0
        self.sampler = Sampler(lambda s: point.get(s, Fraction(0)), self.sizes, scalar=scalar)
        self.inputs = self.sampler.inputs(claim.program, claim.given)
        (sweep, *_) = claim.program.sweeps
        self.equations = sweep.equations
        self.computed = {e.target.label for e in sweep.equations}
        derivatives = [n for n in walk(claim.left, claim.right) if isinstance(n, Derivative)]
        self.kinds = {d.kind for d in derivatives}
        self.moved = {_label(d.wrt) for d in derivatives}

    def lines(self) -> list[str]:
        """The program, line by line."""
        body = [*self._values(), ""]
        body += [*self._forward(), *self._base(), *self._objective(), *self._backward()]
        body += [f"{self.names.of('index', n)} = {v}" for n, v in self.witness.times]
        left, right = self.text(self.claim.left), self.text(self.claim.right)
        body += [f"left = {left}", f"right = {right}"]
        body += ["left, right = np.broadcast_arrays(left, right)"]
        entry = self.witness.entry
        place = ".flat[0]" if entry is None else f"[{entry[0]}, {entry[1]}]"
        body += [f'print("{s}", float({s}{place}))' for s in ("left", "right")]
        if _in_float64(self.witness.left) == _in_float64(self.witness.right):
            body += [
                "# float64 has no digits for the difference. With more of them:",
                f"#   left  {self.witness.left}",
                f"#   right {self.witness.right}",
            ]
        helpers = [*self.functions.values(), *([_SLOPE] if self.kinds else [])]
        text = ["import numpy as np", "", *helpers, f"T = {self.horizon}", *body]
        return "\n".join(text).split("\n")

    # ---- numbers ----

    def _literal(self, value: Value) -> str:
        if not is_array(value):
            return number(value)[0]
        rows = ", ".join("[" + ", ".join(number(v)[0] for v in row) + "]" for row in value)
        return f"np.array([{rows}])"

    def _values(self) -> list[str]:
        imposed = {target.name for target, _ in self.claim.imposed}
        used = {n.name for n in walk(*self._formulas()) if isinstance(n, Param)}
        kept = [
            name
            for name in self.inputs.params
            if name not in imposed and (name in used or name in self.moved)
        ]
        lines = _together(
            [self.names.of("param", name) for name in kept],
            [self._literal(self.inputs.params[name]) for name in kept],
        )
        for target, formula in self.claim.imposed:
            lines.append(f"{self.names.of('param', target.name)} = {self.text(formula)}")
        for name, value in self.inputs.initial.items():
            lines.append(f"{self.names.of('signal', name)} = {{0: {self._literal(value)}}}")
        given = [s.label for s in self.claim.program.inputs]
        given += [label for label, n in self.claim.given.items() if isinstance(n, Signal)]
        for label in given:
            times = sorted(
                {int(p[len(label) + 1 :].partition("[")[0]) for p in self.point
                 if p.startswith(f"{label}@")}
            )  # fmt: skip
            rows = [f"{t}: {self._literal(self.inputs.signals(label, t))}" for t in times]
            lines.append(f"{self.names.of('signal', label)} = {{{', '.join(rows)}}}")
        return lines

    def _formulas(self) -> list[Node]:
        sweeps = (*self.claim.program.sweeps, *(self.claim.backward or _NONE).sweeps[1:])
        found = [self.claim.left, self.claim.right, self.claim.penalty, *self._seeds()]
        found += [e.value for s in sweeps for e in (*s.equations, *s.at_start)]
        return [node for node in found if node is not None]

    def _seeds(self) -> list[Node]:
        return [value for _, value in self.claim.imposed]

    # ---- the forward pass ----

    def _forward(self) -> list[str]:
        names = self.names
        params = [n for n in self.inputs.params if n in self.moved and n not in self.computed]
        states = list(self.inputs.initial)
        inputs = [s.label for s in self.claim.program.inputs if s.label in self.moved]
        defaults = [names.of("param", n) for n in params]
        defaults += [names.of("signal", n) for n in (*states, *inputs)]
        extra = ["step=0", "past=None"] if "immediate" in self.kinds else []
        extra += ["along=None"] if "restricted" in self.kinds else []
        head = ", ".join(["move={}", *extra, *[f"{n}={n}" for n in defaults]])
        lines = [f"def forward({head}):"]
        if "restricted" in self.kinds:
            lines.append(
                "    keep = lambda name, value: "
                "value if along is None or name in along else np.real(value)"
            )
        for label in params:
            name = names.of("param", label)
            lines.append(f'    {name} = {name} + move.get("{name}", 0)')
        for label in (*states, *inputs):
            name = names.of("signal", label)
            lines.append(f"    {name} = {{time: {self._moved('value', label, 'time')} "
                         f"for time, value in {name}.items()}}")  # fmt: skip
        fresh = [names.of("signal", e.target.label) for e in self.equations
                 if e.target.label not in states]  # fmt: skip
        lines += [f"    {line}" for line in _together(fresh, ["{}"] * len(fresh))]
        if "immediate" in self.kinds:
            for label in states:
                name = names.of("signal", label)
                moved = self._moved("value", label, "time")
                lines.append(
                    f"    {name} = {name} if past is None else "
                    f'{{time: {moved} for time, value in past["{name}"].items()}}'
                )
        t = names.of("index", "t")
        steps = "range(1, T + 1)"
        steps = f"[step] if step else {steps}" if "immediate" in self.kinds else steps
        lines.append(f"    for {t} in {steps}:")
        for equation in self.equations:
            label = equation.target.label
            value = self.text(equation.value)
            if "restricted" in self.kinds:
                value = f'keep("{names.of("signal", label)}", {value})'
            lines.append(f"        {self.signal(equation.target)} = {self._moved(value, label, t)}")
        pairs = [f'"{n}": {n}' for n in self._computed_names()]
        if self.claim.penalty is not None:
            pairs.append(f'"penalty": {{0: {self.text(self.claim.penalty)}}}')
        return [*lines, f"    return {{{', '.join(pairs)}}}"]

    def _moved(self, value: str, label: str, time: str) -> str:
        if label not in self.moved:
            return value
        return f'{value} + move.get(("{self.names.of("signal", label)}", {time}), 0)'

    def _computed_names(self) -> list[str]:
        labels = [*self.inputs.initial, *[e.target.label for e in self.equations]]
        labels += [s.label for s in self.claim.program.inputs if s.label in self.moved]
        return [self.names.of("signal", label) for label in dict.fromkeys(labels)]

    def _base(self) -> list[str]:
        names = self._computed_names()
        return ["base = forward()", *_together(names, [f'base["{name}"]' for name in names])]

    # ---- derivatives ----

    def derivative(self, node: Derivative) -> str:
        wrt, of = node.wrt, node.of
        label = _label(wrt)
        kind = "signal" if isinstance(wrt, Signal) else "param"
        name = self.names.of(kind, label)
        time = self.affine(wrt.time) if isinstance(wrt, Signal) else ""
        key, like = (f'("{name}", {time})', f"{name}[{time}]") if time else (f'"{name}"', name)
        if isinstance(of, Name):
            found = f"slope(objective, {key}, {like})"
            return f"{found}[0]" if self.scalar else f'np.reshape({found}, {like}.shape, order="F")'
        if not isinstance(of, Signal):
            raise Unprintable(f"a derivative of {of!r}")
        when, extra = self.affine(of.time), ""
        if node.kind == "immediate":
            extra = f", step={when}, past=base"
        if node.kind == "restricted":
            allowed = ", ".join(f'"{self.names.of("signal", a)}"' for a in node.along)
            extra = f", along=[{allowed}]"
        run = f'forward(move{extra})["{self.names.of("signal", of.label)}"][{when}]'
        found = f"slope(lambda move: {run}, {key}, {like})"
        return f"{found}[0]" if self.scalar else f"np.hstack({found})"

    def _objective(self) -> list[str]:
        asked = [n for n in walk(self.claim.left, self.claim.right) if isinstance(n, Derivative)]
        if self.claim.weights is None or not any(isinstance(n.of, Name) for n in asked):
            return []
        algebra = Multiprecision(40)
        numbers = Sampler(
            lambda s: algebra.const(self.point.get(s, Fraction(0))), self.sizes, scalar=self.scalar
        ).inputs(self.claim.program, self.claim.given)
        env = Runner(self.claim.program, algebra).run(numbers, self.horizon).environment()
        found = self.claim.weights(self.horizon, algebra, env)
        rows = [
            f'("{self.names.of("signal", label)}", {time}): {_floats(value)}'
            for (label, time), value in found.items()
        ]
        if self.claim.penalty is not None:
            rows.append('("penalty", 0): 1.0')
        return [f"weights = {{{', '.join(rows)}}}  # dL / d(signal at a time)", _OBJECTIVE]

    # ---- the backward pass ----

    def _backward(self) -> list[str]:
        if self.claim.backward is None:
            return []
        (sweep, *_) = self.claim.backward.sweeps[1:]
        kept = _needed(sweep, [self.claim.left, self.claim.right])
        if not kept:
            return []
        t = self.names.of("index", "t")
        made = dict.fromkeys(self.names.of("signal", label) for label in kept)
        lines = [f"{name} = {{}}" for name in made]
        lines.append(f"for {t} in range(T, 0, -1):")
        for equation in sweep.equations:
            if equation.target.label in kept:
                lines.append(f"    {self._by_step(equation, f'{t} == T')}")
        starts = [e for e in sweep.at_start if e.target.label in kept]
        lines += [f"{t} = 0"] if starts else []
        return lines + [self._by_step(e, "T == 0") for e in starts]

    def _by_step(self, equation: Equation, last: str) -> str:
        at_end, before = at_last_step(equation.value), before_last_step(equation.value)
        value = self.text(before)
        if at_end is not before:
            value = f"{self.text(at_end)} if {last} else {value}"
        return f"{self.signal(equation.target)} = {value}"


_NONE = Program((), (), (), ())


def _together(names: list[str], values: list[str]) -> list[str]:
    """Assignments, several on a line."""
    lines, start = [], 0
    for end in range(1, len(names) + 1):
        line = f"{', '.join(names[start:end])} = {', '.join(values[start:end])}"
        if end == len(names) or len(line) > 80:
            lines.append(line)
            start = end
    return lines


def _label(node: Node) -> str:
    if isinstance(node, Param):
        return node.name
    if isinstance(node, Signal):
        return node.label
    raise Unprintable(f"a derivative with respect to {node!r}")


def _needed(sweep: Sweep, roots: list[Node]) -> set[str]:
    """The labels of a backward sweep that the formulas read, also through each other."""
    values: dict[str, list[Node]] = {}
    for equation in (*sweep.equations, *sweep.at_start):
        values.setdefault(equation.target.label, []).append(equation.value)
    found: set[str] = set()
    queue = [s.label for s in signals_in(*roots) if s.label in values]
    while queue:
        label = queue.pop()
        if label not in found:
            found.add(label)
            queue += [s.label for s in signals_in(*values[label]) if s.label in values]
    return found


def _floats(value: Any) -> str:
    if not is_array(value):
        return repr(float(value))
    rows = Algebra.map(float, value)
    return f"np.array({[[float(v) for v in row] for row in np.atleast_2d(rows)]!r})"

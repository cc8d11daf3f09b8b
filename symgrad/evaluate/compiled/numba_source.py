"""Python source of a plan for Numba: one sample after the other, one number for each value.

A value of a scalar cell is a local variable; the inputs and results of one sample lie side
by side in memory, (B, T).
"""

from __future__ import annotations

from symgrad.evaluate.compiled.plan import (
    BackwardSection,
    Operand,
    Plan,
    Section,
    Value,
    results_of,
)
from symgrad.evaluate.compiled.scalar_source import assignments, name_of, operands_of

HELPERS = """
from math import exp, fabs, log as _log, log1p, nan, sqrt as _sqrt, tanh

@njit
def f_exp(x):
    return exp(x)

@njit
def f_tanh(x):
    return tanh(x)

@njit
def f_sigma(x):
    # Accurate in the relative sense: where exp overflows, 0 is right below 1e-308.
    return 1.0 / (1.0 + exp(-x))

@njit
def f_log(x):
    return _log(x) if x > 0.0 else nan

@njit
def f_sqrt(x):
    return _sqrt(x) if x >= 0.0 else nan

@njit
def f_relu(x):
    return 0.0 if x <= 0.0 else x

@njit
def f_softplus(x):
    return f_relu(x) + log1p(exp(-fabs(x)))

@njit
def _at(x, z):
    return 1.0 if x > 0.0 else 0.0 if x < 0.0 else z if x == 0.0 else x

@njit
def f_step(x):
    return _at(x, nan)

@njit
def f_step_0(x):
    return _at(x, 0.0)

@njit
def f_step_half(x):
    return _at(x, 0.5)

@njit
def f_step_1(x):
    return _at(x, 1.0)

@njit
def f_max(a, b):
    return a if a > b or a != a else b

@njit
def f_abs(x):
    return fabs(x)

@njit
def f_sign(x):
    return 2.0 * _at(x, nan) - 1.0

@njit
def f_sign_0(x):
    return 2.0 * _at(x, 0.5) - 1.0

@njit
def f_softmax(x):
    return x if x != x else 1.0

@njit
def f_logsumexp(x):
    return x

@njit
def f_mean(x):
    return x

@njit
def f_variance(x):
    return x if x != x else 0.0

@njit
def f_power(x, n):
    r = 1.0
    k = abs(n)
    while k:
        if k & 1:
            r *= x
        x *= x
        k >>= 1
    return 1.0 / r if n < 0 else r

f_relu_0 = f_relu_half = f_relu_1 = f_relu
f_max_0 = f_max_half = f_max_1 = f_max
f_abs_0 = f_abs
"""


#: Few arrays, for each costs time at every call: parameters (p, 1 or B), inputs (x, B, T),
#: initial states (s, B), targets (B, T or 1), results in the same shapes, L (B,).
ARGUMENTS = {
    "forward": "T, B, P, X, I, O, work",
    "gradient": "T, B, P, X, I, G, A, D, E, L, work",
}


class NumbaSource:
    """``run`` for one plan: ``forward`` gives signals, ``gradient`` the gradient."""

    def __init__(self, plan: Plan, *, value: bool) -> None:
        self.plan = plan
        self.value = value
        made = {op.target for op in plan.forward.ops}
        self.results = [plan.forward.results[s.label] for s in plan.states]
        self.kept = [v for v in plan.stored if v in made and v not in self.results]
        self.record = len(plan.states) + len(self.kept)

    def source(self, kind: str) -> str:
        """The helpers and ``run``."""
        plan = self.plan
        lines = [f"def run({ARGUMENTS[kind]}):", "    for b in range(B):"]
        body = [f"{v.name} = P[{i}, min(b, P.shape[1] - 1)]" for i, v in enumerate(plan.params)]
        body += [f"{v.name} = {text}" for v, text in assignments(plan.setup)]
        body += [f"work[0, {i}] = I[{i}, b]" for i in range(len(plan.states))]
        body += self._forward(keep=kind == "gradient", out=kind == "forward")
        if kind == "gradient":
            body += self._backward()
        lines += [f"        {line}" for line in body]
        return HELPERS + "\n@njit\n" + "\n".join(lines) + "\n"

    def _body(self, section: Section) -> list[str]:
        plan, lines = self.plan, []
        made = {op.target for op in section.ops}
        for operand in dict.fromkeys([*operands_of(section), *results_of(section)]):
            if not isinstance(operand, Value) or operand in made:
                continue
            where = None
            if operand.role == "input":
                where = f"X[{plan.inputs.index(operand)}, b, t]"
            elif operand.role in ("given", "cotangent"):
                timed = operand.role == "given" and plan.when == "sum"
                where = f"G[b, {'t' if timed else '0'}]"
            elif operand.role == "previous":
                where = f"work[t, {plan.states.index(operand)}]"
            elif operand in self.kept:
                where = f"work[t, {len(plan.states) + self.kept.index(operand)}]"
            elif operand in self.results:
                where = f"work[t + 1, {self.results.index(operand)}]"
            if where is not None:
                lines.append(f"{operand.name} = {where}")
        return lines + [f"{v.name} = {text}" for v, text in assignments(section)]

    def _forward(self, *, keep: bool, out: bool) -> list[str]:
        plan = self.plan
        body = self._body(plan.forward)
        for i, operand in enumerate(self.results):
            body.append(f"work[t + 1, {i}] = {name_of(operand)}")
        if keep:
            start = len(plan.states)
            body += [f"work[t, {start + i}] = {v.name}" for i, v in enumerate(self.kept)]
        if out:
            for i, operand in enumerate(plan.forward.results.values()):
                body.append(f"O[{i}, b, t] = {name_of(operand)}")
        lines = ["total = 0.0"] if self.value else []
        if self.value and plan.loss is not None:
            made = set(self._body(plan.forward))
            loss = [line for line in self._body(plan.loss) if line not in made]
            # What the forward pass has in variables is not read back.
            held = {op.target.name for op in plan.forward.ops}
            loss = [line for line in loss if line.split(" = ")[0] not in held]
            loss.append(f"total += {name_of(plan.loss.results['L'])}")
            body += ["if t == T - 1:", *_in(loss)] if plan.when == "final" else loss
        lines += ["for t in range(T):", *_in(body or ["pass"])]
        return [*lines, "L[b] = total"] if self.value else lines

    def _backward(self) -> list[str]:
        plan = self.plan
        lines = [f"{v.name} = 0.0" for v in plan.carries.values()]
        lines += [f"a{i} = 0.0" for i in range(len(plan.params))]
        lines += ["if T == 0:", "    t = 0", *_in(self._empty())]
        ends = []
        for i, state in enumerate(plan.states):
            carry = plan.carries.get(state.label)
            ends.append(f"E[{i}, b] = {'0.0' if carry is None else carry.name}")
        lines += ["if T > 0:", "    t = T - 1", *_in(self._step(plan.last))]
        lines += ["for t in range(T - 2, -1, -1):", *_in(self._step(plan.step))]
        if ends:
            lines += ["if T > 0:", *_in(ends)]
        for i in range(len(plan.params)):
            lines.append(f"A[{i}, b] = a{i}")
        return lines

    def _step(self, section: BackwardSection) -> list[str]:
        plan = self.plan
        body = self._body(section)
        for item in section.accumulate:
            position = plan.params.index(item.param)
            body.append(f"a{position} {'+=' if item.sign > 0 else '-='} {name_of(item.term)}")
        for i, value in enumerate(plan.inputs):
            if value.label in section.inputs:
                body.append(f"D[{i}, b, t] = {name_of(section.inputs[value.label])}")
        # All at once: one carry may be another's old value.
        if plan.carries:
            new = [section.carries.get(label) for label in plan.carries]
            right = ", ".join("0.0" if o is None else _plain(o) for o in new)
            body.append(f"{', '.join(v.name for v in plan.carries.values())} = {right}")
        return body

    def _empty(self) -> list[str]:
        results = self.plan.empty.results
        body = self._body(self.plan.empty)
        for i, state in enumerate(self.plan.states):
            operand = results.get(state.label)
            body.append(f"E[{i}, b] = {'0.0' if operand is None else name_of(operand)}")
        if self.value and "L" in results:
            body.append(f"L[b] = {name_of(results['L'])}")
        return body or ["pass"]


def _plain(operand: Operand) -> str:
    return name_of(operand)


def _in(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]

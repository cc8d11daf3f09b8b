"""C source of a scalar plan: blocks of W samples, the samples of a block in the inner loop.

Arithmetic is in loops over the samples of a block, which the compiler turns into vector
instructions; exp, log and their like are declared so that it takes the vector versions of
libmvec where it has them. In the forward pass each of those has a loop of its own: a call
leaves no vector in a register, so nothing should wait in one. No -ffast-math: infinities and
NaN mean what they should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgrad.evaluate.compiled.plan import (
    BackwardSection,
    Op,
    Operand,
    Plan,
    Section,
    Value,
    results_of,
)
from symgrad.evaluate.compiled.scalar_source import assignments, name_of, operands_of

PRELUDE = """
#include <math.h>
#ifdef VECTOR_MATH
#define SIMD __attribute__((simd("notinbranch")))
SIMD double exp(double); SIMD double log(double);
SIMD double expm1(double); SIMD double log1p(double);
#endif
#define F static inline __attribute__((always_inline)) double
F f_exp(double x) { return exp(x); }
#ifdef VECTOR_MATH
/* A third faster than the vector tanh; e lies in (-1, 0], so no digit of a small x is lost. */
F f_tanh(double x) { double e = expm1(-2.0 * fabs(x)); return copysign(e / (e + 2.0), x); }
#else
F f_tanh(double x) { return tanh(x); }
#endif
/* Accurate in the relative sense: where exp overflows, 0 is right below 1e-308. */
F f_sigma(double x) { return 1.0 / (1.0 + exp(-x)); }
F f_log(double x) { return x > 0.0 ? log(x) : NAN; }
F f_sqrt(double x) { return x >= 0.0 ? sqrt(x) : NAN; }
F f_relu(double x) { return x > 0.0 || x != x ? x : 0.0; }
F f_softplus(double x) { return f_relu(x) + log1p(exp(-fabs(x))); }
F f_at(double x, double z) { return x > 0.0 ? 1.0 : x < 0.0 ? 0.0 : x == 0.0 ? z : x; }
F f_step(double x) { return f_at(x, NAN); }
F f_step_0(double x) { return f_at(x, 0.0); }
F f_step_half(double x) { return f_at(x, 0.5); }
F f_step_1(double x) { return f_at(x, 1.0); }
F f_relu_0(double x) { return f_relu(x); }
F f_relu_half(double x) { return f_relu(x); }
F f_relu_1(double x) { return f_relu(x); }
F f_max(double a, double b) { return a > b || a != a ? a : b; }
F f_max_0(double a, double b) { return f_max(a, b); }
F f_max_half(double a, double b) { return f_max(a, b); }
F f_max_1(double a, double b) { return f_max(a, b); }
F f_abs(double x) { return fabs(x); }
F f_abs_0(double x) { return fabs(x); }
F f_sign(double x) { return 2.0 * f_at(x, NAN) - 1.0; }
F f_sign_0(double x) { return 2.0 * f_at(x, 0.5) - 1.0; }
F f_softmax(double x) { return x != x ? x : 1.0; }
F f_logsumexp(double x) { return x; }
F f_mean(double x) { return x; }
F f_variance(double x) { return x != x ? x : 0.0; }
F f_power(double x, long n) {
    double r = 1.0;
    int inverse = n < 0;
    for (n = n < 0 ? -n : n; n; n >>= 1) { if (n & 1) r *= x; x *= x; }
    return inverse ? 1.0 / r : r;
}
#define EACH _Pragma("GCC ivdep") for (long l = 0; l < W; l++)
"""

SIGNATURE = (
    "long T, long B, long valid, const double *const *P, const double *const *X,"
    " const double *const *I, const double *const *G, double *const *O, double *const *A,"
    " double *const *D, double *const *E, double *L, double *work"
)


#: Calls of the mathematics library; the other functions are a few instructions.
CALLS = frozenset({"exp", "log", "sigma", "tanh", "softplus"})


def phases(ops: Sequence[Op]) -> list[list[Op]]:
    """The operations in loops, each after what it reads: arithmetic together, calls alone."""
    waiting = list(ops)
    missing = {op.target for op in ops}
    found: list[list[Op]] = []
    while waiting:
        group: list[Op] = []
        for op in waiting:
            if op.head not in CALLS and missing.isdisjoint(op.args):
                group.append(op)
                missing.discard(op.target)
        calls = [op for op in waiting if op.head in CALLS and missing.isdisjoint(op.args)]
        missing -= {op.target for op in calls}
        found += [*([group] if group else []), *([op] for op in calls)]
        done = {op.target for loop in found for op in loop}
        waiting = [op for op in waiting if op.target not in done]
    return found or [[]]


class CSource:
    """``forward`` or ``gradient`` of one plan, for one choice of what is per sample."""

    def __init__(
        self, plan: Plan, varying: frozenset[str], separate: frozenset[str], *, value: bool
    ) -> None:
        self.plan = plan
        self.varying = {v for v in plan.params if v.label in varying}
        self.separate = separate
        self.value = value
        self.setup_varying: list[Value] = []
        for op in plan.setup.ops:
            if any(a in self.varying for a in op.args):
                self.varying.add(op.target)
                self.setup_varying.append(op.target)
        self._made = made = {op.target for op in plan.forward.ops}
        states = [plan.forward.results[s.label] for s in plan.states]
        self.kept = [v for v in plan.stored if v in made and v not in states]
        self.record = len(plan.states) + len(self.kept)

    def source(self, kind: str) -> str:
        """A C function of the name ``run``."""
        lines = [PRELUDE, f"void run({SIGNATURE})", "{"]
        lines += [f"    const double {v.name} = P[{i}][0];" for i, v in self._shared()]
        lines += [
            f"    const double {value.name} = {text};"
            for value, text in assignments(self.plan.setup)
            if value not in self.varying
        ]
        lines.append("    for (long b = 0; b < B; b += W) {")
        body = self._start() + self._forward(keep=kind == "gradient", out=kind == "forward")
        if kind == "gradient":
            body += self._backward()
        lines += [f"        {line}" for line in body]
        return "\n".join([*lines, "    }", "}", ""])

    def _shared(self) -> list[tuple[int, Value]]:
        return [(i, v) for i, v in enumerate(self.plan.params) if v not in self.varying]

    def _loads(self, section: Section, known: set[Value], *, first: bool = False) -> list[str]:
        """Reads of what a section needs at this step, by sample."""
        plan = self.plan
        lines = []
        needed = [*operands_of(section), *results_of(section)]
        for operand in dict.fromkeys(needed):
            if not isinstance(operand, Value) or operand in known:
                continue
            where = None
            if operand in self.varying:
                index = plan.params.index(operand) if operand in plan.params else None
                where = f"P[{index}][b + l]" if index is not None else f"u_{operand.name}[l]"
            elif operand.role == "input":
                where = f"X[{plan.inputs.index(operand)}][t * B + b + l]"
            elif operand.role in ("given", "cotangent"):
                timed = operand.role == "given" and plan.when == "sum"
                time = "t * B + " if timed else ""
                where = f"G[{plan.givens.index(operand)}][{time}b + l]"
            elif operand.role == "previous":
                index = plan.states.index(operand)
                where = f"I[{index}][b + l]" if first else f"now[{index * 1} * W + l]"
            elif operand.role == "carry":
                where = f"c_{operand.name}[l]"
            elif operand in self.kept:
                where = f"now[{len(plan.states) + self.kept.index(operand)} * W + l]"
            else:
                states = [plan.forward.results[s.label] for s in plan.states]
                if operand in states:
                    where = f"next[{states.index(operand)} * W + l]"
            if where is not None:
                lines.append(f"const double {operand.name} = {where};")
        return lines

    def _each(self, lines: list[str]) -> list[str]:
        return ["EACH {", *[f"    {line}" for line in lines], "}"]

    def _body(self, section: Section, *, first: bool = False) -> list[str]:
        made = {op.target for op in section.ops}
        lines = self._loads(section, made, first=first)
        return lines + [f"const double {v.name} = {text};" for v, text in assignments(section)]

    def _start(self) -> list[str]:
        """Per block: what varies with the parameters, the states at time 0."""
        plan = self.plan
        lines = [f"double u_{v.name}[W];" for v in self.setup_varying]
        if self.setup_varying:
            section = Section(tuple(op for op in plan.setup.ops if op.target in self.varying))
            body = self._body(section)
            lines += self._each(
                [*body, *[f"u_{v.name}[l] = {v.name};" for v in self.setup_varying]]
            )
        states = [f"work[{i} * W + l] = I[{i}][b + l];" for i in range(len(plan.states))]
        lines += self._each(states)
        if self.value:
            lines += self._each(["L[b + l] = 0.0;"])
        return lines

    def _time(self, header: str, *bodies: list[str]) -> list[str]:
        step = self.record
        return [
            header,
            f"    double *restrict now = work + t * {step} * W;",
            f"    double *restrict next = now + {step} * W;",
            "    (void)next;",
            *[f"    {line}" for body in bodies for line in self._each(body)],
            "}",
        ]

    def _forward(self, *, keep: bool, out: bool) -> list[str]:
        plan, results = self.plan, self.plan.forward.results
        stores = [
            (results[state.label], f"next[{i} * W + l]") for i, state in enumerate(plan.states)
        ]
        if keep:
            base = len(plan.states)
            stores += [(v, f"now[{base + i} * W + l]") for i, v in enumerate(self.kept)]
        groups = phases(plan.forward.ops)
        loss = list(plan.loss.ops) if self.value and plan.loss is not None else []
        maker = {op.target: i for i, group in enumerate(groups) for op in group}
        maker |= {op.target: len(groups) for op in loss}
        places: dict[Operand, str] = {}
        for operand, place in stores:
            places.setdefault(operand, place)
        reads = [[a for op in group for a in op.args] for group in [*groups, loss]]
        if self.value and plan.loss is not None:
            reads[-1].append(plan.loss.results["L"])
        for i, read in enumerate(reads):
            for operand in dict.fromkeys(read):
                if maker.get(operand, i) != i and operand not in places:  # type: ignore[arg-type]
                    places[operand] = f"t_{self._text(operand)}[l]"
                    stores.append((operand, places[operand]))
        if out:
            stores += [(o, f"O[{i}][t * B + b + l]") for i, o in enumerate(results.values())]
        bodies: list[list[str]] = []
        for i, group in enumerate(groups):
            # What no operation makes, a number or an input, is stored with the first.
            mine = [(o, place) for o, place in stores if maker.get(o, 0) == i]  # type: ignore[arg-type]
            bodies.append(self._phase(group, [o for o, _ in mine], places))
            bodies[-1] += [f"{place} = {self._text(o)};" for o, place in mine]
        if self.value and plan.loss is not None:
            value = plan.loss.results["L"]
            bodies.append(self._phase(loss, [value], places))
            last = f"t == T - 1 ? {self._text(value)} : 0.0"
            bodies[-1].append(f"L[b + l] += {last if plan.when == 'final' else self._text(value)};")
        arrays = [f"double t_{self._text(o)}[W];" for o, p in places.items() if p.startswith("t_")]
        return [*arrays, *self._time("for (long t = 0; t < T; t++) {", *bodies)]

    def _phase(
        self, ops: Sequence[Op], stored: Sequence[Operand], places: Mapping[Operand, str]
    ) -> list[str]:
        """The body of one loop: reads what other loops made, and computes."""
        section = Section(tuple(ops))
        made = {op.target for op in ops}
        wanted = dict.fromkeys([*operands_of(section), *stored])
        lines = [
            f"const double {self._text(o)} = {places[o]};"
            for o in wanted
            if o in places and o not in made and self._is_made(o)
        ]
        outside = [o for o in wanted if not self._is_made(o)]
        lines += self._loads(Section((), {str(i): o for i, o in enumerate(outside)}), made)
        return lines + [f"const double {v.name} = {text};" for v, text in assignments(section)]

    def _is_made(self, operand: Operand) -> bool:
        return isinstance(operand, Value) and operand in self._made

    def _text(self, operand: Operand) -> str:
        return name_of(operand)

    def _backward(self) -> list[str]:
        plan = self.plan
        carries = list(plan.carries.values())
        sums = list(plan.params)
        lines = [f"double c_{v.name}[W];" for v in carries]
        lines += [f"double a_{v.name}[W];" for v in sums]
        zero = [f"c_{v.name}[l] = 0.0;" for v in carries] + [f"a_{v.name}[l] = 0.0;" for v in sums]
        lines += self._each(zero)
        lines.append("if (T == 0) {")
        lines += [f"    {line}" for line in self._each(self._empty())]
        lines.append("} else {")
        steps = self._time("for (long t = T - 1; t >= T - 1; t--) {", self._step(plan.last))
        steps += self._time("for (long t = T - 2; t >= 0; t--) {", self._step(plan.step))
        by_label = {label: f"c_{v.name}[l]" for label, v in plan.carries.items()}
        ends = [
            f"E[{i}][b + l] = {by_label.get(s.label, '0.0')};" for i, s in enumerate(plan.states)
        ]
        lines += [f"    {line}" for line in [*steps, *self._each(ends)]]
        lines.append("}")
        lines.append("const long here = valid - b < W ? valid - b : W;")
        for i, value in enumerate(sums):
            where = f"A[{i}][b + l] =" if value.label in self.separate else f"A[{i}][0] +="
            lines.append(f"for (long l = 0; l < here; l++) {where} a_{value.name}[l];")
        return lines

    def _step(self, section: BackwardSection) -> list[str]:
        plan = self.plan
        body = self._body(section)
        for item in section.accumulate:
            sign = "+=" if item.sign > 0 else "-="
            body.append(f"a_{item.param.name}[l] {sign} {self._text(item.term)};")
        for label, carry in plan.carries.items():
            operand = section.carries.get(label)
            body.append(f"c_{carry.name}[l] = {'0.0' if operand is None else self._text(operand)};")
        for i, value in enumerate(plan.inputs):
            if value.label in section.inputs:
                body.append(f"D[{i}][t * B + b + l] = {self._text(section.inputs[value.label])};")
        return body

    def _empty(self) -> list[str]:
        results = self.plan.empty.results
        body = self._body(self.plan.empty, first=True)
        for i, state in enumerate(self.plan.states):
            operand = results.get(state.label)
            body.append(f"E[{i}][b + l] = {'0.0' if operand is None else self._text(operand)};")
        if self.value and "L" in results:
            body.append(f"L[b + l] = {self._text(results['L'])};")
        return body

"""Plans from cells and gradients: the equations of one step, lowered section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from symgrad.adjoint import Gradient, Objective, backward
from symgrad.adjoint.objective import loss_gradient, target
from symgrad.cell import Cell
from symgrad.errors import UsageError
from symgrad.evaluate.compiled.lowering import Lowering, Root
from symgrad.evaluate.compiled.plan import (
    Accumulate,
    BackwardSection,
    Operand,
    Plan,
    Section,
    Value,
)
from symgrad.lang.affine import T, t
from symgrad.lang.nodes import (
    OPERATORS,
    Apply,
    Const,
    Node,
    Param,
    Signal,
    const,
    index_value,
    signal,
    transform,
    walk,
)
from symgrad.lang.program import at_last_step, before_last_step
from symgrad.ops.parts import is_zero


def plan_of(
    source: Cell | Gradient, objective: Objective | None = None, *, inputs: bool = False
) -> Plan:
    """The plan of a cell, or of a gradient; ``inputs`` adds dL/dx_t.

    Weight decay is no part of a plan: it belongs to no step.

    Raises:
        UsageError: an objective beside a gradient, which has one.
        NotSupportedYet: a formula that is no operation of one step, or has no derivative.
    """
    if isinstance(source, Gradient):
        if objective is not None and objective != source.objective:
            raise UsageError(
                f"the gradient given is that of another objective, {source.objective.signal!r}; "
                "pass the cell with the objective, or the gradient alone"
            )
        return _Builder(source.cell, source, inputs).plan()
    gradient = None if objective is None else backward(source, objective)
    return _Builder(source, gradient, inputs).plan()


class _Builder:
    def __init__(self, cell: Cell, gradient: Gradient | None, inputs: bool) -> None:
        self.cell = cell
        self.gradient = gradient
        self.with_inputs = inputs
        self.lower = Lowering()

    def plan(self) -> Plan:
        cell, lower = self.cell, self.lower
        params = tuple(lower.given(p, "param", p.name) for p in cell.params)
        inputs = tuple(lower.given(s, "input", s.name) for s in cell.inputs)
        states = tuple(lower.given(s.prev, "previous", s.name) for s in cell.states)
        forward = self._forward()
        fields: dict[str, object] = {}
        if self.gradient is not None:
            fields = self._backward(self.gradient, forward, states)
        return Plan(
            cell.name,
            cell.is_scalar,
            cell.size_names,
            params,
            inputs,
            states=states,
            setup=Section(tuple(lower.setup)),
            forward=forward,
            **{"givens": (), **fields},  # type: ignore[arg-type]  # the fields by name
        )

    def _forward(self) -> Section:
        equations = self.cell.equations
        roots = [Root(e.value, "signal", e.target.name, e.target) for e in equations]
        ops, operands = self.lower.section(roots, keep=True)
        results = {e.target.name: o for e, o in zip(equations, operands, strict=True)}
        for equation, operand in zip(equations, operands, strict=True):
            self.lower.known[equation.target] = operand
        return Section(tuple(ops), results)

    def _backward(
        self, gradient: Gradient, forward: Section, states: tuple[Value, ...]
    ) -> dict[str, object]:
        lower, objective = self.lower, gradient.objective
        givens = tuple(self._givens(objective))
        carries = {
            state.name: lower.given(_carry(state), "carry", state.name)
            for state in self.cell.states
            if not is_zero(gradient.back[state.name])
        }
        loss = self._loss(objective)
        last = self._step(gradient, last=True)
        step = self._step(gradient, last=False)
        empty = self._empty(gradient)
        read = {a for s in (last, step) for op in s.ops for a in op.args}
        for section in (last, step):
            read |= {a.term for a in section.accumulate}
            read |= {*section.carries.values(), *section.inputs.values()}
        ours = {op.target for op in forward.ops}
        stored = tuple(op.target for op in forward.ops if op.target in ours & read)
        return {
            "givens": givens,
            "when": objective.when,
            "first_horizon": gradient.first_horizon,
            "loss": loss,
            "last": last,
            "step": step,
            "empty": empty,
            "carries": carries,
            "stored": stored,
            "stored_previous": tuple(s for s in states if s in read),
        }

    def _givens(self, objective: Objective) -> Iterator[Value]:
        of = objective.signal
        if objective.kind == "linear":
            if not isinstance(objective.cotangent, Const):
                assert isinstance(objective.cotangent, Param)
                name = objective.cotangent.name
                yield self.lower.given(objective.cotangent, "cotangent", name)
            return
        given = loss_gradient(of) if objective.kind == "loss" else target(of)
        value = self.lower.given(given, "given", given.label)
        # At T = 0 the last step is time 0, and the value given for it is the same.
        self.lower.known[given.at(0)] = value
        yield value

    def _loss(self, objective: Objective) -> Section | None:
        value = _loss_value(objective)
        if value is None:
            return None
        ops, operands = self.lower.section([Root(value)])
        return Section(tuple(ops), {"L": operands[0]})

    def _step(self, gradient: Gradient, *, last: bool) -> BackwardSection:
        zeros: dict[Node, Node] = {}
        version = at_last_step if last else before_last_step

        def settle(value: Node) -> Node:
            # An adjoint that is zero in this step vanishes wherever it is used.
            return transform(version(value), lambda item: zeros.get(item, item))

        roots: list[Root] = []
        for equation in gradient.equations:
            target_t, value = equation.target, equation.value
            if target_t.adjoint == "lam" and self.cell.is_state(target_t.name):
                value = gradient.now[target_t.name]
                if not last and not is_zero(gradient.back[target_t.name]):
                    value = OPERATORS["add"](value, _carry(target_t))
            value = settle(value)
            if is_zero(value):
                zeros[target_t] = value
            else:
                roots.append(Root(value, "adjoint", target_t.label, target_t))
        back = {s.name: settle(gradient.back[s.name]) for s in self.cell.states}
        terms = {p.name: settle(gradient.terms[p.name]) for p in self.cell.params}
        moved = {}
        if self.with_inputs:
            moved = {s.name: settle(gradient.adjoints[s.name]) for s in self.cell.inputs}
        kept_back = {k: v for k, v in back.items() if not is_zero(v)}
        kept_moved = {k: v for k, v in moved.items() if not is_zero(v)}
        split = list(_split(terms, [r.value for r in roots] + [*back.values(), *moved.values()]))
        named = [r.label for r in roots]
        values = [*kept_back.values(), *[term for _, _, term in split], *kept_moved.values()]
        ops, operands = self.lower.section([*roots, *[Root(value) for value in values]])
        found = iter(operands)
        results = {label: next(found) for label in named}
        carries = {key: next(found) for key in kept_back}
        params = {p.name: self.lower.known[p] for p in self.cell.params}
        accumulate = tuple(
            self._accumulate(params[name], sign, next(found)) for name, sign, _ in split
        )
        inputs = {key: next(found) for key in kept_moved}
        return BackwardSection(tuple(ops), results, carries, accumulate, inputs)

    def _accumulate(self, param: Operand, sign: int, term: Operand) -> Accumulate:
        assert isinstance(param, Value)
        return Accumulate(param, term, sign)

    def _empty(self, gradient: Gradient) -> Section:
        """dL/ds_0 at T = 0, and L where the objective looks at a state."""
        for state in self.cell.states:
            self.lower.known[state.at(0)] = self.lower.known[state.prev]
        roots: dict[str, Node] = {}
        for state in self.cell.states:
            value = at_last_step(gradient.start[state.name])
            if not is_zero(value):
                roots[state.name] = value
        objective = gradient.objective
        loss = _loss_value(objective)
        if loss is not None and objective.when == "final" and gradient.first_horizon == 0:
            at_start = objective.signal.at(0)
            wanted = target(objective.signal)
            seen: dict[Node, Node] = {objective.signal: at_start, wanted: target(at_start)}
            roots["L"] = transform(loss, lambda item: seen.get(item, item))
        ops, operands = self.lower.section([Root(value) for value in roots.values()])
        return Section(tuple(ops), dict(zip(roots, operands, strict=True)))


def _carry(state: Signal) -> Signal:
    """What came back to a state from step t + 1, as a name."""
    return signal(state.name, state.shape, t, "carry")


def _loss_value(objective: Objective) -> Node | None:
    """What a step adds to L; None for a loss that is given by its gradient alone."""
    seen = objective.signal
    if objective.kind == "loss":
        return None
    if objective.kind == "linear":
        value = OPERATORS["total"](OPERATORS["mul"](objective.cotangent, seen))
    else:
        gap = seen - target(seen)
        value = OPERATORS["div"](OPERATORS["total"](gap * gap), const(2))
    return OPERATORS["div"](value, index_value(T)) if objective.mean else value


def _split(terms: Mapping[str, Node], others: list[Node]) -> Iterator[tuple[str, int, Node]]:
    """The summands of each parameter's term, unless something else uses the sum."""
    uses: Counter[Node] = Counter([*terms.values(), *others])
    for node in walk(*terms.values(), *others):
        uses.update(node.args)

    def parts(node: Node, sign: int) -> Iterator[tuple[int, Node]]:
        if is_zero(node):
            return
        if isinstance(node, Apply) and uses[node] == 1 and node.head.name in ("add", "neg"):
            if node.head.name == "neg":
                yield from parts(node.args[0], -sign)
                return
            if all(argument.shape == node.shape for argument in node.args):
                for argument in node.args:
                    yield from parts(argument, sign)
                return
        yield sign, node

    for name, term in terms.items():
        for sign, node in parts(term, 1):
            yield name, sign, node

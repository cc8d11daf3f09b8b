"""Identities of one or two time steps, proved as identities of rational functions.

The equations of a cell are the same at every t, so an identity over steps 1 and 2 with
the earlier states, the inputs and the tangents they bring along as free atoms holds at
every t. Activation calls are atoms; their derivatives are proved entries. Nothing is
unrolled further than two steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symgrad.lang.affine import T, t
from symgrad.lang.algebra import Value
from symgrad.lang.nodes import (
    Cases,
    Fold,
    IndexValue,
    Iverson,
    Node,
    Power,
    Signal,
    const,
    index_value,
    param,
    params_in,
    transform,
    walk,
)
from symgrad.lang.program import Inputs, Program
from symgrad.lang.tape import Environment, Tape
from symgrad.verify.axioms import Entry, entry_calls
from symgrad.verify.dual import Calls, Dual, Pair
from symgrad.verify.formula import FormulaClaim, FormulaSession
from symgrad.verify.forward import Forward
from symgrad.verify.polynomial import TooManyTerms
from symgrad.verify.rational import RationalFunctions, generator
from symgrad.verify.related_functions import NAMES, with_relations
from symgrad.verify.relations import Relation, using
from symgrad.verify.sampling import Sampler
from symgrad.verify.verdict import Verdict

_ZERO = const(0)
_NUMBER_T = index_value(T)
#: Stands for the number T; no declared name can be this.
_HORIZON = param("#T")


@dataclass(frozen=True)
class StepProof:
    """A one-step identity and what it rests on; ``replay`` decides it anew.

    ``related``: calls are not free atoms but related as ``relations`` declares.
    """

    claim: FormulaClaim
    entries: Mapping[str, Entry]
    horizon: int
    indices: tuple[tuple[str, int], ...]
    related: bool = False

    def replay(self) -> bool:
        if self.related:
            return self.relations() is not None
        return self.holds(RationalFunctions(self.entries), self.entries)

    def relations(self) -> tuple[Relation, ...] | None:
        """The relations between calls with which it holds; None where it does not."""
        entries = {name: entry for name, entry in self.entries.items() if name in NAMES}
        base = with_relations(lambda arithmetic: self.holds(arithmetic, entries))
        return None if base is None else base.relations()

    def holds(self, base: RationalFunctions, entries: Mapping[str, Entry]) -> bool:
        """Whether both sides are equal in an arithmetic; other functions by definition."""
        sampler = Sampler(lambda label: generator("var", label), {}, scalar=True)
        inputs = sampler.inputs(self.claim.program, self.claim.given)
        brought = {name: generator("tangent", name) for name in inputs.initial}
        forward = Forward(
            self.claim.program,
            base,
            inputs,
            entries=entry_calls(entries, base),
            initial_tangents=brought,
        )
        session = FormulaSession(self.claim, base, inputs, forward)
        left, right = session.sides(self.horizon, dict(self.indices))
        return base.equal(left, right)


def prove_step(
    claim: FormulaClaim,
    entries: Mapping[str, Entry],
    *,
    horizon: int,
    indices: Mapping[str, int],
    scope: str,
) -> Verdict:
    """``proved`` where both sides are the same rational function, else ``undecided``."""
    proof = StepProof(claim, entries, horizon, tuple(sorted(indices.items())))
    if not same_at_every_time(claim.left, claim.right):
        return Verdict(
            "undecided", scope, ("the statement depends on time other than through its signals",)
        )
    try:
        same = proof.replay()
    except TooManyTerms as error:
        return Verdict("undecided", scope, (f"the normal form of one step: {error}",))
    except KeyError as error:
        # A signal after the last step, or one that no run has a value of.
        return Verdict("undecided", scope, (f"the statement leaves its run: {error.args[0]}",))
    if same:
        return Verdict("proved", scope, (_basis(entries),), proof=proof)
    proof = replace(proof, related=True)
    relations = proof.relations()
    if relations is None:
        return Verdict(
            "undecided", scope, ("the two sides are different rational functions of the atoms",)
        )
    how = "; ".join((_basis(entries), *using(relations)))
    return Verdict("proved", scope, (how,), proof=proof)


def same_at_every_time(*sides: Node) -> bool:
    """Whether a statement says the same of every step, up to the names of signals.

    Then a proof at one step is a proof at all of them. Cases and powers that look at t,
    sums over time and signals at two unrelated times are none of that kind.
    """
    names: set[frozenset[str]] = set()
    for side in sides:
        for item in walk(side):
            if isinstance(item, Cases | Iverson | IndexValue | Fold):
                return False
            if isinstance(item, Power) and not item.exponent.is_const:
                return False
            if isinstance(item, Signal):
                names.add(item.time.names)
    return len(names - {frozenset()}) <= 1


def _basis(entries: Mapping[str, Entry]) -> str:
    used = ", ".join(f"{name}'" for name in entries)
    basis = "identity of rational functions in the free atoms of one step"
    return f"{basis}, on the proved entries {used}" if used else basis


@dataclass(frozen=True)
class AdjointProof:
    """The adjoint identity of one step.

    For any tangents, Σ_s μ_s ds_t + Σ_q seed_q dq_t = Σ_s back_s ds_{t-1} + Σ_θ term_θ dθ +
    Σ_x λ^x_t dx_t, where μ_s is whatever comes back to state s from step t + 1. Summed
    over t the terms with ds telescope, which proves the adjoint equations, the gradients
    and dL/ds_0 for every T. (Griewank and Walther, section 3.2.)

    Attributes:
        program: the forward program, scalar reading.
        entries: the proved derivatives.
        equations: the adjoint equations in order, with ``mu_s`` for what comes back.
        seeds: the objective's own derivative with respect to each signal at t.
        back, terms, inputs: right-hand sides by state, parameter and input.
    """

    program: Program
    entries: Mapping[str, Entry]
    equations: tuple[tuple[Signal, Node], ...]
    seeds: Mapping[str, Node]
    back: Mapping[str, Node]
    terms: Mapping[str, Node]
    inputs: Mapping[str, Node]
    given: Mapping[str, Node]
    penalty: Node = _ZERO
    extra: Mapping[str, Node] = field(default_factory=dict)

    def replay(self) -> bool:
        # At the last step ([t = T] is 1) and before it.
        return self._holds(horizon=1) and self._holds(horizon=2) and self._penalty_holds()

    def _penalty_holds(self) -> bool:
        """The derivative of weight decay, which is no sum over time: d penalty = Σ extra dθ."""
        base = RationalFunctions(self.entries)
        names = {p.name for p in params_in(self.penalty)} | set(self.extra)
        moving = {p.name for p in self.program.params}
        pairs = {
            name: Pair(
                generator("var", name),
                generator("tangent", name) if name in moving else None,
            )
            for name in names
        }
        dual = Dual(base)
        value = Tape([self.penalty], dual).run(Environment(pairs, _no_signal, {}))[0]
        env = Environment({name: pair.value for name, pair in pairs.items()}, _no_signal, {})
        slope = base.const(Fraction(0))
        for name, piece in self.extra.items():
            slope = slope + Tape([piece], base).run(env)[0] * generator("tangent", name)
        return bool(dual.tangent(value).same(slope))

    def _holds(self, horizon: int) -> bool:
        base = RationalFunctions(self.entries)
        calls = entry_calls(self.entries, base)
        sampler = Sampler(lambda label: generator("var", label), {}, scalar=True)
        values = sampler.inputs(self.program, self.given)
        left: Value = generator("var", "zero") + (-generator("var", "zero"))
        right = left
        tangents = _AllTangents(self.program, base, calls, values)
        adjoints: dict[str, Value] = {}

        def signal(label: str, time: int) -> Value:
            if label in adjoints:
                return adjoints[label]
            return tangents.value(label, time)

        mu = {f"mu_{state.name}": generator("mu", state.name) for state in self.program.states}
        # T as a number, in a mean over time, is the same at every step: an atom.
        number = {_HORIZON.name: generator("horizon")}
        env = Environment({**values.params, **mu, **number}, signal, {"t": 1, "T": horizon})

        def of(value: Node) -> Value:
            return Tape([_with_horizon(value)], base).run(env)[0]

        for target, value in self.equations:
            adjoints[target.label] = of(value)
        for name, seed in self.seeds.items():
            left = left + of(seed) * tangents.tangent(name, 1)
        for state in self.program.states:
            left = left + mu[f"mu_{state.name}"] * tangents.tangent(state.name, 1)
            right = right + of(self.back[state.name]) * tangents.tangent(state.name, 0)
        for name, term in self.terms.items():
            right = right + of(term) * generator("tangent", name)
        for name, value in self.inputs.items():
            right = right + of(value) * tangents.tangent(name, 1)
        return bool(left.same(right))


class _AllTangents:
    """One step with free tangents on every parameter, input and earlier state."""

    def __init__(
        self, program: Program, base: RationalFunctions, calls: Calls, values: Inputs
    ) -> None:
        dual = Dual(base, calls)
        pairs = {
            (name, 0): Pair(value, generator("tangent", f"{name}_0"))
            for name, value in values.initial.items()
        }
        params = {
            name: Pair(value, generator("tangent", name)) for name, value in values.params.items()
        }

        def signal(label: str, time: int) -> Pair:
            if (label, time) not in pairs:
                tangent = generator("tangent", f"{label}_{time}")
                pairs[label, time] = Pair(values.signals(label, time), tangent)
            return pairs[label, time]

        env = Environment(params, signal, {"t": 1})
        (sweep, *_) = program.sweeps
        for equation in sweep.equations:
            pairs[equation.target.label, 1] = Tape([equation.value], dual).run(env)[0]
        self._signal = signal
        self._dual = dual

    def value(self, label: str, time: int) -> Value:
        return self._signal(label, time).value

    def tangent(self, label: str, time: int) -> Value:
        return self._dual.tangent(self._signal(label, time))


def _with_horizon(value: Node) -> Node:
    """A formula with the number T as a name."""
    return transform(value, lambda item: _HORIZON if item is _NUMBER_T else item)


def _no_signal(label: str, time: int) -> Value:
    raise KeyError(f"{label} at {time}")


def _one_step_only(proof: AdjointProof) -> bool:
    """Whether the pieces look at time through their signals and the bracket [t = T] alone."""
    pieces = [value for _, value in proof.equations]
    for group in (proof.seeds, proof.back, proof.terms, proof.inputs):
        pieces += group.values()
    for item in walk(*pieces):
        if isinstance(item, Cases | Fold):
            return False
        if isinstance(item, IndexValue) and item is not _NUMBER_T:
            return False
        if isinstance(item, Power) and not item.exponent.is_const:
            return False
        if isinstance(item, Iverson) and item.form != T - t:
            return False
        if isinstance(item, Signal) and item.time not in (t, t - 1):
            return False
    return True


def prove_adjoint(proof: AdjointProof, scope: str) -> Verdict:
    """``proved`` where the adjoint identity of one step holds, else ``undecided``."""
    try:
        holds = _one_step_only(proof) and proof.replay()
    except TooManyTerms as error:
        return Verdict("undecided", scope, (f"the adjoint identity of one step: {error}",))
    if not holds:
        return Verdict(
            "undecided", scope, ("the adjoint identity of one step does not hold as it stands",)
        )
    how = f"adjoint identity of one step, telescoped over t; {_basis(proof.entries)}"
    return Verdict("proved", scope, (how,), proof=proof)

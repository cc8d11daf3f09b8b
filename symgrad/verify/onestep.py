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
    SCALAR,
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
from symgrad.lang.tape import Tape
from symgrad.verify.atoms import Atoms, no_signal
from symgrad.verify.axioms import Entry
from symgrad.verify.dual import Dual, Pair
from symgrad.verify.formula import FormulaClaim, FormulaSession
from symgrad.verify.forward import Forward
from symgrad.verify.matrix_forward import MatrixForward
from symgrad.verify.polynomial import TooManyTerms
from symgrad.verify.related_functions import NAMES, with_relations
from symgrad.verify.relations import Relation, using
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
        return self._holds(Atoms(self.entries, self.claim.program))

    def relations(self) -> tuple[Relation, ...] | None:
        """The relations between calls with which it holds; None where it does not.

        They are used in the scalar reading.
        """
        program = self.claim.program
        if not Atoms(self.entries, program).scalar:
            return None
        entries = {name: entry for name, entry in self.entries.items() if name in NAMES}
        base = with_relations(lambda arithmetic: self._holds(Atoms(entries, program, arithmetic)))
        return None if base is None else base.relations()

    def _holds(self, atoms: Atoms) -> bool:
        """Whether both sides are equal in an arithmetic; other functions by definition."""
        program = self.claim.program
        inputs = atoms.inputs(program, self.claim.given)
        brought = {s.name: atoms.atom("tangent", s.name, s.shape) for s in program.states}
        made = Forward if atoms.scalar else MatrixForward
        forward = made(program, atoms.base, inputs, entries=atoms.calls, initial_tangents=brought)
        session = FormulaSession(self.claim, atoms.base, inputs, forward)
        left, right = session.sides(self.horizon, dict(self.indices))
        return atoms.base.equal(left, right)


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
    except ArithmeticError as error:  # too many terms, or a division by what is zero
        return Verdict("undecided", scope, (f"the normal form of one step: {error}",))
    except KeyError as error:
        # A signal after the last step, or one that no run has a value of.
        return Verdict("undecided", scope, (f"the statement leaves its run: {error.args[0]}",))
    if same:
        scalar = Atoms(entries, claim.program).scalar
        return Verdict("proved", scope, (_basis(entries, scalar=scalar),), proof=proof)
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
    sizes = frozenset(n for item in walk(*sides) for side in item.shape for n in side.names)
    for side in sides:
        for item in walk(side):
            if isinstance(item, Cases | Iverson | Fold):
                return False
            if isinstance(item, IndexValue) and not item.form.names <= sizes:
                return False
            if isinstance(item, Power) and not item.exponent.is_const:
                return False
            if isinstance(item, Signal):
                names.add(item.time.names)
    return len(names - {frozenset()}) <= 1


def _basis(entries: Mapping[str, Entry], *, scalar: bool = True) -> str:
    used = ", ".join(f"{name}'" for name in entries)
    of = "rational functions" if scalar else "matrix formulas, entry by entry,"
    basis = f"identity of {of} in the free atoms of one step"
    return f"{basis}, on the proved entries {used}" if used else basis


@dataclass(frozen=True)
class AdjointProof:
    """The adjoint identity of one step.

    For any tangents, Σ_s ⟨μ_s, ds_t⟩ + Σ_q ⟨seed_q, dq_t⟩ = Σ_s ⟨back_s, ds_{t-1}⟩ +
    Σ_θ ⟨term_θ, dθ⟩ + Σ_x ⟨λ^x_t, dx_t⟩, where μ_s is whatever comes back to state s from step
    t + 1. Summed over t the terms with ds telescope, which proves the adjoint equations, the
    gradients and dL/ds_0 for every T. (Griewank and Walther, section 3.2.)

    Attributes:
        program: the forward program.
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
        atoms = Atoms(self.entries, self.program)
        base = atoms.base
        shapes = {p.name: p.shape for p in (*params_in(self.penalty), *self.program.params)}
        moving = {p.name for p in self.program.params}
        pairs = {
            name: Pair(
                atoms.atom("var", name, shape),
                atoms.atom("tangent", name, shape) if name in moving else None,
            )
            for name, shape in shapes.items()
        }
        dual = Dual(base)
        value = Tape([self.penalty], dual).run(atoms.environment(pairs, no_signal, {}))[0]
        values = {name: pair.value for name, pair in pairs.items()}
        env = atoms.environment(values, no_signal, {})
        slope = base.const(Fraction(0))
        for name, piece in self.extra.items():
            moved = atoms.atom("tangent", name, shapes[name])
            slope = base.add(slope, atoms.inner(Tape([piece], base).run(env)[0], moved))
        return base.equal(dual.tangent(value), slope)

    def _holds(self, horizon: int) -> bool:
        atoms = Atoms(self.entries, self.program)
        base = atoms.base
        values = atoms.inputs(self.program, self.given)
        left = right = base.const(Fraction(0))
        tangents = _AllTangents(self.program, atoms, values)
        adjoints: dict[str, Value] = {}

        def signal(label: str, time: int) -> Value:
            if label in adjoints:
                return adjoints[label]
            return tangents.value(label, time)

        mu = {
            f"mu_{state.name}": atoms.atom("mu", state.name, state.shape)
            for state in self.program.states
        }
        # T as a number, in a mean over time, is the same at every step: an atom.
        number = {_HORIZON.name: atoms.atom("horizon", "", SCALAR)}
        env = atoms.environment({**values.params, **mu, **number}, signal, {"t": 1, "T": horizon})

        def of(value: Node) -> Value:
            return Tape([_with_horizon(value)], base).run(env)[0]

        for target, value in self.equations:
            adjoints[target.label] = of(value)
        for name, seed in self.seeds.items():
            left = base.add(left, atoms.inner(of(seed), tangents.tangent(name, 1)))
        for state in self.program.states:
            came, back = mu[f"mu_{state.name}"], of(self.back[state.name])
            left = base.add(left, atoms.inner(came, tangents.tangent(state.name, 1)))
            right = base.add(right, atoms.inner(back, tangents.tangent(state.name, 0)))
        for theta in self.program.params:
            if theta.name in self.terms:
                moved = atoms.atom("tangent", theta.name, theta.shape)
                right = base.add(right, atoms.inner(of(self.terms[theta.name]), moved))
        for name, value in self.inputs.items():
            right = base.add(right, atoms.inner(of(value), tangents.tangent(name, 1)))
        return base.equal(left, right)


class _AllTangents:
    """One step with free tangents on every parameter, input and earlier state."""

    def __init__(self, program: Program, atoms: Atoms, values: Inputs) -> None:
        dual = Dual(atoms.base, atoms.calls)

        def moving(value: Value, label: str) -> Pair:
            return Pair(value, atoms.atom("tangent", label, getattr(value, "shape", SCALAR)))

        pairs = {(name, 0): moving(value, f"{name}_0") for name, value in values.initial.items()}
        params = {name: moving(value, name) for name, value in values.params.items()}

        def signal(label: str, time: int) -> Pair:
            if (label, time) not in pairs:
                pairs[label, time] = moving(values.signals(label, time), f"{label}_{time}")
            return pairs[label, time]

        env = atoms.environment(params, signal, {"t": 1})
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


def _one_step_only(proof: AdjointProof) -> bool:
    """Whether the pieces look at time through their signals and the bracket [t = T] alone."""
    pieces = [value for _, value in proof.equations]
    for group in (proof.seeds, proof.back, proof.terms, proof.inputs):
        pieces += group.values()
    for item in walk(*pieces):
        if isinstance(item, Cases | Fold):
            return False
        looks_at_time = isinstance(item, IndexValue) and item.form.names & {"t", "T"}
        if looks_at_time and item is not _NUMBER_T:
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
    basis = _basis(proof.entries, scalar=Atoms(proof.entries, proof.program).scalar)
    how = f"adjoint identity of one step, telescoped over t; {basis}"
    return Verdict("proved", scope, (how,), proof=proof)

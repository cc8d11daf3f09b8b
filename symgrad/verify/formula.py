"""Formulas as claims: both sides evaluated along a run, derivatives by dual numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import Derivative, Name, Node, Param, Signal
from symgrad.lang.program import Inputs, Program, Runner, Trace
from symgrad.lang.tape import Environment, tape_of
from symgrad.verify.forward import Forward
from symgrad.verify.sampling import Sampler, Session, Weights
from symgrad.verify.times import Times, choices


@dataclass(frozen=True)
class FormulaClaim:
    """``left = right`` along every run of a forward program.

    Attributes:
        program: the forward program.
        left, right: formulas. A ``Derivative`` in them is evaluated by dual numbers.
        times: the free times, outermost first; bounds may use T and earlier ones.
        given: nodes by label that tell the shapes of further given signals and parameters.
        weights: what dL is, for derivatives of ``L``.
        penalty: what is added to ``L`` and depends on parameters alone.
        backward: a program whose adjoints occur in the formulas; it is run for each T.
        imposed: parameters that are not free: their values as formulas in the others.
        runs: runs kept from one claim to the next.
    """

    program: Program
    left: Node
    right: Node
    times: Times = ()
    given: Mapping[str, Node] = field(default_factory=dict)
    weights: Weights | None = None
    backward: Program | None = None
    penalty: Node | None = None
    imposed: tuple[tuple[Param, Node], ...] = ()
    runs: Runs | None = None

    def session(self, algebra: Algebra, sampler: Sampler) -> Session:
        inputs = sampler.inputs(self.program, self.given)
        for target, value in self.imposed:
            env = Environment(inputs.params, inputs.signals, {})
            fixed = {**inputs.params, target.name: tape_of([value], algebra).run(env)[0]}
            inputs = replace(inputs, params=fixed)
        forward = Forward(self.program, algebra, inputs)
        session = FormulaSession(self, algebra, inputs, forward)
        if self.runs is not None and algebra.key is not None:
            self.runs.adopt(session, algebra.key, sampler)
        return session.at


@dataclass
class Runs:
    """Runs and tangents kept from claim to claim over the same program and the same values."""

    kept: dict[tuple[object, ...], FormulaSession] = field(default_factory=dict)

    def adopt(self, session: FormulaSession, key: tuple[object, ...], sampler: Sampler) -> None:
        """Let a session continue the runs of an earlier one, or keep its own for later ones."""
        claim = session.claim
        whole = (
            key,
            tuple(sorted(sampler.sizes.items())),
            id(claim.program),
            id(claim.backward),
            frozenset(claim.given),
            claim.imposed,
        )
        earlier = self.kept.setdefault(whole, session)
        session.inputs, session.forward = earlier.inputs, earlier.forward
        session.runner, session.traces = earlier.runner, earlier.traces


class FormulaSession:
    """Both sides of a claim for one set of values."""

    def __init__(
        self, claim: FormulaClaim, algebra: Algebra, inputs: Inputs, forward: Forward
    ) -> None:
        self.claim = claim
        self.algebra = algebra
        self.inputs = inputs
        self.forward = forward
        self.runner = Runner(claim.backward or claim.program, algebra)
        self.tape = tape_of([claim.left, claim.right], algebra)
        self.traces: dict[int, Trace] = {}

    def at(self, horizon: int) -> tuple[list[Value], list[Value]]:
        """Both sides at T, one value for each choice of the free times."""
        pairs = [self.sides(horizon, indices) for indices in choices(self.claim.times, horizon)]
        return [left for left, _ in pairs], [right for _, right in pairs]

    def sides(self, horizon: int, indices: dict[str, int]) -> tuple[Value, Value]:
        """Both sides at T and one choice of the free times."""
        trace = self._run(horizon)
        env = Environment(
            self.inputs.params, trace.signal, {"T": horizon, **indices}, self.inputs.sizes
        )
        env.kept = trace.kept
        env.named = lambda node: self._named(node, env, horizon)
        left, right = self.tape.run(env)
        return left, right

    def _run(self, horizon: int) -> Trace:
        """A forward run does not depend on T, so a longer one serves; a backward run does."""
        if self.claim.backward is None:
            longest = max(self.traces, default=-1)
            if longest >= horizon:
                return self.traces[longest]
            if self.algebra.key is not None:
                # Ahead of what is asked, where numbers do not grow with T.
                horizon = max(horizon, 2 * longest, 8)
        if horizon not in self.traces:
            self.traces[horizon] = self.runner.run(self.inputs, horizon)
        return self.traces[horizon]

    def _named(self, node: Node, env: Environment, horizon: int) -> Value:
        if not isinstance(node, Derivative):
            raise KeyError(f"no value for the name {node!r}")
        wrt, of = node.wrt, node.of
        when = wrt.time.value(env.indices) if isinstance(wrt, Signal) else None
        if isinstance(of, Name):
            if self.claim.weights is None:
                raise KeyError(f"{of!r} is not declared as an objective")
            run = self._run(horizon).environment(T=horizon)
            weights = self.claim.weights(horizon, self.algebra, run)
            return self.forward.gradient(weights, wrt, when, self.claim.penalty)
        assert isinstance(of, Signal)
        kind = node.kind
        assert kind in ("total", "immediate", "restricted")
        at = (of.label, of.time.value(env.indices))
        return self.forward.jacobian(at, wrt, when, kind, node.along)


__all__ = ["FormulaClaim", "FormulaSession", "Weights"]

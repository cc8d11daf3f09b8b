"""Evidence for statements about a cell: which checks and proofs apply to which statement.

Every statement is evaluated exactly over a range of T (and sizes); statements of one
step and forms with a recurrence are proved besides. A refutation always wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from symgrad.adjoint.objective import Objective
from symgrad.adjoint.reverse import Gradient, backward
from symgrad.cell import Cell
from symgrad.closed.forms import Form
from symgrad.closed.series import elementary_form, resolved
from symgrad.closed.solutions import closed_form, forward_form
from symgrad.closed.sums import at_time_t, expanded_form
from symgrad.derivation.certificates import certified
from symgrad.derivation.claiming import (
    adjoint_proof,
    explicit_pre_activations,
    given_nodes,
    input_program,
    objective_weights,
    stated_by,
)
from symgrad.derivation.combining import branch_cases, combined
from symgrad.derivation.entries import proved_entries
from symgrad.derivation.foundations import (
    ProofParts,
    as_induction,
    equations_as_proved,
    foundations,
)
from symgrad.derivation.windows import is_inner, window
from symgrad.lang.affine import T, as_affine, t
from symgrad.lang.nodes import (
    Derivative,
    Node,
    Param,
    Signal,
    signals_in,
)
from symgrad.lang.program import Program
from symgrad.verify.claims import HORIZONS, NO_VALUE, Scope, all_sizes, check
from symgrad.verify.formula import FormulaClaim, Runs
from symgrad.verify.induction import prove_induction
from symgrad.verify.onestep import prove_adjoint, prove_step
from symgrad.verify.polynomial import TooManyTerms
from symgrad.verify.times import Times
from symgrad.verify.verdict import Replayable, Verdict, weakest

#: For statements with free times: the oracle is asked for every one of them.
FEW_HORIZONS = tuple(range(9))


@dataclass
class Evidence:
    """Checks statements about one cell; keeps what they share."""

    cell: Cell
    thorough: bool = True
    _adjoint: dict[Objective, tuple[Gradient, Verdict]] = field(default_factory=dict)
    _runs: Runs = field(default_factory=Runs)
    _explicit: Program | None = None
    _gradients: dict[Objective, Gradient] = field(default_factory=dict)
    _known: dict[tuple[Node, Node, Times, Objective | None], Verdict] = field(default_factory=dict)
    _longer: dict[tuple[str, ...], tuple[Gradient, Program]] = field(default_factory=dict)

    # ---- what several statements share ----

    def gradient(self, objective: Objective) -> Gradient:
        """The gradient of an objective, derived once."""
        if objective not in self._gradients:
            self._gradients[objective] = backward(self.cell, objective)
        return self._gradients[objective]

    def known(self, form: Form, objective: Objective | None = None) -> Verdict:
        """The verdict on a form that symgrad derives, found once."""
        key = (form.left, form.full, form.times, objective)
        if key not in self._known:
            self._known[key] = self.form(form, objective=objective)
        return self._known[key]

    # ---- scopes ----

    def scope(self, *, first: int = 0, few: bool = False, last: int | None = None) -> Scope:
        """Where a statement about T = first..last is evaluated."""
        horizons = FEW_HORIZONS if few or not self.thorough else HORIZONS
        kept = tuple(h for h in horizons if h >= first)
        if len(kept) < len(FEW_HORIZONS) // 2:
            # A statement that begins late is evaluated late.
            kept = tuple(range(first, first + len(FEW_HORIZONS)))
        kept = tuple(h for h in kept if last is None or h <= last)
        sizes = ((),) if self.cell.is_scalar else all_sizes(self.cell.size_names)
        return Scope(kept, sizes, self.cell.is_scalar)

    def checked(self, claim: FormulaClaim, scope: Scope) -> Verdict:
        """Exact evaluation; for fewer T where the degree grows too fast for the whole range."""
        verdict = check(claim, scope)
        if any(line.startswith(NO_VALUE) for line in verdict.how):
            # Fewer T would hide it.
            return verdict
        for longest in (8, 4, 2):
            kept = tuple(h for h in scope.horizons if h <= longest)
            if verdict.status != "undecided" or not kept or len(kept) == len(scope.horizons):
                continue
            shorter = check(claim, replace(scope, horizons=kept))
            if shorter.holds or shorter.status == "refuted":
                return shorter
        return verdict

    # ---- statements ----

    def formula(
        self,
        left: Node,
        right: Node,
        *,
        times: Times = (),
        first: int = 0,
        last: int | None = None,
        objective: Objective | None = None,
        gradient: Gradient | None = None,
        program: Program | None = None,
    ) -> Verdict:
        """Exact evaluation of both sides; derivatives on the left by dual numbers."""
        claim = self.claim(left, right, times, objective, gradient, program)
        return self.checked(claim, self.scope(first=first, few=bool(times), last=last))

    def claim(
        self,
        left: Node,
        right: Node,
        times: Times = (),
        objective: Objective | None = None,
        gradient: Gradient | None = None,
        program: Program | None = None,
    ) -> FormulaClaim:
        forward = program or self.cell.program
        adjoints = {s.name for s in signals_in(left, right) if s.adjoint == "lam"}
        return FormulaClaim(
            forward,
            left,
            right,
            times,
            given_nodes(self.cell, forward, left, right, objective),
            None if objective is None else objective_weights(objective),
            None if gradient is None else self._backward(gradient, adjoints),
            None if objective is None or not objective.decay else objective.penalty,
            runs=self._runs,
        )

    def _backward(self, gradient: Gradient, adjoints: set[str]) -> Program:
        """The program that has the adjoints, those without an equation of their own included."""
        own = {e.target.name for e in gradient.equations if e.target.adjoint == "lam"}
        more = tuple(name for name in gradient.adjoints if name in adjoints - own)
        if not more:
            return gradient.program
        kept = self._longer.setdefault(more, (gradient, gradient.with_signal_adjoints(*more)))
        if kept[0] is not gradient:
            kept = self._longer[more] = (gradient, gradient.with_signal_adjoints(*more))
        return kept[1]

    def one_step(
        self,
        left: Node,
        right: Node,
        *,
        times: Times,
        horizon: int = 1,
        indices: Mapping[str, int] | None = None,
        program: Program | None = None,
        scope: str = "all t ≥ 1",
        first: int = 1,
        last: int | None = None,
        later: bool = False,
    ) -> Verdict:
        """A statement about one or two steps: proved, for all sizes, and checked besides."""
        checked = self.checked(
            self.claim(left, right, times, program=program),
            self.scope(first=first, few=bool(times), last=last),
        )
        if checked.status == "refuted":
            return checked
        proof = prove_step(
            self.claim(left, right, program=program),
            proved_entries(self.cell),
            horizon=horizon,
            indices={"t": 1} if indices is None else indices,
            scope=f"{scope}{self._all_sizes()}",
        )
        if later and proof.status == "proved":
            # At the first time the states before are given; a step later they follow from
            # those before them, as at every time after that.
            moved = {name: value + 1 for name, value in (indices or {"t": 1}).items()}
            again = prove_step(
                self.claim(left, right, program=program),
                proved_entries(self.cell),
                horizon=horizon + 1,
                indices=moved,
                scope=proof.scope,
            )
            parts = [v.proof for v in (proof, again) if v.proof is not None]
            proof = replace(again, proof=ProofParts(tuple(parts))) if again.proof else again
        return combined(proof, checked)

    def form(self, form: Form, *, objective: Objective | None = None) -> Verdict:
        """An expanded, closed or restricted form, with its proof in JSON where one is known."""
        return certified(self.cell, form, objective, self._form(form, objective))

    def _form(self, form: Form, objective: Objective | None) -> Verdict:
        horizon = self._at_horizon(form)
        if horizon is not None:
            found = self._form(horizon, objective)
            return replace(found, scope=found.scope.replace("T", "t"))
        spanned = window(form)
        if spanned is not None:
            # A fixed number of steps: an identity, whatever came before.
            name, gap = spanned
            low = form.times[0][1] if form.times else as_affine(form.first_horizon)
            words = f"all {name} ≥ {low}" if name else f"t = {gap}"
            return self.one_step(
                form.left,
                form.full,
                times=form.times,
                horizon=gap + 1,
                indices={name: gap + 1} if name not in ("", "T") else {},
                scope=words,
                first=max(form.first_horizon, 1 if not name else 0),
            )
        checked = self.formula(
            form.left, form.full, times=form.times, first=form.first_horizon, objective=objective
        )
        if form.recurrence is None or not self.cell.is_scalar:
            return checked
        differs = checked.status == "undecided" and "sides differ" in "".join(checked.how)
        if checked.status == "refuted" or differs:
            # What evaluation disagrees with is not worth a proof that may take minutes; but a
            # wrong entry of the table is named for what it is.
            proved_entries(self.cell)
            return checked
        return combined(self._induction(form), checked)

    def _at_horizon(self, form: Form) -> Form | None:
        """The form of q_T that a form of q_t is another name for."""
        left = form.left
        if not isinstance(left, Derivative) or not isinstance(left.of, Signal):
            return None
        if left.of.time != t or not isinstance(left.wrt, Param) or left.kind != "total":
            return None
        general = expanded_form(self.cell, left.of.at(T), left.wrt)
        return general if at_time_t(general) == form else None

    def _induction(self, form: Form) -> Verdict:
        """An induction together with the one-step identities that it rests on."""
        proof = as_induction(form)
        verdict = prove_induction(proof)
        if verdict.status != "proved":
            return verdict
        below = foundations(self.cell, form, proved_entries(self.cell))
        if below is None or not _all_replay(below):
            return Verdict(
                "undecided", verdict.scope, ("the recurrence of the induction is not proved",)
            )
        how = ("induction on T, its recurrence proved as an identity of one step",)
        return replace(verdict, how=how, proof=ProofParts((*below, proof)))

    def recurrence(self, form: Form) -> Verdict:
        """The one step that an induction rests on."""
        assert form.recurrence is not None
        left = form.left
        return self.one_step(
            left, form.recurrence.step, times=(), horizon=1, indices={}, scope="all T ≥ 1"
        )

    def elementary(self, form: Form, kind: str) -> Verdict:
        """Every branch of an elementary form, by induction and exactly under its conditions."""
        program = input_program(self.cell, kind)
        if not self._is_elementary(form, kind):
            # Not what the finder wrote: no proof is about it, only an evaluation.
            return self.checked(self.claim(form.left, form.right, program=program), self.scope())
        verdicts = []
        for branch in form.branches:
            right = branch_cases(branch)
            left = form.left
            claim = replace(
                self.claim(left, right, program=program), imposed=resolved(branch.conditions)
            )
            checked = self.checked(claim, self.scope())
            words = tuple(f"{a!r} = {b!r}" for a, b in branch.conditions)
            words += tuple(f"{d!r} ≠ 0" for d in branch.excluded)
            cased = replace(form, right=right, recurrence=branch.recurrence)
            proof = prove_induction(replace(as_induction(cased), assumptions=words))
            verdicts.append(combined(proof, checked))
        worst = weakest(verdicts)
        if worst.status != "proved":
            return worst
        below = self._below_elementary(form, kind)
        if below is None:
            return Verdict("undecided", "all T ≥ 0", ("the form it rests on is not proved",))
        count = len(verdicts)
        where = "the one branch" if count == 1 else f"each of the {count} branches"
        how = f"induction on T in {where}"
        return Verdict(
            "proved",
            "all T ≥ 0",
            (how, *worst.how[1:]),
            proof=ProofParts((*below, *(v.proof for v in verdicts if v.proof is not None))),
        )

    def _is_elementary(self, form: Form, kind: str) -> bool:
        """Whether a form is the elementary form of its left side, all parts of it."""
        left = form.left
        of = left.of if isinstance(left, Derivative) else left
        if not isinstance(of, Signal):
            return False
        wrt = left.wrt if isinstance(left, Derivative) else None
        return elementary_form(self.cell, of, wrt, kind) == form

    def _below_elementary(self, form: Form, kind: str) -> tuple[Replayable, ...] | None:
        """The Σ form for any input, and for a derivative the elementary form of the state."""
        left = form.left
        of = left.of if isinstance(left, Derivative) else left
        assert isinstance(of, Signal)
        wrt = left.wrt if isinstance(left, Derivative) else None
        general = forward_form(self.cell, of) if wrt is None else closed_form(self.cell, of, wrt)
        verdicts = [self._induction(general)]
        if isinstance(wrt, Param):
            verdicts.append(self.elementary(elementary_form(self.cell, of, None, kind), kind))
        if any(v.status != "proved" for v in verdicts):
            return None
        return tuple(v.proof for v in verdicts if v.proof is not None)

    def adjoint_identity(self, gradient: Gradient) -> Verdict:
        """The adjoint identity of one step, which proves the whole backward pass."""
        kept = self._adjoint.get(gradient.objective)
        if kept is None or kept[0] != gradient:
            proof = adjoint_proof(self.cell, gradient, proved_entries(self.cell))
            verdict = prove_adjoint(proof, "all T ≥ 0")
            if not _all_replay(equations_as_proved(gradient)):
                verdict = Verdict(
                    "undecided", "", ("the equations that run are not those of the identity",)
                )
            kept = self._adjoint[gradient.objective] = (gradient, verdict)
        return kept[1]

    def _all_sizes(self) -> str:
        names = "" if self.cell.is_scalar else ", ".join(self.cell.size_names)
        return f", all sizes {names}" if names else ""

    def adjoint(
        self,
        gradient: Gradient,
        left: Node,
        right: Node,
        times: Times,
        first: int,
        last: int | None = None,
    ) -> Verdict:
        """An adjoint equation or a gradient written with adjoints."""
        if self._explicit is None:
            self._explicit = explicit_pre_activations(self.cell)
        claim = self.claim(left, right, times, gradient.objective, gradient, self._explicit)
        # The identity proves what the gradient says, not another way of writing it.
        identity = None
        if stated_by(gradient, left, right, times, first):
            scope = f"all T ≥ {first}{self._all_sizes()}"
            identity = replace(self.adjoint_identity(gradient), scope=scope)
        proved = identity is not None and identity.status == "proved"
        # Whole gradients for every T; the adjoints inside them, and what evaluation in many
        # sizes only confirms, for the first few.
        few = bool(times) or is_inner(left) or (proved and not self.cell.is_scalar)
        checked = self.checked(claim, self.scope(first=first, few=few, last=last))
        return checked if identity is None else combined(identity, checked)


def _all_replay(parts: Iterable[Replayable]) -> bool:
    """Whether every part holds; one whose normal form is too long is not known to."""
    try:
        return all(part.replay() for part in parts)
    except TooManyTerms:
        return False

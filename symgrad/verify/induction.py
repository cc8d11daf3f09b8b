"""Induction on T: proofs of formulas with symbolic T from the recurrence they satisfy.

Base cases and step are identities of normal forms; in the step Σ and Π are split at
their last term. The proof is an object: it prints its lines, and ``replay`` decides
every one of them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import Cases, Fold, Node, substitute_indices, transform, walk
from symgrad.verify.normal import NoNormalForm, Requirement, difference
from symgrad.verify.polynomial import TooManyTerms
from symgrad.verify.verdict import Verdict

_T = symbol("T")


@dataclass(frozen=True)
class Line:
    """``left = right`` and why; the chain of right sides is read from left to right."""

    title: str
    left: Node
    chain: tuple[tuple[Node, str], ...]


@dataclass(frozen=True)
class Induction:
    """y_T = right(T) for all T >= first, from y_first = start and y_T = step(y_{T-1}).

    Attributes:
        name: y_T, the name of what is proved.
        right: the formula, by cases on T where the first values are exceptions.
        previous: the name of y_{T-1} in ``step``.
        step, start, second: the recurrence; ``second`` is y_{first+1} where the step only
            holds after it.
        first: where the induction begins, a number or another time.
        assumptions: conditions under which denominators do not vanish, in words.
    """

    name: Node
    right: Node
    previous: Node
    step: Node
    start: Node
    second: Node | None = None
    first: Affine = field(default=as_affine(0))
    assumptions: tuple[str, ...] = ()

    @property
    def exceptions(self) -> dict[int, Node]:
        """Values of ``right`` at the first T that have a row of their own."""
        if not isinstance(self.right, Cases):
            return {}
        found: dict[int, Node] = {}
        rows = zip(self.right.values[:-1], self.right.conditions[:-1], strict=True)
        for value, conditions in rows:
            first = conditions[0]
            at_number = (
                len(conditions) == 1
                and first.relation == "="
                and first.left == _T
                and isinstance(first.right, Affine)
                and first.right.is_const
            )
            if not at_number or not isinstance(first.right, Affine):
                raise NoNormalForm("an induction knows cases at single values of T only")
            found[first.right.const] = value
        return found

    @property
    def main(self) -> Node:
        return self.right.values[-1] if isinstance(self.right, Cases) else self.right

    @property
    def bases(self) -> tuple[tuple[Affine, Node, Node], ...]:
        """(T, the formula there, the value by definition): all must agree."""
        if not self.first.is_const:
            return ((self.first, self._at(self.first), self.start),)
        first = self.first.const
        exceptions = self.exceptions
        # The hypothesis is used for the main formula only, so that needs a base case too.
        last = max([first, *(position + 1 for position in exceptions)])
        if self.second is not None:
            last = max(last, first + 1)
        values = [self.start]
        rows: list[tuple[Affine, Node, Node]] = []
        for position in range(first, last + 1):
            if position > first:
                by_step = self.second if position == first + 1 and self.second is not None else None
                if by_step is None:
                    by_step = self._step_at(as_affine(position), values[-1])
                values.append(by_step)
            formula = exceptions.get(position, self._at(as_affine(position)))
            rows.append((as_affine(position), formula, values[-1]))
        return tuple(rows)

    @property
    def step_from(self) -> Affine:
        """The smallest T of the induction step."""
        return self.bases[-1][0] + 1

    def _at(self, time: Affine) -> Node:
        return substitute_indices(self.main, {"T": time})

    def _step_at(self, time: Affine, previous: Node) -> Node:
        return substitute_indices(self._insert(previous), {"T": time})

    def _insert(self, previous: Node) -> Node:
        return transform(self.step, lambda n: previous if n is self.previous else n)

    @property
    def hypothesis(self) -> Node:
        """right(T - 1)."""
        return substitute_indices(self.main, {"T": _T - 1})

    def replay(self) -> bool:
        """Whether every line holds.

        Raises:
            NoNormalForm: a line cannot be decided.
        """
        for _, formula, value in self.bases:
            gap, needs = difference(formula, value)
            if not gap.is_zero or not all(holds_from(n, {}) for n in needs):
                return False
        gap, needs = difference(self.main, self._insert(self.hypothesis), step="T")
        return gap.is_zero and all(holds_from(n, self._ranges()) for n in needs)

    def _ranges(self) -> dict[str, Affine]:
        return {"T": self.step_from}

    @property
    def _closing(self) -> str:
        """What brings the last line of the step about."""
        folds = {item.kind for item in walk(self.main) if isinstance(item, Fold)}
        words = {"sum": "the last term taken into Σ", "prod": "the last factor taken into Π"}
        return " and ".join(words[kind] for kind in ("sum", "prod") if kind in folds) or "collected"

    @property
    def lines(self) -> tuple[Line, ...]:
        """The proof for people."""
        found = [
            Line(
                f"Base case T = {time}",
                substitute_indices(self.name, {"T": time}),
                ((value, "definition"), (formula, "the formula")),
            )
            for time, formula, value in self.bases
        ]
        found.append(
            Line(
                f"Step, T ≥ {self.step_from}",
                self.name,
                (
                    (self.step, "one step of the recurrence"),
                    (self._insert(self.hypothesis), "the hypothesis, for T - 1"),
                    (self.main, self._closing),
                ),
            )
        )
        return tuple(found)


def holds_from(need: Requirement, ranges: Mapping[str, Affine]) -> bool:
    """True if the requirement follows from the lower bounds of the times in it."""
    free = need.bound.names | {n for p in need.premises for n in p.names}
    if not free - {"T"}:
        start = ranges.get("T", as_affine(0))
        return start.is_const and need.holds_from("T", start.const)
    # T = start + d with d >= 0 and the other times >= 0: enough that no coefficient is
    # negative, for the bound itself or after a premise is taken off.
    values = {"T": ranges.get("T", as_affine(0)) + symbol("d")}
    bound = need.bound.substitute(values)
    options = [bound, *(bound - p.substitute(values) for p in need.premises)]
    return any(o.const >= 0 and all(c >= 0 for _, c in o.terms) for o in options)


def prove_induction(proof: Induction) -> Verdict:
    """``proved``, or ``undecided`` with the reason; an induction never refutes."""
    scope = f"all T ≥ {proof.first}"
    if proof.assumptions:
        scope += ", " + ", ".join(proof.assumptions)
    try:
        holds = proof.replay()
    except (NoNormalForm, TooManyTerms, ZeroDivisionError) as error:
        return Verdict("undecided", scope, (f"no normal form: {error}",))
    if not holds:
        return Verdict("undecided", scope, ("a line of the induction does not hold as it stands",))
    return Verdict("proved", scope, ("induction on T",), proof=proof)

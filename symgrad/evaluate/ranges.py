"""Which index ranges can be how empty: linear inequalities over integers.

A constraint is an affine form that is >= 0. Variables are eliminated pairwise
(Fourier 1826, Motzkin 1936) with constants rounded for integers, so ``feasible`` may
say yes where no integer fits, never no where one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd

from symgrad.lang.affine import Affine, symbol
from symgrad.lang.nodes import Condition

Constraints = tuple[Affine, ...]


def admissible(free: Iterable[str]) -> Constraints:
    """What is known of the free indices of a formula: 0 <= t <= T, and 0 <= k <= t for the rest."""
    names = set(free) | {"T"}
    last = symbol("t") if "t" in names else symbol("T")
    known = [symbol("T")]
    for name in sorted(names - {"T"}):
        known += [symbol(name), (symbol("T") if name == "t" else last) - symbol(name)]
    return tuple(known)


def feasible(constraints: Sequence[Affine]) -> bool:
    """False only where no integers satisfy all of ``form >= 0``."""
    system = {_tightened(form) for form in constraints}
    while True:
        if any(form.is_const and form.const < 0 for form in system):
            return False
        names = sorted({name for form in system for name in form.names})
        if not names:
            return True
        name = names[0]
        below = [f for f in system if f.coefficient(name) > 0]
        above = [f for f in system if f.coefficient(name) < 0]
        system = {f for f in system if f.coefficient(name) == 0} | {
            _tightened(low.scale(-high.coefficient(name)) + high.scale(low.coefficient(name)))
            for low in below
            for high in above
        }


def always(constraints: Constraints, form: Affine) -> bool:
    """Whether ``form >= 0`` follows."""
    return not feasible((*constraints, -form - 1))


def _tightened(form: Affine) -> Affine:
    common = gcd(*[c for _, c in form.terms]) if form.terms else 1
    if common <= 1:
        return form
    return Affine(tuple((name, c // common) for name, c in form.terms), form.const // common)


def assume(constraints: Constraints, conditions: Iterable[Condition]) -> Constraints:
    """The constraints where all conditions hold; those between formulas say nothing here."""
    for condition in conditions:
        left, right = condition.left, condition.right
        if not (isinstance(left, Affine) and isinstance(right, Affine)):
            continue
        gap = left - right
        if condition.relation == "=":
            constraints = (*constraints, gap, -gap)
        elif condition.relation == "≥":
            constraints = (*constraints, gap)
        elif condition.relation == "<":
            constraints = (*constraints, -gap - 1)
        elif always(constraints, gap):
            constraints = (*constraints, gap - 1)
        elif always(constraints, -gap):
            constraints = (*constraints, -gap - 1)
    return constraints


_OPPOSITE = {"=": "≠", "≠": "=", "≥": "<", "<": "≥"}


def exclude(constraints: Constraints, conditions: Sequence[Condition]) -> Constraints:
    """The constraints where not all conditions hold; only a single condition can be negated."""
    if len(conditions) != 1:
        return constraints
    (only,) = conditions
    negated = Condition(only.left, _OPPOSITE[only.relation], only.right)  # type: ignore[arg-type]
    return assume(constraints, [negated])

"""Relations between functions, declared in one place: what exact equality may use, and why.

Activation calls are free atoms of a proof until two of them are related. A relation is
used only if it stands here; each is true wherever both of its sides are defined, so none
makes a statement true that is false somewhere. Those with ``follows`` are proved from the
others by the machinery itself (``tests/test_relations.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations


@dataclass(frozen=True)
class Relation:
    """A declared relation.

    Attributes:
        name: how code refers to it.
        statement: the equation in x and y; q is a rational number.
        reason: why it holds.
        condition: where both sides are defined; empty for all real numbers.
        follows: whether it is a consequence of the others.
        example: the statement with a number for q, as it can be typed.
    """

    name: str
    statement: str
    reason: str
    condition: str = ""
    follows: bool = True
    example: str = ""

    def __str__(self) -> str:
        return f"{self.statement} ({self.condition})" if self.condition else self.statement


def _axiom(
    name: str, statement: str, reason: str, condition: str = "", example: str = ""
) -> Relation:
    return Relation(name, statement, reason, condition, follows=False, example=example)


_DECLARED = (
    _axiom("exp zero", "exp(0) = 1", "the initial value of dE = E dx"),
    _axiom(
        "exp sum",
        "exp(x + y) = exp(x) exp(y)",
        "both sides satisfy dE/dx = E and agree at x = 0",
    ),
    Relation("exp negative", "exp(-x) = 1/exp(x)", "exp(x) exp(-x) = exp(0) = 1"),
    _axiom(
        "exp multiple",
        "exp(q x) = exp(x)^q",
        "exp(x + y) = exp(x) exp(y) and exp > 0",
        "q rational",
        "exp(x/3)^2 = exp(2 x/3)",
    ),
    Relation("sigma exp", "σ(x) = 1/(1 + exp(-x))", "the definition σ = E/(1 + E)"),
    Relation(
        "tanh exp",
        "tanh(x) = (exp(2 x) - 1)/(exp(2 x) + 1)",
        "the definition tanh = (E^2 - 1)/(E^2 + 1)",
    ),
    Relation("sigma negative", "σ(-x) = 1 - σ(x)", "σ = E/(1 + E) and exp(-x) = 1/E"),
    Relation("tanh negative", "tanh(-x) = -tanh(x)", "tanh = (E^2 - 1)/(E^2 + 1), exp(-x) = 1/E"),
    Relation("tanh sigma", "tanh(x) = 2 σ(2 x) - 1", "σ(2 x) = E^2/(1 + E^2)"),
    Relation(
        "tanh slope",
        "4/(exp(x) + exp(-x))^2 = 1 - tanh(x)^2",
        "1/cosh(x)^2 = 1 - tanh(x)^2, from the definitions through exp",
    ),
    _axiom("log exp", "log(exp(x)) = x", "log is the inverse of exp"),
    _axiom("exp log", "exp(log(x)) = x", "log is the inverse of exp", "x > 0"),
    Relation("log negative", "log(1/x) = -log(x)", "exp(-log(x)) = 1/x", "x > 0"),
    Relation("softplus exp", "softplus(x) = log(1 + exp(x))", "the definition of softplus"),
    Relation(
        "softplus negative",
        "softplus(x) - softplus(-x) = x",
        "1 + exp(x) = exp(x) (1 + exp(-x))",
    ),
    Relation("log sigma", "log(σ(x)) = -softplus(-x)", "σ(x) = 1/(1 + exp(-x))"),
    _axiom("sqrt square", "sqrt(x)^2 = x", "the definition of the root", "x ≥ 0"),
    Relation("sqrt exp", "sqrt(exp(x)) = exp(x/2)", "exp(x/2)^2 = exp(x) and exp(x/2) > 0"),
    _axiom(
        "step square",
        "step(x)^2 = step(x)",
        "a step is 0 or 1; at 0 so for step_0 and step_1, not for step_half, undefined for step",
        "x ≠ 0, or step_0 or step_1",
    ),
    _axiom(
        "step negative",
        "step(-x) = 1 - step(x)",
        "x > 0 or -x > 0; at 0 so for step_half, and step_0(-x) = 1 - step_1(x)",
        "x ≠ 0, or step_half, or step_0 with step_1",
    ),
    _axiom(
        "step multiple",
        "step(q x) = step(x)",
        "q x > 0 where x > 0",
        "q > 0",
        "step(3 x) = step(x)",
    ),
    Relation("relu negative", "relu(-x) = relu(x) - x", "relu(x) = x step(x), also at 0"),
    Relation(
        "relu multiple",
        "relu(q x) = q relu(x)",
        "relu(x) = x step(x)",
        "q > 0",
        example="relu(3 x) = 3 relu(x)",
    ),
    _axiom("step value", "step(x) = step_0(x)", "conventions differ at 0 alone", "x ≠ 0"),
    _axiom("relu value", "relu_0(x) = relu_1(x)", "x s(x) is 0 at 0, whatever s is there"),
)

#: By name, in the order in which evidence lists them.
RELATIONS: dict[str, Relation] = {relation.name: relation for relation in _DECLARED}

#: Every part of one call of exp (keys of its summands), to tell calls apart.
Call = frozenset[object]


@dataclass
class Uses:
    """Which relations an evaluation used, as far as atoms had more than one use.

    ``head``: the function whose definition is being evaluated.
    """

    head: str = "exp"
    _noted: set[str] = field(default_factory=set)
    _turned: dict[object, set[tuple[int, Fraction]]] = field(default_factory=dict)
    _kinks: dict[object, set[tuple[bool, Fraction | None]]] = field(default_factory=dict)
    _calls: dict[object, set[tuple[str, Fraction, Call]]] = field(default_factory=dict)

    def note(self, name: str) -> None:
        """A relation by its name."""
        self._noted.add(RELATIONS[name].name)

    def turned(self, function: str, key: object, sign: int, scale: Fraction) -> None:
        """A call of a function whose argument is an atom times a sign and a positive factor."""
        known = self._turned.setdefault((function, key), set())
        if any(sign != other for other, _ in known):
            self.note(f"{function} negative")
        if any(scale != other for _, other in known):
            self.note(f"{function} multiple")
        known.add((sign, scale))

    def kink(self, key: object, at_zero: Fraction | None, *, value: bool) -> None:
        """A step of a convention, or the value of a relu of one."""
        known = self._kinks.setdefault(key, set())
        for other_value, other in known:
            if other != at_zero and (value or other_value):
                self.note("relu value")
            elif other != at_zero and None in (other, at_zero):
                self.note("step value")
        known.add((value, at_zero))

    def exp(self, key: object, factor: Fraction, call: Call) -> None:
        """exp of ``factor`` times an atom, in a call with other summands or alone."""
        self._calls.setdefault(key, set()).add((self.head, factor, call))

    def relations(self) -> tuple[Relation, ...]:
        """What was used, in the order of declaration."""
        names = set(self._noted)
        for uses in self._calls.values():
            for first, second in combinations(uses, 2):
                names |= _between(*first, *second)
        return tuple(relation for name, relation in RELATIONS.items() if name in names)


def _between(
    head: str, factor: Fraction, call: Call, other: str, second: Fraction, other_call: Call
) -> set[str]:
    """What relates two calls of exp, σ or tanh on multiples of one atom."""
    names = set() if call == other_call else {"exp sum"}
    # tanh is a function of exp(2 x).
    first = 2 * factor if head == "tanh" else factor
    second = 2 * second if other == "tanh" else second
    if head != other:
        pair = {head, other}
        names |= {"tanh sigma"} if pair == {"tanh", "sigma"} else set()
        names |= {f"{name} exp" for name in pair & {"tanh", "sigma"}} if "exp" in pair else set()
    if abs(first) != abs(second):
        names.add("exp multiple")
    elif first == -second:
        known = next((name for name in ("sigma", "tanh") if name in (head, other)), "exp")
        names.add(f"{known} negative")
    return names


def using(relations: Iterable[Relation]) -> tuple[str, ...]:
    """A line of evidence, if any relation was used."""
    words = ", ".join(str(relation) for relation in relations)
    return (f"using {words}",) if words else ()

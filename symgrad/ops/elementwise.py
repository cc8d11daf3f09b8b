"""The table, part one: functions applied to each entry.

Each gives its derivative as a formula in its own output ``ans`` and its argument. The
entries are the axioms of every proof: ``verify.axioms`` proves each from ``definition``,
through exp, log, the square root and the step, without reading ``partials``.

Functions with a kink have a convention in their name: ``relu_0`` has the derivative 0 at
0, ``relu_half`` 1/2, ``relu_1`` 1; ``relu`` has none, and its derivative is refused there.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from symgrad.lang.algebra import Algebra, Value
from symgrad.lang.nodes import Node, Primitive, Shape, const
from symgrad.ops.build import broadcast_shape, make, square
from symgrad.ops.registry import PRIMITIVES, register

_HALF = Fraction(1, 2)

#: The conventions at a kink, by the suffix of the function's name.
CONVENTIONS: dict[str, Fraction | None] = {
    "": None,
    "_0": Fraction(0),
    "_half": _HALF,
    "_1": Fraction(1),
}


def _same(shape: Shape) -> Shape:
    return shape


def _elementwise(
    name: str,
    definition: Callable[[Algebra, Value], Value],
    partial: Callable[[Node, Node], Node],
    *,
    definition_text: str,
) -> Primitive:
    def evaluate(algebra: Algebra, argument: Value) -> Value:
        direct = algebra.direct.get(name)
        return algebra.through(name, definition, argument) if direct is None else direct(argument)

    return Primitive(
        name,
        _same,
        evaluate,
        elementwise=True,
        partials=lambda ans, argument: (partial(ans, argument),),
        definition=definition,
        definition_text=definition_text,
    )


def _sigma_definition(algebra: Algebra, x: Value) -> Value:
    e = algebra.exp(x)
    return algebra.div(e, algebra.add(algebra.one, e))


def _tanh_definition(algebra: Algebra, x: Value) -> Value:
    e = algebra.exp(x)
    square = algebra.mul(e, e)
    return algebra.div(
        algebra.add(square, algebra.neg(algebra.one)), algebra.add(square, algebra.one)
    )


EXP = register(
    _elementwise(
        "exp",
        lambda algebra, x: algebra.exp(x),
        lambda ans, x: ans,
        definition_text="E with dE = E dx",
    )
)
LOG = register(
    _elementwise(
        "log",
        lambda algebra, x: algebra.log(x),
        lambda ans, x: 1 / x,
        definition_text="the inverse of exp: exp(l) = x, so x dl = dx",
    )
)
SQRT = register(
    _elementwise(
        "sqrt",
        lambda algebra, x: algebra.sqrt(x),
        lambda ans, x: 1 / (2 * ans),
        definition_text="r with r² = x, so 2 r dr = dx",
    )
)
SIGMA = register(
    _elementwise(
        "sigma",
        _sigma_definition,
        lambda ans, x: ans * (1 - ans),
        definition_text="E / (1 + E) with E = exp(x), dE = E dx",
    )
)
TANH = register(
    _elementwise(
        "tanh",
        _tanh_definition,
        lambda ans, x: 1 - square(ans),
        definition_text="(E² - 1) / (E² + 1) with E = exp(x), dE = E dx",
    )
)
SOFTPLUS = register(
    _elementwise(
        "softplus",
        lambda algebra, x: algebra.log(algebra.add(algebra.one, algebra.exp(x))),
        lambda ans, x: make(SIGMA, x),
        definition_text="log(1 + E) with E = exp(x), dE = E dx",
    )
)


# ---- functions with a kink ------------------------------------------------------------


def _sign(algebra: Algebra, x: Value, at_zero: Fraction | None) -> Value:
    twice = algebra.mul(algebra.const(Fraction(2)), algebra.step(x, at_zero))
    return algebra.add(twice, algebra.const(Fraction(-1)))


def _absolute(algebra: Algebra, x: Value, at_zero: Fraction | None) -> Value:
    twice = algebra.mul(algebra.const(Fraction(2)), algebra.positive_part(x, at_zero))
    return algebra.add(twice, algebra.neg(x))


def _register_kinks(suffix: str, at_zero: Fraction | None) -> None:
    """step, relu and max with one convention."""
    there = "no derivative" if at_zero is None else f"the derivative {at_zero}"
    step = register(
        _elementwise(
            f"step{suffix}",
            lambda algebra, x: algebra.step(x, at_zero),
            lambda ans, x: const(0),
            definition_text="1 for x > 0 and 0 for x < 0: constant where it is smooth",
        )
    )
    register(
        _elementwise(
            f"relu{suffix}",
            lambda algebra, x: algebra.positive_part(x, at_zero),
            lambda ans, x: make(step, x),
            definition_text=f"x step(x), where step has the derivative 0, with {there} at 0",
        )
    )

    def larger(algebra: Algebra, a: Value, b: Value) -> Value:
        gap = algebra.add(a, algebra.neg(b))
        return algebra.add(b, algebra.positive_part(gap, at_zero))

    def partials(ans: Node, a: Node, b: Node) -> tuple[Node, ...]:
        first = make(step, a - b)
        return (first, 1 - first)

    register(
        Primitive(
            f"max{suffix}",
            lambda left, right: broadcast_shape("max", left, right),
            larger,
            partials=partials,
        )
    )


def _register_absolute(suffix: str, at_zero: Fraction | None) -> None:
    """sign and abs; the derivative of abs at 0 is 0, or refused."""
    sign = register(
        _elementwise(
            f"sign{suffix}",
            lambda algebra, x: _sign(algebra, x, at_zero),
            lambda ans, x: const(0),
            definition_text="2 step(x) - 1: constant where it is smooth",
        )
    )
    register(
        _elementwise(
            f"abs{suffix}",
            lambda algebra, x: _absolute(algebra, x, at_zero),
            lambda ans, x: make(sign, x),
            definition_text="x sign(x), the derivative of sign being 0",
        )
    )


for _suffix, _at_zero in CONVENTIONS.items():
    _register_kinks(_suffix, _at_zero)
_register_absolute("", None)
_register_absolute("_0", _HALF)


# ---- a function of which nothing is known ---------------------------------------------


#: Names of generic activations, their derivatives left out.
GENERIC: set[str] = set()


def opaque(name: str, order: int = 0) -> Primitive:
    """The primitive of a generic activation φ, or of its derivative φ', φ'' of an order.

    What is proved with it holds for every differentiable function of that name.
    """
    full_name = name + "'" * order
    found = PRIMITIVES.get(full_name)
    if found is not None:
        return found
    GENERIC.add(name)
    text = "a function of which only the name of its derivative is known"
    return register(
        _elementwise(
            full_name,
            lambda algebra, x: algebra.opaque(name, order, x),
            lambda ans, x: make(opaque(name, order + 1), x),
            definition_text=text,
        )
    )

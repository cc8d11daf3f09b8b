"""Declarations: what contradicts itself is refused when it is declared, and says how to mend it.

Each wrong declaration stands beside its repaired form, which must be accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import pytest

from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.errors import DeclarationError, ShapeError
from symgrad.lang.affine import T, t
from symgrad.lang.nodes import Node, Signal
from symgrad.ops import diag, sigma, tanh, total

n, m = sizes("n m")
h, c, z = signal("h", n), signal("c", n), signal("z", n)
x = input_signal("x", m)
W, V, U, b = param("W", n, n), param("V", n, n), param("U", n, m), param("b", n)
w = param("w")


def cell(*equations: tuple[Any, Any], **options: Any) -> Cell:
    return Cell("mine", equations, **options)


class Wrong(NamedTuple):
    """A declaration, the error, what its message holds, and the repaired declaration."""

    declare: Callable[[], object]
    error: type[Exception]
    message: tuple[str, ...]
    repaired: Callable[[], object]


def wrong_cell(
    declare: Callable[[], object],
    repaired: Callable[[], object],
    *message: str,
    error: type[Exception] = DeclarationError,
) -> Wrong:
    return Wrong(declare, error, ("cell 'mine'", *message), repaired)


def wrong_name(declare: Callable[[], object], *message: str) -> Wrong:
    return Wrong(declare, DeclarationError, message, lambda: param("W_1", n, n + 1))


RESERVED: list[tuple[str, Callable[..., object], str]] = [
    ("T", signal, "signal"),
    ("t", param, "parameter"),
    ("k", param, "parameter"),
    ("j", input_signal, "signal"),
    ("L", signal, "signal"),
]
NO_NAMES: list[Any] = ["", "2w", "w-x", "w__2", "_w", "w_", "w x", "W^2", "ω", None]
NO_SIZES: list[Any] = [0, -1, 1.5, True, "n", None, n - n, T]

WRONG: dict[str, Wrong] = {
    # order and recurrence
    "signal before its definition": wrong_cell(
        lambda: cell((h, tanh(W @ h.prev + z)), (z, sigma(V @ h.prev))),
        lambda: cell((z, sigma(V @ h.prev)), (h, tanh(W @ h.prev + z))),
        "equation h_t = tanh(W @ h_{t-1} + z_t): z is used before it is defined",
        "move its equation above this one, or use z.prev",
    ),
    "signal of itself": wrong_cell(
        lambda: cell((h, tanh(W @ h))),
        lambda: cell((h, tanh(W @ h.prev))),
        "equation h_t = tanh(W @ h_t): h is used before it is defined",
        "use h.prev",
    ),
    "state without an equation": wrong_cell(
        lambda: cell((h, tanh(W @ h.prev + c.prev))),
        lambda: cell((c, W @ h.prev), (h, tanh(W @ h.prev + c.prev))),
        "equation h_t = tanh(W @ h_{t-1} + c_{t-1}): the state c has no equation",
        "add (c, …) to the equations or list c in inputs",
    ),
    "signal without an equation": wrong_cell(
        lambda: cell((h, h.prev + U @ x)),
        lambda: cell((h, h.prev + U @ x), inputs=[x]),
        "equation h_t = h_{t-1} + U @ x_t: the signal x has no equation",
        "list x in inputs",
    ),
    "misspelt signal": wrong_cell(
        lambda: cell((signal("gate", n), W @ h.prev), (h, signal("gaet", n))),
        lambda: cell((signal("gate", n), W @ h.prev), (h, signal("gate", n))),
        "equation h_t = gaet_t: the signal gaet has no equation (did you mean gate?)",
        "add (gaet, …)",
    ),
    "two steps back": wrong_cell(
        lambda: cell((h, W @ h.prev.prev)),
        lambda: cell((c, W @ h.prev), (h, W @ c.prev)),
        "equation h_t = W @ h_{t-2}: h_{t-2} is neither at time t nor at t - 1",
        "carry longer memories in a state of their own",
    ),
    "the future": wrong_cell(
        lambda: cell((h, W @ h.at(t + 1))),
        lambda: cell((h, W @ h.prev)),
        "equation h_t = W @ h_{t+1}: h_{t+1} is neither at time t nor at t - 1",
        "carry longer memories",
    ),
    "a fixed time": wrong_cell(
        lambda: cell((h, W @ h.prev + h.at(0))),
        lambda: cell((h, W @ h.prev)),
        "equation h_t = W @ h_{t-1} + h_0: h_0 is neither at time t nor at t - 1",
        "in a state of their own",
    ),
    "no state": wrong_cell(
        lambda: cell((h, tanh(U @ x)), inputs=[x]),
        lambda: cell((h, tanh(U @ x + h.prev)), inputs=[x]),
        "equation h_t = tanh(U @ x_t): there is no state",
        "use one, such as h.prev",
    ),
    "no equation": wrong_cell(cell, lambda: cell((h, h.prev)), "has no equation", "give pairs"),
    # shapes
    "matrix product": wrong_cell(
        lambda: cell((h, tanh(U @ h.prev))),
        lambda: cell((h, tanh(W @ h.prev))),
        "equation h_t = tanh(U @ h_{t-1}): U @ h_{t-1}: U is n × m and h_{t-1} is n",
        "the inner sizes m and n differ",
        "declare U with n columns",
        error=ShapeError,
    ),
    "matrix product that needs a transpose": wrong_cell(
        lambda: cell((h, h.prev), (signal("y", m), U @ h)),
        lambda: cell((h, h.prev), (signal("y", m), U.T @ h)),
        "equation y_t = U @ h_t",
        "write U.T @ h_t",
        error=ShapeError,
    ),
    "matrix product with a scalar": wrong_cell(
        lambda: cell((h, w @ h.prev)),
        lambda: cell((h, w * h.prev)),
        "equation h_t = w @ h_{t-1}",
        "w is scalar",
        "write * for a product with a scalar",
        error=ShapeError,
    ),
    "matrix product of two vectors": wrong_cell(
        lambda: cell((h, b @ h.prev)),
        lambda: cell((h, b * h.prev)),
        "equation h_t = b @ h_{t-1}: b @ h_{t-1}: b is n and h_{t-1} is n",
        "write b.T @ h_{t-1}",
        error=ShapeError,
    ),
    "sum": wrong_cell(
        lambda: cell((h, h.prev + x), inputs=[x]),
        lambda: cell((h, h.prev + U @ x), inputs=[x]),
        "equation h_t = h_{t-1} + x_t: + needs equal shapes",
        "h_{t-1} is n, x_t is m",
        "make the sizes equal",
        error=ShapeError,
    ),
    "difference": wrong_cell(
        lambda: cell((h, h.prev - x), inputs=[x]),
        lambda: cell((h, h.prev - U @ x), inputs=[x]),
        "equation h_t = h_{t-1} - x_t: + needs equal shapes",
        "make the sizes equal",
        error=ShapeError,
    ),
    "elementwise with a matrix": wrong_cell(
        lambda: cell((h, W * h.prev)),
        lambda: cell((h, W @ h.prev)),
        "equation h_t = W * h_{t-1}: * needs equal shapes",
        "W is n × n, h_{t-1} is n",
        "write @ for the matrix product",
        error=ShapeError,
    ),
    "quotient": wrong_cell(
        lambda: cell((h, h.prev / W)),
        lambda: cell((h, h.prev / b)),
        "equation h_t = h_{t-1} / W: / needs equal shapes",
        "h_{t-1} is n, W is n × n",
        "make the sizes equal",
        error=ShapeError,
    ),
    "inside a function": wrong_cell(
        lambda: cell((h, h.prev * sigma(tanh(b + x) + b)), inputs=[x]),
        lambda: cell((h, h.prev * sigma(tanh(b + U @ x) + b)), inputs=[x]),
        "b is n, x_t is m",
        "make the sizes equal",
        error=ShapeError,
    ),
    "diagonal of a matrix": wrong_cell(
        lambda: cell((h, diag(W) @ h.prev)),
        lambda: cell((h, diag(b) @ h.prev)),
        "equation h_t = diag(W) @ h_{t-1}: diag needs a column, got n × n",
        "leave diag out",
        error=ShapeError,
    ),
    "two sides": wrong_cell(
        lambda: cell((h, tanh(U.T @ h.prev))),
        lambda: cell((h, tanh(W.T @ h.prev))),
        "equation h_t = tanh(U.T @ h_{t-1}): h is n but the right side is m",
        "declare h with the size m",
        error=ShapeError,
    ),
    "a scalar on the right": wrong_cell(
        lambda: cell((h, total(h.prev))),
        lambda: cell((h, total(h.prev) * b)),
        "equation h_t = total(h_{t-1}): h is n but the right side is scalar",
        "declare h without a size",
        error=ShapeError,
    ),
    "a matrix on the right": wrong_cell(
        lambda: cell((h, W * (b.T @ h.prev))),
        lambda: cell((h, W @ (b * h.prev))),
        "h is n but the right side is n × n",
        "change the formula to a column",
        error=ShapeError,
    ),
    "one name, two shapes": wrong_cell(
        lambda: cell((h, W @ h.prev + param("W", n))),
        lambda: cell((h, W @ h.prev + param("w_2", n))),
        "equation h_t = W @ h_{t-1} + W: W is used with the shapes n × n and n",
        "declare it once",
        error=ShapeError,
    ),
    "one signal, two shapes": wrong_cell(
        lambda: cell((h, W @ h.prev), (signal("y", m), signal("h", m))),
        lambda: cell((h, W @ h.prev), (signal("y", n), h)),
        "equation y_t = h_t: h is used with the shapes n and m",
        "declare it once",
        error=ShapeError,
    ),
    # names
    "two equations for one name": wrong_cell(
        lambda: cell((h, tanh(W @ h.prev)), (h, sigma(h.prev))),
        lambda: cell((h, tanh(W @ h.prev)), (z, sigma(h.prev))),
        "h has two equations, equation h_t = tanh(W @ h_{t-1}) and equation h_t = sigma(h_{t-1})",
        "give the second signal another name",
    ),
    "a signal and a parameter": wrong_cell(
        lambda: cell((h, param("h", n) * h.prev)),
        lambda: cell((h, param("a", n) * h.prev)),
        "equation h_t = h * h_{t-1}: h is used as a signal and as a parameter",
        "rename one of the two",
    ),
    "equal in lower case": wrong_cell(
        lambda: cell((h, param("H", n, n) @ h.prev)),
        lambda: cell((h, W @ h.prev)),
        "equation h_t = H @ h_{t-1}: the names H and h coincide in lower case",
        "rename one, for instance h to h_2",
    ),
    "two parameters equal in lower case": wrong_cell(
        lambda: cell((h, W @ h.prev + w)),
        lambda: cell((h, W @ h.prev + param("a"))),
        "equation h_t = W @ h_{t-1} + w: the names W and w coincide in lower case",
        "for instance w to w_2",
    ),
    "an input equal in lower case": wrong_cell(
        lambda: cell((h, param("X", n) * h.prev), inputs=[x]),
        lambda: cell((h, W @ h.prev), inputs=[x]),
        "the input x_t: the names X and x coincide in lower case",
        "for instance x to x_2",
    ),
    # inputs and output
    "input with an equation": wrong_cell(
        lambda: cell((h, h.prev + U @ x), (x, x), inputs=[x]),
        lambda: cell((h, h.prev + U @ x), inputs=[x]),
        "equation x_t = x_t: x is listed in inputs and has an equation",
        "remove one of the two",
    ),
    "input one step back": wrong_cell(
        lambda: cell((h, h.prev + U @ x.prev), inputs=[x]),
        lambda: cell(
            (h, h.prev + U @ signal("x_old", m).prev), (signal("x_old", m), x), inputs=[x]
        ),
        "equation h_t = h_{t-1} + U @ x_{t-1}: x_{t-1} is an input one step back",
        "define a state that stores it, such as (x_old, x), and use x_old.prev",
    ),
    "input twice": wrong_cell(
        lambda: cell((h, h.prev + U @ x), inputs=[x, x]),
        lambda: cell((h, h.prev + U @ x), inputs=[x]),
        "the input x is listed twice",
        "remove one",
    ),
    "input that is a parameter": wrong_cell(
        lambda: cell((h, W @ h.prev), inputs=[W]),
        lambda: cell((h, W @ h.prev), inputs=[x]),
        "the input W is not a signal at time t",
        'make it with input_signal("x", m)',
    ),
    "input by name": wrong_cell(
        lambda: cell((h, W @ h.prev), inputs=["x"]),
        lambda: cell((h, W @ h.prev), inputs=[x]),
        "the input 'x' is not a signal",
        'make it with input_signal("x", m)',
    ),
    "output without an equation": wrong_cell(
        lambda: cell((z, W @ z.prev), (h, z), output=c),
        lambda: cell((z, W @ z.prev), (h, z), output=z),
        "the output c_t has no equation",
        "choose one of z, h",
    ),
    "output one step back": wrong_cell(
        lambda: cell((h, W @ h.prev), output=h.prev),
        lambda: cell((h, W @ h.prev), output=h),
        "the output h_{t-1} has no equation",
        "choose one of h",
    ),
    # what stands in an equation
    "left side that is a parameter": wrong_cell(
        lambda: cell((W, h.prev)),
        lambda: cell((h, h.prev)),
        "equation 1: the left side is W",
        'made with signal("h", n)',
    ),
    "left side at another time": wrong_cell(
        lambda: cell((h, h.prev), (c.prev, h)),
        lambda: cell((h, h.prev), (c, h)),
        "equation 2: the left side is c_{t-1}; it must be a signal at time t",
        'made with signal("h", n)',
    ),
    "not a pair": wrong_cell(
        lambda: Cell("mine", [h]),  # type: ignore[list-item]  # the mistake under test
        lambda: Cell("mine", [(h, h.prev)]),
        "equation 1 is h_t",
        "write it as a pair (signal, formula)",
    ),
    "right side that is a float": wrong_cell(
        lambda: cell((h, 0.5)),
        lambda: cell((h, h.prev / 2)),
        "equation h_t = 0.5: the right side is no formula but of type float",
        "write it with signals and parameters",
    ),
    "right side that is a text": wrong_cell(
        lambda: cell((h, "tanh(h)")),
        lambda: cell((h, tanh(h.prev))),
        "equation h_t = 'tanh(h)': the right side is no formula but of type str",
        "write it with signals and parameters",
    ),
    "cell without a name": Wrong(
        lambda: Cell("", [(h, h.prev)]),
        DeclarationError,
        ("'' cannot name a cell", "use a short word"),
        lambda: Cell("gru", [(h, h.prev)]),
    ),
    "cell named by a path": Wrong(
        lambda: Cell("../gru", [(h, h.prev)]),
        DeclarationError,
        ("'../gru' cannot name a cell", "use a short word"),
        lambda: Cell("gru-2", [(h, h.prev)]),
    ),
    # floats
    "float factor": Wrong(
        lambda: 0.5 * h.prev,  # type: ignore[operator]  # the mistake under test
        TypeError,
        ("0.5 (float) cannot stand in a formula", "write Fraction('0.5')"),
        lambda: Fraction("0.5") * h.prev,
    ),
    "float term": Wrong(
        lambda: h.prev + 1e-3,  # type: ignore[operator]  # the mistake under test
        TypeError,
        ("0.001 (float) cannot stand in a formula", "write Fraction('0.001')"),
        lambda: h.prev + Fraction("0.001"),
    ),
    "float argument": Wrong(
        lambda: tanh(0.5),  # type: ignore[arg-type]  # the mistake under test
        TypeError,
        ("0.5 (float) cannot stand in a formula", "write Fraction('0.5')"),
        lambda: tanh(h.prev / 2),
    ),
    "float exponent": Wrong(
        lambda: h.prev**0.5,  # type: ignore[operator]  # the mistake under test
        TypeError,
        ("0.5 (float) cannot be a time, an exponent or a size", "use an integer"),
        lambda: h.prev**2,
    ),
    "truth value": Wrong(
        lambda: True * h.prev,
        TypeError,
        ("True (bool) cannot stand in a formula", "use an integer"),
        lambda: 1 * h.prev,
    ),
    # names that cannot be
    **{
        f"reserved name {name}": wrong_name(
            partial(declare, name, n),
            f"'{name}' cannot name a {kind}",
            f"choose another letter, such as {name}_1",
        )
        for name, declare, kind in RESERVED
    },
    **{
        f"name of an adjoint {name}": wrong_name(
            partial(signal, name, n),
            f"'{name}' cannot name a signal",
            "are those of adjoints; choose another name",
        )
        for name in ("lam_h", "delta_f", "dl_y")
    },
    **{
        f"name {name!r}": wrong_name(
            partial(param, name, n),
            f"{name!r} cannot name a parameter: use letters, digits and single underscores",
        )
        for name in NO_NAMES
    },
    # sizes
    "reserved size": wrong_name(lambda: sizes("n T"), "'T' cannot name a size", "such as T_1"),
    "no size": wrong_name(lambda: sizes(" "), "sizes needs at least one name", 'sizes("n m")'),
    **{
        f"size {size!r}": wrong_name(
            partial(param, "W", n, size),
            f"size {size} of 'W' is neither a symbolic size nor a positive integer",
            'make symbolic sizes with n, m = sizes("n m")',
        )
        for size in NO_SIZES
    },
    "three sizes": wrong_name(
        lambda: param("W", n, n, n), "'W' has 3 sizes", "give at most two, rows and columns"
    ),
}

every_mistake = pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)


@every_mistake
def test_a_wrong_declaration_is_refused(wrong: Wrong) -> None:
    with pytest.raises(wrong.error) as caught:
        wrong.declare()

    assert caught.type is wrong.error
    message = str(caught.value)
    for part in wrong.message:
        assert part in message
    assert "object at" not in message


@every_mistake
def test_the_repaired_declaration_is_accepted(wrong: Wrong) -> None:
    assert isinstance(wrong.repaired(), Cell | Node)


VALID: dict[str, Callable[[], Cell]] = {
    "smallest": lambda: cell((h, h.prev)),
    "scalar signals": lambda: cell((signal("s"), w * signal("s").prev)),
    "numbers as sizes": lambda: cell((signal("h", 3), param("W", 3, 3) @ signal("h", 3).prev)),
    "sum of sizes": lambda: cell((h, param("P", n, n + m) @ param("Q", n + m, n) @ h.prev)),
    "a scalar broadcasts": lambda: cell((h, w * h.prev + 1)),
    "a literal broadcasts": lambda: cell((h, Fraction(1, 2) * (1 - h.prev))),
    "a state read before its equation": lambda: cell((z, sigma(h.prev)), (h, z * h.prev)),
    "two states that read each other": lambda: cell((h, W @ c.prev), (c, W @ h.prev)),
    "an input that is never used": lambda: cell((h, h.prev), inputs=[x]),
    "names that differ by an index": lambda: cell((h, param("W_h", n, n) @ h.prev + w)),
    "output that is no state": lambda: cell((h, h.prev), (z, h), output=z),
    "an inner product": lambda: cell((h, (b.T @ h.prev) * h.prev)),
    "a quotient by a scalar": lambda: cell((h, h.prev / w)),
}


@pytest.mark.parametrize("declare", VALID.values(), ids=VALID)
def test_a_valid_declaration_is_accepted_in_both_readings(declare: Callable[[], Cell]) -> None:
    made = declare()
    scalar = made.scalar()

    assert made.states
    assert [s.name for s in scalar.signals] == [s.name for s in made.signals]
    assert all(node.is_scalar for e in scalar.equations for node in (e.target, e.value))


@pytest.mark.parametrize(
    ("equations", "expected"),
    [
        ([(h, h.prev), (signal("y", n), h)], "y"),
        ([(h, h.prev), (z, h)], "z"),
        ([(c, c.prev), (z, c)], "z"),
        ([(h, h.prev), (z, h), (c, h)], "h"),
    ],
)
def test_the_output_where_none_is_named(
    equations: list[tuple[Signal, Node]], expected: str
) -> None:
    assert Cell("mine", equations).output.name == expected

"""Exported NumPy code gives what symgrad itself gives; what cannot be exported is named."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import autograd
import autograd.numpy
import numpy as np
import pytest

from symgrad.adjoint import Objective, backward, loss
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cells import CATALOGUE
from symgrad.errors import NotSupportedYet, UsageError
from symgrad.evaluate.export import export
from symgrad.evaluate.export.dialects import DIALECTS
from symgrad.lang.affine import t
from symgrad.lang.nodes import (
    Apply,
    Param,
    Primitive,
    const,
    index_value,
    walk,
)
from symgrad.ops import (
    GENERIC,
    PRIMITIVES,
    softmax,
)
from test_export_cases import (
    CELLS,
    VALUED,
    assert_same,
    check_numpy,
    every_cell,
    every_objective,
    every_target,
    flat,
    load,
    numbers,
    of_head,
    reference,
)

# ---- NumPy -------------------------------------------------------------------------------


@every_cell
def test_numpy_gives_what_symgrad_gives(cell: Cell, tmp_path: Path) -> None:
    check_numpy(cell, loss(cell, squared=True), tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "softmax",
        "logsumexp",
        "mean",
        "variance",
        "norm",
        "relu at 0",
        "max at 1",
        "dot",
        "concat",
        "size",
    ],
)
def test_the_scalar_reading(name: str, tmp_path: Path) -> None:
    cell = CELLS[name].scalar()
    check_numpy(cell, loss(cell, squared=True), tmp_path)


@pytest.mark.parametrize("target", DIALECTS)
def test_a_scalar_reading_without_a_state(target: str, tmp_path: Path) -> None:
    """softmax of a single entry is 1, so no signal is left that is used one step back."""
    n, m = sizes("n m")
    h, x = signal("h", n), input_signal("x", m)
    cell = Cell("drift", [(h, softmax(h.prev) + param("W", n, m) @ x)], inputs=[x]).scalar()
    assert not cell.states
    if target == "numpy":
        check_numpy(cell, loss(cell, squared=True), tmp_path)
    compile(export(cell, loss(cell, squared=True), target), target, "exec")


@every_objective
@pytest.mark.parametrize(
    "name",
    [
        "lstm",
        "rnn",
        "linear",
        "scalar rnn",
        "scalar signal",
        "no batch",
        "dead state",
        "cross entropy",
        "squared loss",
        "concatenated",
        "skip",
    ],
)
def test_every_objective(name: str, objective: Callable[[Cell], Objective], tmp_path: Path) -> None:
    check_numpy(CELLS[name], objective(CELLS[name]), tmp_path)


@pytest.mark.parametrize(
    "known", [{"n": i, "m": j, "q": k} for i, j, k in [(1, 1, 1), (1, 3, 2), (5, 1, 2), (4, 5, 3)]]
)
@pytest.mark.parametrize("name", ["lstm", "rnn", "concat", "scalar signal", "outer", "mean"])
def test_every_size(name: str, known: dict[str, int], tmp_path: Path) -> None:
    check_numpy(CELLS[name], loss(CELLS[name], squared=True), tmp_path, **known)


@pytest.mark.parametrize("objective", VALUED.values(), ids=VALUED.keys())
@pytest.mark.parametrize("name", ["lstm", "rnn", "scalar rnn", "cross entropy", "skip"])
def test_the_gradient_is_that_of_the_objective(
    name: str, objective: Callable[[Cell], Objective], tmp_path: Path
) -> None:
    cell = CELLS[name]
    made = objective(cell)
    values = numbers(cell, made)
    module = load(export(cell, made), tmp_path)
    params, *others = values.arguments(cell)
    found = module.gradient(params, *others)["params"]

    # The same code over the numbers that autograd follows.
    module.np = autograd.numpy
    assert_same(found, autograd.grad(lambda p: module.objective(p, *others))(params))


def test_weight_decay_is_added_once(tmp_path: Path) -> None:
    cell = CELLS["rnn"]
    W_x, W_h, *_ = cell.params
    bare = loss(cell, squared=True)
    objective = bare.with_decay(W_x).with_decay(W_h, b_h_of(cell), rho=const(Fraction(1, 3)))
    values = numbers(cell, bare)
    arguments, rho = values.arguments(cell), 0.7
    without = load(export(cell, bare), tmp_path, "without")
    module = load(export(cell, objective), tmp_path)

    found, before = module.gradient(*arguments, rho), without.gradient(*arguments)

    expected = {"W_x": rho, "W_h": 1 / 3, "b_h": 1 / 3}
    added = sum(c / 2 * np.sum(values.params[name] ** 2) for name, c in expected.items())
    for name, value in before["params"].items():
        more = expected.get(name, 0) * values.params[name]
        assert_same({name: found["params"][name]}, {name: value + more})
    difference = module.objective(*arguments, rho) - without.objective(*arguments)
    assert_same({"L": difference}, {"L": added})


def b_h_of(cell: Cell) -> Param:
    return next(p for p in cell.params if p.name == "b_h")


# ---- what is refused, and what is missing --------------------------------------------------


def heads_of_a_table() -> list[str]:
    """Every function of the table; operators are written by their rules."""
    operators = {"add", "neg", "mul", "div", "matmul", "transpose", "diag", "total"}
    return [
        name for name in PRIMITIVES if name not in operators and name.rstrip("'") not in GENERIC
    ]


@every_target
def test_no_function_of_the_table_is_missing(target: str) -> None:
    dialect = DIALECTS[target]
    missing = [h for h in heads_of_a_table() if not (dialect.native(h) or dialect.helper(h))]
    assert missing == []


def test_the_cells_above_use_every_function_of_the_table() -> None:
    used = {
        node.head.name
        for cell in CELLS.values()
        for form in backward(cell, loss(cell)).equations + cell.equations
        for node in walk(form.value)
        if isinstance(node, Apply)
    }
    assert set(heads_of_a_table()) - used == set()


@every_target
def test_a_function_without_code_is_named(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = Primitive("cube", lambda shape: shape, lambda algebra, z: z * z * z, elementwise=True,
                     partials=lambda ans, z: (3 * z * z,))  # fmt: skip
    cell = of_head(lambda z: Apply((head,), (z,), z.shape))

    with pytest.raises(NotSupportedYet, match="'cube' cannot be exported"):
        export(cell, loss(cell), target)


def test_another_node_is_named() -> None:
    cell = of_head(lambda z: index_value(t) * z)

    with pytest.raises(NotSupportedYet, match=r"depends on the time itself \(t\)"):
        export(cell, loss(cell))


def test_an_unknown_target_is_refused() -> None:
    cell = CATALOGUE["rnn"]
    with pytest.raises(UsageError, match=r"'fortran'.*numpy, torch, jax"):
        export(cell, loss(cell), "fortran")


# ---- the comparison itself -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(1 - tanh_c**2)", "(1 - c**2)"),
        ("carry_c = lam_c * f", "carry_c = lam_c * i"),
        ("delta_f.T @ h_prev", "delta_f.T @ h"),
        ('grads["b_o"] += ', 'grads["b_o"] = '),
        ("+ delta_g @ U_g", "+ delta_g @ U_g.T"),
        ("delta_i @ W_i + ", ""),
        ("if t > 0 else initial", "if t > 1 else initial"),
    ],
)
def test_a_wrong_gradient_is_noticed(right: str, wrong: str, tmp_path: Path) -> None:
    cell = CATALOGUE["lstm"]
    objective = loss(cell, squared=True)
    values = numbers(cell, objective)
    text = export(cell, objective)
    assert right in text
    module = load(text.replace(right, wrong), tmp_path)
    found = flat(cell, module.forward(*values.arguments(cell)[:3]),
                 module.gradient(*values.arguments(cell)))  # fmt: skip

    with pytest.raises(AssertionError):
        assert_same(found, reference(cell, objective, values))

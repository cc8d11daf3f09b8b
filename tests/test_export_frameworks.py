"""Exported PyTorch and JAX code: against symgrad, and against the frameworks' own autodiff."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import Objective, loss
from symgrad.cell import Cell
from symgrad.evaluate.export import export
from test_export_cases import (
    CELLS,
    HORIZON,
    OBJECTIVES,
    VALUED,
    assert_same,
    flat,
    load,
    numbers,
    reference,
)
from tools import every, require_module

every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
#: JAX compiles every operation anew for each cell: some of them, and all in PyTorch.
cells_for_jax = pytest.mark.parametrize("cell", every(6, CELLS.values()), ids=every(6, CELLS))
SOME = ["lstm", "rnn", "linear", "scalar lstm", "scalar signal", "no batch"]
some_cells = pytest.mark.parametrize("name", SOME)
some_objectives = pytest.mark.parametrize(
    "objective",
    [make for name, make in OBJECTIVES.items() if name != "squared"],
    ids=[name for name in OBJECTIVES if name != "squared"],
)


@pytest.fixture
def torch() -> Any:
    return require_module("torch")


@pytest.fixture
def jax(monkeypatch: pytest.MonkeyPatch) -> Any:
    # JAX looks for other devices, and says that it found none.
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    found = require_module("jax")
    found.config.update("jax_enable_x64", True)
    return found


def horizon(cell: Cell) -> list[int]:
    return [] if cell.inputs else [HORIZON]


def check(cell: Cell, objective: Objective, target: str, convert: Callable[[Any], Any],
          folder: Path) -> None:  # fmt: skip
    """Forward pass and gradient as symgrad's own evaluation gives them."""
    values = numbers(cell, objective)
    module = load(export(cell, objective, target), folder)
    arguments = values.arguments(cell, convert)
    run = module.forward(*arguments[:3], *horizon(cell))

    assert_same(flat(cell, run, module.gradient(*arguments)), reference(cell, objective, values))


# ---- PyTorch -----------------------------------------------------------------------------


@every_cell
def test_torch_gives_what_symgrad_gives(cell: Cell, torch: Any, tmp_path: Path) -> None:
    check(cell, loss(cell, squared=True), "torch", torch.from_numpy, tmp_path)


@some_cells
@some_objectives
def test_torch_every_objective(
    name: str, objective: Callable[[Cell], Objective], torch: Any, tmp_path: Path
) -> None:
    check(CELLS[name], objective(CELLS[name]), "torch", torch.from_numpy, tmp_path)


@every_cell
def test_torch_forward_pass_goes_through_autograd(cell: Cell, torch: Any, tmp_path: Path) -> None:
    objective = loss(cell, squared=True)
    values = numbers(cell, objective)
    module = load(export(cell, objective, "torch"), tmp_path)
    arguments = values.arguments(cell, lambda a: torch.from_numpy(a).requires_grad_())
    leaves = {
        f"{group} {key}": value
        for group, part in zip(("params", "inputs", "initial"), arguments[:3], strict=True)
        for key, value in part.items()
    }

    module.objective(*arguments).backward()
    gradient = module.gradient(*arguments)

    found = {f"{group} {key}": value.numpy() for group in gradient
             for key, value in gradient[group].items()}  # fmt: skip
    expected = {
        key: np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        for key, leaf in leaves.items()
    }
    assert_same(found, expected)


# ---- JAX -----------------------------------------------------------------------------------


@cells_for_jax
def test_jax_gives_what_symgrad_gives(cell: Cell, jax: Any, tmp_path: Path) -> None:
    check(cell, loss(cell, squared=True), "jax", jax.numpy.asarray, tmp_path)


# 5 has no divisor in common with the numbers of cells and of objectives: each of them is there.
@pytest.mark.parametrize(
    ("name", "kind"), every(5, product(SOME, [kind for kind in OBJECTIVES if kind != "squared"]))
)
def test_jax_every_objective(name: str, kind: str, jax: Any, tmp_path: Path) -> None:
    check(CELLS[name], OBJECTIVES[kind](CELLS[name]), "jax", jax.numpy.asarray, tmp_path)


# So has 7.
@pytest.mark.parametrize(("name", "kind"), every(7, product(SOME, VALUED)))
def test_jax_gradient_is_that_of_its_objective(
    name: str, kind: str, jax: Any, tmp_path: Path
) -> None:
    cell = CELLS[name]
    made = VALUED[kind](cell)
    values = numbers(cell, made)
    module = load(export(cell, made, "jax"), tmp_path)
    arguments = values.arguments(cell, jax.numpy.asarray)

    # T is no number to differentiate by, and the length of a scan is known when it is traced.
    static = (len(arguments) - 1,) if not cell.inputs else ()
    run = jax.jit(module.gradient, static_argnums=static)
    expected = jax.grad(module.objective, argnums=(0, 1, 2))(*arguments)

    found = run(*arguments)
    for group, part in zip(("params", "inputs", "initial"), expected, strict=True):
        assert_same(found[group], part)


def test_jax_vmap(jax: Any, tmp_path: Path) -> None:
    cell = CELLS["lstm"]
    objective = loss(cell, squared=True)
    module = load(export(cell, objective, "jax"), tmp_path)
    runs = [numbers(cell, objective, seed).arguments(cell) for seed in range(3)]
    stacked = jax.tree_util.tree_map(lambda *a: jax.numpy.stack(a), *runs)

    found = jax.jit(jax.vmap(module.gradient))(*stacked)

    for i, arguments in enumerate(runs):
        expected = module.gradient(*arguments)
        for group, part in expected.items():
            assert_same({key: value[i] for key, value in found[group].items()}, part)

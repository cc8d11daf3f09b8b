"""The text of exported modules: short lines, stable bytes, and names that are never code."""

from __future__ import annotations

import argparse
import ast
import builtins
import importlib.util
import keyword
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import final, loss, summed
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cell.losses import with_loss, with_readout
from symgrad.cells import CATALOGUE
from symgrad.cli.export import TARGETS as COMMAND_TARGETS
from symgrad.cli.export import add_export, export_command
from symgrad.errors import UsageError
from symgrad.evaluate.export import TARGETS, export
from symgrad.lang.nodes import (
    Node,
)
from symgrad.ops import (
    activation,
    relu,
    sigma,
    tanh,
)
from test_export_cases import (
    CELLS,
    U,
    W,
    assert_same,
    check_numpy,
    flat,
    h,
    load,
    n,
    numbers,
    reference,
    x,
)

# ---- the text ------------------------------------------------------------------------------


def texts() -> Iterator[tuple[str, str]]:
    for name, cell in CELLS.items():
        for target in TARGETS:
            yield f"{name} {target}", export(cell, loss(cell, squared=True), target)
        yield f"{name} final", export(cell, final(cell), "jax")


@pytest.fixture(scope="module")
def every_text() -> dict[str, str]:
    return dict(texts())


def test_lines_are_short_and_end_where_they_end(every_text: dict[str, str]) -> None:
    for name, text in every_text.items():
        assert max(map(len, text.splitlines())) <= 100, name
        assert not any(line != line.rstrip() for line in text.splitlines()), name
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        # Signs and slices as people write them, outside the docstring and comments.
        code = re.sub(r"(?m)^ *#.*$", "", text.partition('\n"""\n')[2])
        assert not re.search(r"[+-] -\d|\[0:|, 0:", code), name


def test_the_same_twice(every_text: dict[str, str]) -> None:
    assert dict(texts()) == every_text


def test_nothing_but_the_target_is_imported(every_text: dict[str, str]) -> None:
    allowed = {"numpy": {"numpy"}, "torch": {"torch"}, "jax": {"jax", "jax.numpy"}}
    for name, text in every_text.items():
        target = next((t for t in TARGETS if name.endswith(t)), "jax")
        found = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
        assert found <= allowed[target], name
        assert "symgrad" not in text, name


def test_every_text_is_clean_for_ruff(every_text: dict[str, str], tmp_path: Path) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    for name, text in every_text.items():
        (tmp_path / f"m_{re.sub('[^a-z0-9]', '_', name)}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config",
               str(Path(__file__).parent.parent / "pyproject.toml"), str(tmp_path)]  # fmt: skip

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_adjoints_are_named_as_in_the_formulas() -> None:
    text = export(CATALOGUE["lstm"], loss(CATALOGUE["lstm"], squared=True))

    for line in (
        "lam_h = h - target_h_t + carry_h",
        "lam_c = lam_h * o * (1 - tanh_c**2) + carry_c",
        "delta_g = lam_c * i * (1 - g**2)",
        'grads["U_f"] += delta_f.T @ h_prev',
        "# delta_g_t = lam_c_t * i_t * (1 - g_t^2)",
    ):
        assert f"        {line}\n" in text


# ---- names are data ------------------------------------------------------------------------

WORDS = (
    "lambda class None print np torch lax params values step sigma batch last carry grads before"
)
HOSTILE = [*WORDS.split(), "relu", "match", "given", "one_step"]


def hostile_cells() -> Iterator[tuple[str, Cell]]:
    size_n, size_m = sizes("size batch_1")
    for name in HOSTILE:
        state, gate = signal("h", size_n), signal("f", size_n)
        given = input_signal("x", size_m)
        own = param(name, size_n, size_n)
        yield f"parameter {name}", Cell(
            "mine", [(state, sigma(own @ state.prev + param("U", size_n, size_m) @ given))],
            inputs=[given],
        )  # fmt: skip
        state = signal(name, size_n)
        yield (
            f"state {name}",
            Cell(
                "mine",
                [(gate, relu(W_of(size_n) @ state.prev, 0)), (state, gate * tanh(state.prev))],
            ),
        )
        given = input_signal(name, size_n)
        state = signal("h", size_n)
        yield f"input {name}", Cell("mine", [(state, tanh(state.prev) * given)], inputs=[given])


def W_of(size: Any) -> Node:
    return param("W", size, size)


@pytest.mark.parametrize(("cell"), [cell for _, cell in hostile_cells()],
                         ids=[name for name, _ in hostile_cells()])  # fmt: skip
def test_names_never_become_code(cell: Cell, tmp_path: Path) -> None:
    check_numpy(cell, loss(cell, squared=True), tmp_path, size=3, batch_1=2)
    for target in TARGETS:
        tree = ast.parse(export(cell, loss(cell, squared=True), target))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assert not keyword.iskeyword(node.id)
                # An interactive session leaves its last value in builtins as "_".
                assert node.id not in set(dir(builtins)) - {"_"}


def test_names_of_ours_and_of_the_user_stay_apart(tmp_path: Path) -> None:
    state, other, given = signal("h", n), signal("h_prev", n), input_signal("h_next", n)
    cell = Cell(
        "near",
        [
            (state, tanh(param("x_T_h", n, n) @ state.prev + given)),
            (other, state * other.prev + param("carry_h", n) * sigma(state)),
        ],
        inputs=[given],
        output=other,
    )
    check_numpy(cell, loss(cell, squared=True), tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        '"""\nimport os\n"""',
        "a \\ b",
        "ends in a backslash \\",
        'a "quote"',
        "\r\n\x0c# x",
        # Wrapped within a word, in both places of a pair of backslashes.
        "x" * 93 + "\\" * 31 + "N{x}",
        "x" * 92 + "\\" * 31 + "N{x}",
    ],
)
def test_prose_cannot_leave_the_docstring(words: str) -> None:
    plain_cell = Cell("rnn", [(h, tanh(W @ h.prev))])
    cell = Cell("rnn", [(h, tanh(W @ h.prev))], title=words, variant=words, source=words)
    for target in TARGETS:
        tree, expected = (ast.parse(export(c, loss(c), target)) for c in (cell, plain_cell))
        assert [ast.dump(node) for node in tree.body[1:]] == [
            ast.dump(node) for node in expected.body[1:]
        ]


def test_generic_activations_are_to_be_filled_in(tmp_path: Path) -> None:
    phi = activation("phi")
    cell = Cell("generic", [(h, phi(W @ h.prev + U @ x))], inputs=[x])
    plain_cell = Cell("generic", [(h, tanh(W @ h.prev + U @ x))], inputs=[x])
    objective = loss(cell, squared=True)
    values = numbers(cell, objective)
    module = load(export(cell, objective), tmp_path)

    with pytest.raises(NotImplementedError, match="write the function phi "):
        module.gradient(*values.arguments(cell))

    module.phi, module.phi_prime = np.tanh, lambda z: 1 - np.tanh(z) ** 2
    found = flat(cell, module.forward(*values.arguments(cell)[:3]),
                 module.gradient(*values.arguments(cell)))  # fmt: skip
    assert_same(found, reference(plain_cell, loss(plain_cell, squared=True), values))


# ---- the command ---------------------------------------------------------------------------


def with_entropy(cell: Cell) -> Cell:
    return with_loss(with_readout(cell), "cross_entropy")


def run_command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_export(parser.add_subparsers(dest="command"))
    return export_command(parser.parse_args(["export", *arguments]))


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["--target", "numpy"], lambda cell: export(cell, loss(cell, squared=True))),
        (
            ["--target", "jax", "--loss", "generic", "--objective", "final", "--of", "c"],
            lambda cell: export(cell, loss(cell, "c", last_only=True), "jax"),
        ),
        (
            ["--target", "torch", "--loss", "linear", "--scalar"],
            lambda cell: export(cell.scalar(), summed(cell.scalar()), "torch"),
        ),
        (
            ["--target", "torch", "--loss", "linear", "--objective", "final"],
            lambda cell: export(cell, final(cell), "torch"),
        ),
        (
            ["--target", "jax", "--readout", "--loss", "cross_entropy", "--mean"],
            lambda cell: export(with_entropy(cell), summed(with_entropy(cell)).over_mean(), "jax"),
        ),
        (
            ["--target", "numpy", "--loss", "squared", "--mean"],
            lambda cell: export(cell, loss(cell, squared=True, mean=True)),
        ),
    ],
)
def test_the_command_prints_the_module(
    arguments: list[str], made: Callable[[Cell], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("lstm", *arguments) == 0

    printed = capsys.readouterr()
    assert printed.out == made(CATALOGUE["lstm"])
    assert printed.err == ""


def test_the_command_knows_the_targets() -> None:
    assert COMMAND_TARGETS == TARGETS


def test_the_command_names_an_unknown_signal() -> None:
    with pytest.raises(UsageError, match="computes no signal 'z'"):
        run_command("lstm", "--target", "numpy", "--of", "z")

"""Cells that use everything, numbers for them, and what symgrad itself makes of both.

No tests of its own: ``test_export``, ``test_export_text`` and ``test_export_frameworks`` use it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symgrad.adjoint import Objective, backward, final, loss, summed
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cell.losses import with_loss, with_readout
from symgrad.cells import CATALOGUE
from symgrad.evaluate.export import TARGETS, export
from symgrad.lang.affine import as_affine, symbol
from symgrad.lang.algebra import Floats
from symgrad.lang.nodes import (
    Node,
    Param,
    const,
    index_value,
    part,
)
from symgrad.lang.program import Inputs, Runner
from symgrad.ops import (
    absolute,
    concat,
    diag,
    dot,
    exp,
    log,
    logsumexp,
    maximum,
    mean,
    minimum,
    norm,
    outer,
    relu,
    rows,
    sigma,
    sign,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
    total,
    variance,
)

TOLERANCE = 1e-10
SIZES = {"n": 3, "m": 2, "q": 4, "p": 2}
HORIZON, BATCH = 4, 5

# ---- cells -----------------------------------------------------------------------------

n, m, q = sizes("n m q")
h, c, x = signal("h", n), signal("c", n), input_signal("x", m)
W, U, R = param("W", n, n), param("U", n, m), param("R", n, n)
b, e, alpha = param("b", n), param("e", n), param("alpha")
a, g, y = signal("a"), signal("g", n), signal("y", q)
r, k_1 = signal("r"), input_signal("k_1")
J, G, Q = param("J", n, n + m), param("G", n + m, n), param("Q", q, n)

affine = W @ h.prev + U @ x + b


def of_head(function: Callable[[Node], Node]) -> Cell:
    """A cell that passes everything through one function, on the way to the state."""
    return Cell("one_head", [(h, R @ function(affine) + tanh(affine))], inputs=[x])


def columns(matrix: Node, start: object, count: object) -> Node:
    """Columns of a matrix, as stacked weights are used."""
    return part(matrix, (as_affine(0), as_affine(start)), (matrix.shape[0], as_affine(count)))


def positive(z: Node) -> Node:
    """Something positive, differentiable in z."""
    return z * z + const(Fraction(1, 2))


HEADS: dict[str, Callable[[Node], Node]] = {
    "sigma": sigma,
    "tanh": tanh,
    "exp": lambda z: exp(tanh(z)),
    "log": lambda z: log(positive(z)),
    "sqrt": lambda z: sqrt(positive(z)),
    "softplus": softplus,
    **{f"relu at {k}": lambda z, k=k: relu(z, k) for k in (None, 0, Fraction(1, 2), 1)},
    **{f"step at {k}": lambda z, k=k: z * step(z, k) for k in (None, 0, Fraction(1, 2), 1)},
    **{f"max at {k}": lambda z, k=k: maximum(z, e, k) for k in (None, 0, Fraction(1, 2), 1)},
    "max with a number": lambda z: maximum(z, 0, 0),
    "min": lambda z: minimum(z, e),
    **{f"abs at {k}": lambda z, k=k: absolute(z, k) for k in (None, 0)},
    **{f"sign at {k}": lambda z, k=k: z * sign(z, k) for k in (None, 0)},
    "softmax": softmax,
    "logsumexp": lambda z: logsumexp(z) * e,
    "div": lambda z: e / positive(z),
    "quotient in a product": lambda z: z * (e / positive(z)) * e,
    "power": lambda z: tanh(z) ** 3 + positive(z) ** -2,
    "total": lambda z: total(tanh(z)) * e,
    "variance": lambda z: variance(tanh(z)) * e,
    "mean": lambda z: mean(tanh(z)) * e,
    "norm": lambda z: z / norm(z),
    "dot": lambda z: dot(e, tanh(z)) * b,
    "square of a sum": lambda z: dot(tanh(z), tanh(z)) * b,
    "outer": lambda z: outer(tanh(z), sigma(z)) @ e,
    "outer from the left": lambda z: outer(tanh(z), sigma(z)).T @ e,
    "scaled outer": lambda z: (total(z) * outer(tanh(z), e)) @ e,
    "row times an outer product": lambda z: (e.T @ outer(tanh(z), sigma(z))).T,
    "matrix of signals": lambda z: (outer(tanh(z), sigma(z)) @ R) @ tanh(z),
    "sum of matrices": lambda z: (outer(tanh(z), e) + R) @ tanh(z),
    "diag": lambda z: diag(sigma(z)) @ R @ tanh(z),
    "diag right": lambda z: (R @ diag(sigma(z))) @ tanh(z),
    "a square of a diagonal": lambda z: (diag(sigma(z)) + R) @ tanh(z),
    "transpose": lambda z: R.T @ tanh(z),
    "matrix product": lambda z: (R @ W) @ tanh(z),
    "concat": lambda z: J @ concat(h.prev, x) + J @ concat(tanh(z), x),
    "concat with a parameter": lambda z: J @ concat(e, x) * tanh(z),
    "rows": lambda z: U @ rows(concat(tanh(z), x), n, m),
    "rows of a state": lambda z: total(rows(z, 0, 1)) * e,
    "rows from the second on": lambda z: total(rows(tanh(z), 1, 2)) * e,
    "rows of a matrix": lambda z: rows(G, 0, n) @ z + U @ (rows(G, n, m) @ tanh(z)),
    "columns of a matrix": lambda z: columns(J, 0, n) @ z + columns(J, n, m) @ x,
    "transposed quotient": lambda z: (outer(tanh(z), e) / positive(alpha)).T @ z,
    "product of a product": lambda z: e * (R @ tanh(z)) * alpha,
    "scaled rows of a matrix": lambda z: (diag(sigma(z)) @ R + R) @ tanh(z),
    "negations": lambda z: -(e - z) - (-tanh(z)) * alpha,
    "scalar parameter": lambda z: alpha * z + (1 - alpha) * e,
    "scalar times matrix": lambda z: (alpha * R) @ tanh(z),
    "scalar per sample times matrix": lambda z: (total(z) * R) @ tanh(z),
    "third": lambda z: Fraction(1, 3) * z - Fraction(7, 2),
    "size": lambda z: z / index_value(symbol("n")),
    "the same twice": lambda z: sigma(R @ z) * softmax(R @ z),
}

CELLS: dict[str, Cell] = {
    **CATALOGUE,
    **{f"scalar {name}": cell.scalar() for name, cell in CATALOGUE.items()},
    **{name: of_head(function) for name, function in HEADS.items()},
    "scalar signal": Cell(
        "scalar_signal",
        [(a, sigma(dot(e, h.prev) + alpha * a.prev)), (h, a * tanh(affine) + (1 - a) * h.prev)],
        inputs=[x],
    ),
    "no batch": Cell("no_batch", [(g, tanh(b)), (h, g * h.prev + alpha)]),
    "an output": Cell("an_output", [(h, tanh(affine)), (y, tanh(Q @ h))], inputs=[x]),
    "cross entropy": with_loss(with_readout(CATALOGUE["lstm"]), "cross_entropy"),
    "squared loss": with_loss(CATALOGUE["rnn"]),
    "concatenated": CATALOGUE["lstm"].concatenated(),
    "skip": Cell("skip", [(a, tanh(alpha * a.prev)), (r, a + k_1)], inputs=[k_1], output=r),
    "dead state": Cell("dead", [(h, tanh(affine)), (c, c.prev + h)], inputs=[x], output=h),
}
OBJECTIVES: dict[str, Callable[[Cell], Objective]] = {
    "squared": lambda cell: loss(cell, squared=True),
    "squared last": lambda cell: loss(cell, squared=True, last_only=True),
    "loss": loss,
    "loss last": lambda cell: loss(cell, last_only=True),
    "final": final,
    "summed": summed,
    "mean squared": lambda cell: loss(cell, squared=True, mean=True),
    "mean loss": lambda cell: loss(cell, mean=True),
}

#: Those whose L has a value: a loss may be given by its gradient alone.
VALUED = {name: make for name, make in OBJECTIVES.items() if "loss" not in name}


# ---- numbers and references --------------------------------------------------------------


@dataclass(frozen=True)
class Numbers:
    """Values for one run, in the layout of exported code."""

    params: dict[str, Any]
    inputs: dict[str, Any]
    initial: dict[str, Any]
    given: Any

    def arguments(self, cell: Cell, convert: Callable[[Any], Any] = lambda a: a) -> list[Any]:
        groups = [
            {key: convert(value) for key, value in group.items()}
            for group in (self.params, self.inputs, self.initial)
        ]
        more = [] if self.given is None else [convert(self.given)]
        return [*groups, *more, *([] if cell.inputs else [HORIZON])]


def shape_of(node: Node, known: dict[str, int], *outer: int, scalar: bool) -> tuple[int, ...]:
    rows_, columns = (form.value(known) for form in node.shape)
    if scalar:
        return outer
    own = (rows_, columns) if node.shape[1] != const(1).shape[1] else (rows_,)
    return (*outer, *own) if outer or node.shape != const(1).shape else ()


def numbers(cell: Cell, objective: Objective, seed: int = 0, **known: int) -> Numbers:
    rng = np.random.default_rng(seed)
    known = {**SIZES, **known}
    scalar = cell.is_scalar

    def draw(node: Node, *outer: int) -> Any:
        return np.asarray(rng.normal(size=shape_of(node, known, *outer, scalar=scalar)) * 0.8)

    of = objective.signal
    given = None
    if objective.kind != "linear":
        given = draw(of, HORIZON, BATCH) if objective.when == "sum" else draw(of, BATCH)
    elif isinstance(objective.cotangent, Param):
        given = draw(objective.cotangent)
    return Numbers(
        {p.name: draw(p) for p in cell.params},
        {s.name: draw(s, HORIZON, BATCH) for s in cell.inputs},
        {s.name: draw(s, BATCH) for s in cell.states},
        given,
    )


def reference(cell: Cell, objective: Objective, values: Numbers, **known: int) -> dict[str, Any]:
    """Signals and gradients from symgrad's own evaluation, sample by sample."""
    gradient = backward(cell, objective)
    program = gradient.with_signal_adjoints(*[s.name for s in cell.inputs])
    runner = Runner(program, Floats())
    column = (lambda value: value) if cell.is_scalar else (lambda value: value[:, None])
    params = {
        p.name: values.params[p.name].reshape([f.value({**SIZES, **known}) for f in p.shape])
        for p in cell.params
    }
    if cell.is_scalar:
        params = {key: float(value) for key, value in values.params.items()}
    if objective.kind == "linear" and values.given is not None:
        assert isinstance(objective.cotangent, Param)
        params[objective.cotangent.name] = column(values.given)
    found: dict[str, Any] = {f"value {s.name}": [] for s in cell.signals}
    sums: dict[str, Any] = {}
    for sample in range(BATCH):

        def given(label: str, time: int, sample: int = sample) -> Any:
            if label in values.inputs and time > HORIZON:
                # Only as a factor of what is zero there.
                return column(np.zeros_like(values.inputs[label][0, sample]))
            if label in values.inputs:
                return column(values.inputs[label][time - 1, sample])
            if objective.when == "final":
                return (
                    column(values.given[sample])
                    if time == HORIZON
                    else column(np.full_like(values.given[sample], np.nan))
                )
            return column(values.given[time - 1, sample])

        initial = {key: column(value[sample]) for key, value in values.initial.items()}
        trace = runner.run(Inputs(params, initial, given, {**SIZES, **known}), HORIZON)
        for s in cell.signals:
            series = [np.ravel(trace.signal(s.name, i + 1)) for i in range(HORIZON)]
            found[f"value {s.name}"].append(series)
        for name, value in trace.totals.items():
            sums[f"params {name}"] = sums.get(f"params {name}", 0) + np.asarray(value)
        for s in cell.inputs:
            series = [np.ravel(trace.signal(f"lam_{s.name}", i + 1)) for i in range(HORIZON)]
            found.setdefault(f"inputs {s.name}", []).append(series)
        for s in cell.states:
            found.setdefault(f"initial {s.name}", []).append(
                np.ravel(trace.signal(f"lam_{s.name}", 0))
            )
    return {**{key: np.array(value) for key, value in found.items()}, **sums}


def flat(cell: Cell, run: dict[str, Any], gradient: dict[str, Any]) -> dict[str, Any]:
    """What exported code returned, in the layout of ``reference``."""

    def by_sample(value: Any) -> Any:
        array = np.asarray(value)
        array = array[..., None] if cell.is_scalar else array
        return np.swapaxes(array, 0, 1)

    found = {f"value {key}": by_sample(value) for key, value in run.items()}
    found |= {f"params {key}": np.asarray(value) for key, value in gradient["params"].items()}
    found |= {f"inputs {key}": by_sample(value) for key, value in gradient["inputs"].items()}
    for key, value in gradient["initial"].items():
        array = np.asarray(value)
        found[f"initial {key}"] = array[..., None] if cell.is_scalar else array
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Relative to the largest entry of each array; what is 0 must be 0."""
    assert set(found) == set(expected)
    for key, value in expected.items():
        left, right = np.asarray(found[key]), np.asarray(value)
        if key.startswith("params "):
            left, right = left.ravel(), right.ravel()
        assert left.shape == right.shape, key
        scale = np.abs(right).max()
        assert np.abs(left - right).max() <= TOLERANCE * scale, key


def load(text: str, folder: Path, name: str = "exported") -> ModuleType:
    """The text as a module, imported from a file as a user would."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
every_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
every_target = pytest.mark.parametrize("target", TARGETS)


def check_numpy(cell: Cell, objective: Objective, folder: Path, **known: int) -> None:
    values = numbers(cell, objective, **known)
    module = load(export(cell, objective), folder)
    arguments = values.arguments(cell)
    with np.errstate(all="ignore"):
        run = module.forward(*values.arguments(cell)[:3], *([] if cell.inputs else [HORIZON]))
        gradient = module.gradient(*arguments)

        assert_same(flat(cell, run, gradient), reference(cell, objective, values, **known))

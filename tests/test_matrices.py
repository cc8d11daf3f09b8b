"""Matrix formulas for all sizes: against NumPy at many sizes, and with formulas wrong by little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import symgrad as sg
from symgrad.adjoint import Gradient, backward, final, loss, summed
from symgrad.cell import Cell
from symgrad.derivation.claiming import adjoint_proof
from symgrad.derivation.entries import proved_entries
from symgrad.derivation.evidence import Evidence
from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import Node, block, param, part, transform
from symgrad.lang.tape import Environment, Tape
from symgrad.ops import diag, dot, mean, outer, softmax, tanh, total, variance
from symgrad.verify.atoms import same_for_all_sizes
from symgrad.verify.matrices import MatrixFunctions, matrix_atom
from symgrad.verify.onestep import AdjointProof, prove_adjoint
from symgrad.verify.tensors import Tensor

n, m = sg.sizes("n m")
W, U, V = param("W", (n, m)), param("U", (n, n)), param("V", (n, n))
a, b, c = (param(name, (n, as_affine(1))) for name in "abc")
x, s = param("x", (m, as_affine(1))), param("s")
KNOWN = {p.name: p for p in (W, U, V, a, b, c, x, s)}


class Remembering(MatrixFunctions):
    """Knows the arguments of its calls, so that numbers can be put in."""

    def __init__(self) -> None:
        super().__init__(["tanh", "sigma", "exp", "sqrt", "log"])
        self.arguments: dict[str, Tensor] = {}

    def call(self, name: str, argument: Tensor) -> Tensor:
        self.arguments[repr(argument)] = argument
        return super().call(name, argument)

    def put_in(self, value: Tensor, numbers: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
        """The entries of a tensor as numbers, by their definition as sums of products."""
        shape = tuple(side.value(sizes) for side in value.shape)
        result = np.zeros(shape)
        for term, factor in value.terms.items():
            ranges = [range(size.value(sizes)) for size in term.sizes]
            for place in np.ndindex(*[len(r) for r in ranges]):
                product = float(factor)
                for (name, indices), e in term.entries:
                    at = tuple(place[i] for i in indices)
                    product *= self._entry(name, at, numbers, sizes) ** e
                row = 0 if term.row is None else place[term.row]
                column = 0 if term.column is None else place[term.column]
                result[row, column] += product
        return result

    def _entry(self, name: Any, at: Any, numbers: Any, sizes: Any) -> float:
        if name.kind == "size":
            return float(sizes[name.data[0]])
        if name.kind == "unit":
            start, count, _ = (form.value(sizes) for form in name.data)
            inside = at[1] if len(at) > 1 else 0
            assert count > inside
            return float(at[0] == start + inside)
        if name.kind == "call":
            inner = self.put_in(self.arguments[name.data[1]], numbers, sizes)
            function: Any = {"sigma": lambda z: 1 / (1 + np.exp(-z))}.get(name.data[0])
            values = (function or getattr(np, name.data[0]))(inner)
        elif name.kind == "sum":
            values = self.put_in(self._sums[name], numbers, sizes)
        else:
            values = numbers[name.data[0]]
        # An axis of one entry has no index.
        values = np.asarray(values)
        at = list(at)
        full = [0 if side == 1 and len(at) < 2 else at.pop(0) for side in values.shape]
        return float(values[tuple(full)])


def evaluated(formula: Node, base: MatrixFunctions) -> Tensor:
    params = {name: matrix_atom("var", name, p.shape) for name, p in KNOWN.items()}
    themselves: Any = {"n": symbol("n"), "m": symbol("m")}
    found: Tensor = Tape([formula], base).run(Environment(params, _none, {}, themselves))[0]
    return found


def _none(label: str, time: int) -> Any:
    raise KeyError(label)


FORMULAS: dict[str, tuple[Node, Callable[[Mapping[str, Any]], Any]]] = {
    "product": (U @ (W @ x), lambda v: v["U"] @ v["W"] @ v["x"]),
    "transpose": (W.T @ (U.T @ a), lambda v: v["W"].T @ v["U"].T @ v["a"]),
    "elementwise": (a * (U @ b) * c, lambda v: v["a"] * (v["U"] @ v["b"]) * v["c"]),
    "matrices": (U * V.T + U, lambda v: v["U"] * v["V"].T + v["U"]),
    "diagonal": (
        diag(a) @ U @ diag(b),
        lambda v: np.diagflat(v["a"]) @ v["U"] @ np.diagflat(v["b"]),
    ),
    "diagonal of a diagonal": (
        (U @ diag(a)) * diag(b),
        lambda v: (v["U"] @ np.diagflat(v["a"])) * np.diagflat(v["b"]),
    ),
    "outer": (outer(a, x) * W, lambda v: (v["a"] @ v["x"].T) * v["W"]),
    "dot": (dot(a, b) * (U @ c), lambda v: (v["a"].T @ v["b"]) * (v["U"] @ v["c"])),
    "total": (total(U * V) * a + s, lambda v: (v["U"] * v["V"]).sum() * v["a"] + v["s"]),
    "power": (
        U**3 @ a + a**2 / b,
        lambda v: v["U"] @ v["U"] @ v["U"] @ v["a"] + v["a"] ** 2 / v["b"],
    ),
    "mean": (mean(a * b) * a, lambda v: (v["a"] * v["b"]).mean() * v["a"]),
    "variance": (variance(a) * b, lambda v: v["a"].var() * v["b"]),
    "call": (tanh(U @ a + s) * b, lambda v: np.tanh(v["U"] @ v["a"] + v["s"]) * v["b"]),
    "softmax": (softmax(a) * b, lambda v: np.exp(v["a"]) / np.exp(v["a"]).sum() * v["b"]),
    "division": (a / (b * b + 1), lambda v: v["a"] / (v["b"] ** 2 + 1)),
    "division by a number": (a / (total(b * b) + 1), lambda v: v["a"] / ((v["b"] ** 2).sum() + 1)),
    "blocks": (
        block(((U, W), (V, W))) @ block(((a,), (x,))),
        lambda v: np.block([[v["U"], v["W"]], [v["V"], v["W"]]]) @ np.vstack([v["a"], v["x"]]),
    ),
    "elementwise blocks": (
        block(((a,), (x,))) * block(((b,), (W.T @ c,))),
        lambda v: np.vstack([v["a"] * v["b"], v["x"] * (v["W"].T @ v["c"])]),
    ),
    "part": (
        part(block(((U, W),)), (as_affine(0), n), (n, m)) @ x,
        lambda v: v["W"] @ v["x"],
    ),
    "sum of blocks": (total(block(((a, b, c),))), lambda v: (v["a"] + v["b"] + v["c"]).sum()),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("sizes", [(1, 1), (1, 3), (2, 3), (4, 2)])
def test_a_tensor_has_the_values_of_its_formula(name: str, sizes: tuple[int, int]) -> None:
    formula, wanted = FORMULAS[name]
    numbers_of = {"n": sizes[0], "m": sizes[1]}
    random = np.random.default_rng(3)
    values = {
        key: random.uniform(0.5, 2.0, size=[side.value(numbers_of) for side in p.shape])
        for key, p in KNOWN.items()
    }
    base = Remembering()
    found = base.put_in(evaluated(formula, base), values, numbers_of)
    np.testing.assert_allclose(found, np.broadcast_to(wanted(values), found.shape), rtol=1e-12)


SAME = [
    (U @ (a * b), (U @ diag(a)) @ b),
    (diag(a) @ b, a * b),
    (diag(a) @ diag(b), diag(a * b)),
    ((U @ V).T, V.T @ U.T),
    (a @ (b.T @ c), dot(b, c) * a),
    ((a @ b.T) * U, diag(a) @ U @ diag(b)),
    (total(a * (U @ b)), total(b * (U.T @ a))),
    (total((a @ b.T) * U), dot(a, U @ b)),
    ((U + V) @ (a - b), U @ a - U @ b + V @ a - V @ b),
    (tanh(U @ (a + b)), tanh(U @ b + U @ a)),
    (softmax(a) * total(softmax(b)), softmax(a)),
    (mean(a) * total(b), total(a) * mean(b)),
    (block(((U, W),)) @ block(((a,), (x,))), U @ a + W @ x),
    (block(((U, W),)).T @ a, block(((U.T @ a,), (W.T @ a,)))),
    (a / (total(b) + 1) + a * total(b) / (total(b) + 1), a),
    (U**2 @ a, U @ (U @ a)),
    (dot(a, b) * dot(a, c) * (U @ a), (U @ a) * dot(c, a) * dot(b, a)),
]

DIFFERENT = [
    (U @ a, U.T @ a),
    (U @ V, V @ U),
    (diag(a) @ U, U @ diag(a)),
    (a * (U @ b), U @ (a * b)),
    (total(a * b), total(a) * total(b)),
    (dot(a, U @ b), dot(b, U @ a)),
    (outer(a, b), outer(b, a)),
    (tanh(U @ a), tanh(U.T @ a)),
    (U * V, U @ V),
    (mean(a), total(a)),
    (block(((U, V),)) @ block(((a,), (b,))), U @ b + V @ a),
    (U @ a, U @ a + Fraction(1, 10**9) * a),
    (diag(a) + U, U + a @ a.T),
    (total(U @ a), total(U.T @ a)),
]


@pytest.mark.parametrize("pair", range(len(SAME)))
def test_equal_formulas_are_recognised(pair: int) -> None:
    assert same_for_all_sizes(*SAME[pair])


@pytest.mark.parametrize("pair", range(len(DIFFERENT)))
def test_different_formulas_are_not_taken_for_equal(pair: int) -> None:
    # Some of them agree where n = 1.
    assert not same_for_all_sizes(*DIFFERENT[pair])


def softmax_readout() -> Cell:
    h, y = sg.signal("h", n), sg.signal("y", n)
    return Cell("attentive", [(h, tanh(U @ h.prev + W @ IN)), (y, softmax(V @ h) * h)], inputs=[IN])


def normalised() -> Cell:
    h, g = sg.signal("h", n), param("g", (n, as_affine(1)))
    z = U @ h.prev + W @ IN
    scale = sg.sqrt(variance(z) + Fraction(1, 100))
    return Cell("normalised", [(h, tanh(g * (z - mean(z)) / scale))], inputs=[IN])


IN = sg.input_signal("x", m)
CELLS = {
    **{name: sg.CATALOGUE[name] for name in ("linear", "linear-input", "rnn", "lstm")},
    "concatenated": sg.CATALOGUE["lstm"].concatenated(),
    "attentive": softmax_readout(),
    "normalised": normalised(),
    "cross entropy": sg.with_loss(sg.CATALOGUE["rnn"], "cross_entropy"),
}
OBJECTIVES: list[Callable[[Cell], Any]] = [final, summed, loss]


def proof_of(cell: Cell, gradient: Gradient) -> AdjointProof:
    return adjoint_proof(cell, gradient, proved_entries(cell))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_backward_passes_are_proved_for_all_sizes(name: str, objective: Any) -> None:
    cell = CELLS[name]
    gradient = backward(cell, objective(cell))
    verdict = prove_adjoint(proof_of(cell, gradient), "all T")
    assert verdict.status == "proved", verdict


@pytest.mark.parametrize("name", ["rnn", "lstm", "concatenated", "normalised"])
def test_a_backward_pass_that_is_wrong_by_little_is_not_proved(name: str) -> None:
    cell = CELLS[name]
    gradient = backward(cell, loss(cell))
    right = proof_of(cell, gradient)
    assert right.replay()
    tiny = 1 + Fraction(1, 10**9)
    for theta, term in right.terms.items():
        assert not replace(right, terms={**right.terms, theta: tiny * term}).replay()
        if term.shape[0] == term.shape[1]:
            assert not replace(right, terms={**right.terms, theta: term.T}).replay()
    for state, value in right.back.items():
        assert not replace(right, back={**right.back, state: tiny * value}).replay()
    for place, (target, value) in enumerate(right.equations):
        wrong = (*right.equations[:place], (target, tiny * value), *right.equations[place + 1 :])
        assert not replace(right, equations=wrong).replay()


def test_what_is_right_for_one_unit_only_is_not_proved() -> None:
    cell = sg.CATALOGUE["rnn"]
    gradient = backward(cell, loss(cell))
    right = proof_of(cell, gradient)
    (weights,) = (p for p in cell.params if p.name == "W_h")
    swapped = {state: _with(value, weights.T, weights) for state, value in right.back.items()}
    assert swapped != right.back
    assert not replace(right, back=swapped).replay()
    scalar = cell.scalar()
    assert proof_of(scalar, backward(scalar, loss(scalar))).replay()


def _with(node: Node, old: Node, new: Node) -> Node:
    return transform(node, lambda item: new if item is old else item)


@pytest.mark.parametrize(
    ("cell", "of", "wrt"),
    [
        ("rnn", "h_t", "h_{t-1}"),
        ("rnn", "y_t", "x_t"),
        ("lstm", "h_t", "c_{t-1}"),
        ("lstm", "h_t", "h_{t-2}"),
        ("attentive", "y_t", "h_{t-1}"),
        ("normalised", "h_t", "h_{t-1}"),
    ],
)
def test_jacobians_are_proved_for_all_sizes(cell: str, of: str, wrt: str) -> None:
    form = sg.expanded_form(CELLS[cell], of, wrt)
    verdict = Evidence(CELLS[cell]).form(form)
    assert verdict.status == "proved", verdict
    assert "all sizes" in verdict.scope


def test_a_jacobian_that_is_transposed_is_refuted() -> None:
    cell = sg.CATALOGUE["rnn"]
    form = sg.expanded_form(cell, "h_t", "h_{t-1}")
    wrong = replace(form, right=form.right.T)
    assert Evidence(cell).form(wrong).status == "refuted"


def test_parts_of_a_whole_that_may_overlap_are_kept_apart() -> None:
    base = MatrixFunctions()
    value = evaluated(block(((a,), (x,))), base)
    one = base.part(value, (0, 0), (n, as_affine(1)))  # type: ignore[arg-type]
    assert base.equal(one, evaluated(a, base))
    # Rows 1 to n of [a; x] are neither a nor x.
    other = base.part(value, (1, 0), (n, as_affine(1)))  # type: ignore[arg-type]
    assert not base.equal(other, evaluated(a, base))
    assert isinstance(other.shape[0], Affine)

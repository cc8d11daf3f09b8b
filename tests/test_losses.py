"""Losses, readouts, means, weight decay, and one matrix on a concatenation.

Reference gradients come from autograd, over forward passes and losses written by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from symgrad import CATALOGUE, backward, final, loss, summed
from symgrad.adjoint.objective import Objective
from symgrad.cell import Cell, input_signal, param, signal, sizes
from symgrad.cell.losses import LOSSES, with_loss, with_readout
from symgrad.closed import expanded_form
from symgrad.closed.sums import loss_expanded, summed_expanded
from symgrad.derivation import verdict_of
from symgrad.derivation.question import Request
from symgrad.derivation.request import answer
from symgrad.errors import DeclarationError, UsageError
from symgrad.evaluate import form_value
from symgrad.evaluate.compiled import compile as compile_cell
from symgrad.lang.algebra import Floats
from symgrad.lang.nodes import Apply, Node, walk
from symgrad.lang.program import Inputs, Runner
from symgrad.lang.text import text
from symgrad.ops import concat, sigma, tanh
from symgrad.ops.build import shape_text
from symgrad.parse import read_cell

#: None of it is about how far T goes.
pytestmark = pytest.mark.usefixtures("quick")

SIZES = [{"n": 1, "m": 1, "q": 1, "p": 1}, {"n": 2, "m": 3, "q": 4, "p": 3}]


def values_for(cell: Cell, known: dict[str, int], T: int) -> Inputs:
    draw = np.random.default_rng(7)

    def array(shape: Any) -> Any:
        return draw.uniform(-1, 1, tuple(size.value(known) for size in shape))

    params = {p.name: array(p.shape) for p in cell.params}
    params["rho"] = np.array([[0.3]])
    start = {s.name: array(s.shape) for s in cell.states}
    given = {(x.name, k): array(x.shape) for x in cell.inputs for k in range(1, T + 1)}
    return Inputs(params, start, lambda label, time: given[label, time], known)


def forward(cell: Cell, inputs: Inputs, T: int, p: dict[str, Any]) -> dict[str, list[Any]]:
    """A tanh RNN with a linear output, by hand."""
    h, found = inputs.initial["h"], []
    for k in range(1, T + 1):
        x = inputs.signals("x", k)
        h = anp.tanh(anp.dot(p["W_x"], x) + anp.dot(p["W_h"], h) + p["b_h"])
        found.append(anp.dot(p["W_y"], h) + p["b_y"])
    return {"y": found}


def squared(o: Any, y: Any) -> Any:
    return anp.sum((o - y) ** 2) / 2


def cross_entropy(o: Any, y: Any) -> Any:
    return -anp.sum(y * anp.log(anp.exp(o) / anp.sum(anp.exp(o))))


BY_HAND: dict[str, Callable[[Any, Any], Any]] = {
    "squared": squared,
    "cross_entropy": cross_entropy,
}


def our_gradient(cell: Cell, objective: Objective, inputs: Inputs, T: int) -> dict[str, Any]:
    return Runner(backward(cell, objective).program, Floats()).run(inputs, T).totals


@pytest.mark.parametrize("known", SIZES, ids=str)
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("how", ["sum", "mean", "last", "decay", "mean and decay"])
def test_losses_against_autograd(kind: str, how: str, known: dict[str, int]) -> None:
    cell = with_loss(CATALOGUE["rnn"], kind)
    T = 4
    inputs = values_for(cell, known, T)
    objective = final(cell) if how == "last" else summed(cell)
    decayed = [p for p in cell.params if p.name in ("W_h", "b_h")]
    if "mean" in how:
        objective = objective.over_mean()
    if "decay" in how:
        objective = objective.with_decay(*decayed)

    def by_hand(p: dict[str, Any]) -> Any:
        outputs = forward(cell, inputs, T, p)["y"]
        steps = [BY_HAND[kind](o, inputs.signals("d", k)) for k, o in enumerate(outputs, start=1)]
        value = steps[-1] if how == "last" else sum(steps)
        if "mean" in how:
            value = value / T
        if "decay" in how:
            value = value + 0.3 / 2 * sum(anp.sum(p[x.name] ** 2) for x in decayed)
        return value

    reference = autograd.grad(by_hand)(inputs.params)
    mine = our_gradient(cell, objective, inputs, T)
    scale = max(np.max(np.abs(reference[p.name])) for p in cell.params)
    for p in cell.params:
        size = np.max(np.abs(reference[p.name]))
        gap = np.max(np.abs(mine[p.name] - reference[p.name]))
        if size < 1e-13 * scale or (kind == "cross_entropy" and known["q"] == 1):
            # softmax of one number is 1, whatever it is: nothing to learn but by the decay.
            assert gap <= 1e-13
        else:
            assert gap <= 1e-12 * size


def test_the_gradient_of_cross_entropy_takes_any_targets() -> None:
    """∂ℓ/∂o = sum(y) p - y, which is p - y only for targets that sum to 1."""
    cell = with_loss(CATALOGUE["rnn"], "cross_entropy")
    (adjoint,) = [e for e in backward(cell, summed(cell)).equations if e.target.label == "lam_y"]
    assert text(adjoint.value) == "total(d_t) * p_t - d_t"
    p, o = (next(s for s in cell.signals if s.name == name) for name in "py")
    d = cell.inputs[-1]
    ell = cell.output
    evidence_for = expanded_form(cell, ell, o.at(o.time))
    assert verdict_of(cell, evidence_for).status == "proved"
    wrong = type(evidence_for)(
        "expanded", evidence_for.left, (p - d).T, (), evidence_for.times, evidence_for.first_horizon
    )
    assert verdict_of(cell, wrong).status == "refuted"


@pytest.mark.parametrize("reading", ["vector", "scalar"])
@pytest.mark.parametrize("kind", LOSSES)
def test_gradients_with_a_mean_and_decay_have_verdicts(kind: str, reading: str) -> None:
    cell = with_loss(CATALOGUE["rnn"], kind)
    cell = cell if reading == "vector" else cell.scalar()
    objective = summed(cell).over_mean().with_decay(*cell.params)
    verdict = verdict_of(cell, backward(cell, objective))
    # With one class the cross-entropy is 0, and nothing is left to prove of it.
    proved = reading == "scalar" and kind == "squared"
    assert verdict.status == "proved" if proved else verdict.holds
    wrong = backward(cell, objective)
    wrong.extra[cell.params[0].name] = 2 * cell.params[0]
    assert verdict_of(cell, wrong).status == "refuted"


@pytest.mark.parametrize("reading", ["vector", "scalar"])
def test_expanded_forms_of_losses(reading: str) -> None:
    base = CATALOGUE["rnn"]
    generic = base if reading == "vector" else base.scalar()
    with_one = with_loss(base, "squared")
    squared_loss = with_one if reading == "vector" else with_one.scalar()
    for cell, objective in (
        (generic, loss(generic, mean=True).with_decay(generic.params[1])),
        (squared_loss, summed(squared_loss).over_mean()),
    ):
        derive = loss_expanded if objective.kind == "loss" else summed_expanded
        form = derive(cell, objective.signal, cell.params[1], objective)
        assert form.first_horizon == 1
        assert verdict_of(cell, form).status == "checked"


def test_a_mean_and_decay_are_printed() -> None:
    cell = with_loss(CATALOGUE["rnn"], "squared")
    shown = str(backward(cell, summed(cell).over_mean().with_decay(cell.params[0])))
    assert "L = (1/2) ρ sum(W_x ⊙ W_x) + (1/T) ∑_{t=1}^T ℓ_t\n" in shown
    assert "dL/dW_x = ρ W_x + ∑_{t=1}^T δ_t^h x_t^⊤\n" in shown
    generic = str(backward(CATALOGUE["rnn"], loss(CATALOGUE["rnn"], mean=True)))
    assert "L = (1/T) ∑_{t=1}^T ℓ_t(y_t)\n" in generic
    assert "λ_T^h = (1/T) W_y^⊤ (∂ℓ_T/∂y_T)" in generic


def test_a_mean_is_no_sum() -> None:
    cell = CATALOGUE["rnn"].scalar()
    right = loss_expanded(cell, cell.output, cell.params[1], loss(cell))
    said_mean = type(right)(
        "expanded", right.left, right.right, right.where, (), 1, objective=loss(cell, mean=True)
    )
    assert verdict_of(cell, said_mean).status == "refuted"
    with pytest.raises(UsageError, match="a mean is over time"):
        loss(cell, last_only=True, mean=True)


def test_a_readout_of_the_lstm_adds_a_layer() -> None:
    cell = with_readout(CATALOGUE["lstm"])
    assert [e.target.name for e in cell.equations][-1] == "y"
    assert text(cell.equations[-1].value) == "W_y @ h_t + b_y"
    assert cell.output.name == "y"
    twice = with_loss(cell, "squared")
    assert [x.name for x in twice.inputs] == ["x", "d"]
    with pytest.raises(UsageError, match="there is no loss 'hinge'"):
        with_loss(cell, "hinge")
    with pytest.raises(UsageError, match="computes no signal 'z'"):
        with_readout(cell, of="z")
    with pytest.raises(UsageError, match="vector reading"):
        with_loss(cell.scalar(), "squared")


def test_published_numbers_of_a_squared_error() -> None:
    """RNN-S of the corpus: dL/dw = 0.5983848352 with L = Σ (out_t - y_t)² / 2."""
    n, m = sizes("n m")
    h, x = signal("h", n), input_signal("x", m)
    w, u, b = param("w", n, n), param("u", n, m), param("b", n)
    q = sizes("q")[0]
    out = signal("out", q)
    plain = Cell(
        "rnn-s", [(h, tanh(u @ x + w @ h.prev + b)), (out, param("v", q, n) @ h)], inputs=[x],
        output=out,
    )  # fmt: skip
    cell = with_loss(plain, "squared").scalar()
    given = {"x": (0.5, -1.0, 0.8), "y": (0.2, -0.4, 0.3)}
    params = {"u": 0.7, "w": 1.3, "b": 0.1, "v": 0.9}
    inputs = Inputs(
        {k: np.float64(v) for k, v in params.items()},
        {"h": np.float64(0.2)},
        lambda label, time: np.float64(given[label][time - 1]),
    )
    found = our_gradient(cell, summed(cell), inputs, 3)
    published = {"u": -0.1865422222, "w": 0.5983848352, "b": 1.5916374120, "v": 0.5742706324}
    for name, value in published.items():
        assert abs(found[name] - value) < 6e-11
    form = expanded_form(cell, "ell_T", "w")
    last = form_value(cell, form, inputs, 3, Floats())
    assert abs(last - 0.1749924500) < 6e-11


# ---- the passage between W [h, x] and W_h h + W_x x -------------------------------------


def concatenated_lstm() -> Cell:
    n, m = sizes("n m")
    x = input_signal("x", m)
    f, i, o, g = (signal(name, n) for name in "fiog")
    c, h = signal("c", n), signal("h", n)

    def gate(name: str) -> Any:
        return param(f"W_{name}", n, n + m) @ concat(h.prev, x) + param(f"b_{name}", n)

    return Cell(
        "colah",
        [
            (f, sigma(gate("f"))),
            (i, sigma(gate("i"))),
            (o, sigma(gate("o"))),
            (g, tanh(gate("g"))),
            (c, f * c.prev + i * g),
            (h, o * tanh(c)),
        ],
        inputs=[x],
    )


def test_the_passage_there_and_back() -> None:
    joint = concatenated_lstm()
    apart = joint.separated()
    assert text(apart.equations[0].value) == "sigma(W_f_h @ h_{t-1} + W_f_x @ x_t + b_f)"
    back = apart.concatenated()
    assert text(back.equations[0].value) == "sigma(W_f_h @ [h_{t-1}; x_t] + b_f)"
    assert shape_text(back.params[0].shape) == "n × (m + n)"
    from_catalogue = CATALOGUE["lstm"].concatenated()
    assert from_catalogue.equations == joint.equations
    assert joint.scalar().equations == apart.scalar().equations
    untouched = CATALOGUE["linear"].concatenated()
    assert untouched.equations == CATALOGUE["linear"].equations


@pytest.mark.parametrize("known", [{"n": 1, "m": 1}, {"n": 2, "m": 3}, {"n": 4, "m": 1}], ids=str)
def test_both_ways_have_the_same_gradient(known: dict[str, int]) -> None:
    joint = concatenated_lstm()
    apart = joint.separated()
    inputs = values_for(joint, known, 3)
    n = known["n"]
    params = dict(inputs.params)
    for p in joint.params:
        if p.name.startswith("W"):
            params[f"{p.name}_h"], params[f"{p.name}_x"] = np.split(params[p.name], [n], axis=1)
    params["s"] = np.arange(1.0, n + 1)[:, None]
    both = Inputs(params, inputs.initial, inputs.signals, known)
    one = our_gradient(joint, final(joint), both, 3)
    two = our_gradient(apart, final(apart), both, 3)
    for name in ("W_f", "W_i", "W_o", "W_g"):
        pieces = np.concatenate([two[f"{name}_h"], two[f"{name}_x"]], axis=1)
        assert np.all(np.abs(one[name] - pieces) <= 1e-13 * np.max(np.abs(pieces)))


def test_forms_of_a_concatenation_are_written_with_parts_of_the_matrix() -> None:
    cell = concatenated_lstm()
    form = expanded_form(cell, "f_t", "h_{t-1}")
    assert text(form.full) == "diag(f_t * (1 - f_t)) @ W_f[:, 0:n]"
    assert verdict_of(cell, form).status == "proved"
    form = expanded_form(cell, "f_t", "x_t")
    assert text(form.full) == "diag(f_t * (1 - f_t)) @ W_f[:, n:m+n]"
    assert verdict_of(cell, form).status == "proved"
    gradient = backward(cell, loss(cell))
    assert verdict_of(cell, gradient).status == "proved"


def test_a_concatenation_that_cannot_be_separated_is_refused() -> None:
    n, m = sizes("n m")
    h, x = signal("h", n), input_signal("x", m)
    W, V = param("W", n, n + m), param("V", n + m, n)
    twice = Cell("twice", [(h, tanh(W @ concat(h.prev, x) + W @ (V @ h.prev)))], inputs=[x])
    with pytest.raises(DeclarationError, match="use two matrices"):
        twice.separated()
    inside = Cell("inside", [(h, W @ tanh(concat(h.prev, x)))], inputs=[x])
    with pytest.raises(DeclarationError, match="cannot be separated"):
        inside.separated()


def test_decay_of_a_number() -> None:
    cell = CATALOGUE["linear-input"]
    (W, *_) = cell.params
    objective = loss(cell).with_decay(W, rho=Fraction(1, 100) * param("one"))
    found = backward(cell, objective)
    assert text(found.extra["W"]) == "1/100 * one * W"


@pytest.mark.parametrize("reading", ["vector", "scalar"])
def test_compiled_gradients_of_a_mean(reading: str) -> None:
    cell = CATALOGUE["rnn"] if reading == "vector" else CATALOGUE["rnn"].scalar()
    known = {"n": 2, "m": 3, "q": 4} if reading == "vector" else {}
    inputs = values_for(CATALOGUE["rnn"], {"n": 2, "m": 3, "q": 4}, 5)
    if reading == "scalar":
        one = values_for(CATALOGUE["rnn"], {"n": 1, "m": 1, "q": 1}, 5)
        params = {k.lower(): v.item() for k, v in one.params.items()}
    else:
        params = {p.name: inputs.params[p.name].squeeze() for p in cell.params}
    draw = np.random.default_rng(3)
    x = draw.normal(size=(5, *([known["m"]] if known else [])))
    y = draw.normal(size=(5, *([known["q"]] if known else [])))
    names = {p.name for p in cell.params}
    params = {k: v for k, v in params.items() if k in names}
    sums = compile_cell(cell, loss(cell, squared=True)).gradient(
        params, {"x": x}, targets=y, value=True
    )
    means = compile_cell(cell, loss(cell, squared=True, mean=True)).gradient(
        params, {"x": x}, targets=y, value=True
    )
    for name in names:
        size = np.max(np.abs(sums[name]))
        assert np.max(np.abs(means[name] * 5 - sums[name])) <= 1e-14 * size
    assert abs(means.value * 5 - sums.value) <= 1e-14 * abs(sums.value)


# ---- which signal a loss looks at ------------------------------------------------------------

GOODFELLOW = r"""
a^{(t)} &= b + W h^{(t-1)} + U x^{(t)} \\
h^{(t)} &= \tanh(a^{(t)}) \\
o^{(t)} &= c + V h^{(t)} \\
\hat{y}^{(t)} &= \mathrm{softmax}(o^{(t)})
"""


def test_the_output_is_what_nothing_uses() -> None:
    cell = read_cell(GOODFELLOW, "latex", name="goodfellow")
    assert cell.output.name == "y_hat"
    without = read_cell("h_t = tanh(W x_t + U h_{t-1})\nq_t = V h_t", "text", name="plain")
    assert without.output.name == "q"
    gated = read_cell("z_t = sigma(W x_t)\nh_t = z_t * h_{t-1}", "text", name="gated")
    assert gated.output.name == "h"


def test_cross_entropy_of_an_output_that_is_a_softmax() -> None:
    """Goodfellow et al., Deep Learning, equations 10.18 and 10.19: the gradient is ŷ - y."""
    cell = with_loss(read_cell(GOODFELLOW, "latex", name="goodfellow"), "cross_entropy")
    gradient = backward(cell, summed(cell))
    assert sum(node.head.name == "softmax" for e in cell.equations for node in calls(e.value)) == 1
    o = next(s for s in cell.signals if s.name == "o")
    assert text(gradient.adjoints["o"]).replace(" ", "") in (
        "total(y_t)*y_hat_t-y_t",
        "y_hat_t*total(y_t)-y_t",
    ), text(gradient.adjoints[o.name])


def calls(node: Node) -> list[Apply]:
    return [item for item in walk(node) if isinstance(item, Apply)]


def test_decay_needs_parameters() -> None:
    cell = CATALOGUE["rnn"]
    for wrong in ((), ("W_h",), (cell.signals[0],)):
        with pytest.raises(UsageError, match="with_decay"):
            loss(cell).with_decay(*wrong)  # type: ignore[arg-type]
    assert cell.param("w_h") is cell.param("W_h")
    with pytest.raises(UsageError, match="no parameter 'zz'; it has W_x, W_h"):
        cell.param("zz")


@pytest.mark.parametrize("reading", ["scalar", "vector"])
@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_unrolled_lines_hold_the_decay(reading: str, horizon: int) -> None:
    cell = CATALOGUE["rnn"].scalar() if reading == "scalar" else CATALOGUE["rnn"]
    theta = cell.params[1]
    objective = loss(cell, squared=True).with_decay(theta)
    request = Request(cell, None, theta, "unrolled", "sum", horizon=horizon, objective=objective)
    found = answer(request)
    lines = " ".join(text(line.right) for line in found.lines)
    assert f"rho * {theta.name}" in lines

"""Claims in other words than symgrad's own: proved for every T where true, refuted where not."""

from __future__ import annotations

import pytest

import symgrad as sg

CELLS = {name: cell.scalar() for name, cell in sg.CATALOGUE.items()} | {
    name.upper(): cell for name, cell in sg.CATALOGUE.items()
}

PROVED = [
    # Closed forms, with and without a case of their own at T = 0.
    ("linear", "dh_T/dw = T w^(T-1) h_0", "all T ≥ 0"),
    ("linear", "dh_T/dw = {0 if T = 0; T w^(T-1) h_0 otherwise}", "all T ≥ 0"),
    ("linear", "dh_T/dw = sum_{k=1}^T w^(T-k) h_{k-1}", "all T ≥ 0"),
    ("linear", "dh_T/dw = T h_T/w", "all T ≥ 0"),
    ("linear-input", "dh_T/dw = sum_{k=0}^{T-1} w^k h_{T-k-1}", "all T ≥ 0"),
    ("LINEAR-INPUT", "h_T = W^T h_0 + sum_{k=0}^{T-1} W^k (U x_{T-k} + b)", "all T ≥ 0, all sizes"),
    ("LINEAR-INPUT", "dh_T/dx_k = W^(T-k) U", "all 1 ≤ k ≤ T, all sizes"),
    # Sums and products turned, shifted, taken apart.
    (
        "rnn",
        "dh_T/dw_h = sum_{k=0}^{T-1} (prod_{j=0}^{k-1} w_h (1 - h_{T-j}^2)) "
        "(1 - h_{T-k}^2) h_{T-k-1}",
        "all T ≥ 0",
    ),
    ("rnn", "dh_T/dw_h = sum_{k=1}^T w_h^(T-k) (prod_{j=k}^T (1 - h_j^2)) h_{k-1}", "all T ≥ 0"),
    # Activations written out.
    (
        "rnn",
        "dh_T/dh_k = prod_{j=k+1}^T w_h (1 - tanh(w_x x_j + w_h h_{j-1} + b_h)^2)",
        "all 0 ≤ k ≤ T",
    ),
    # Derivatives of derivatives' own kind.
    ("rnn", "dh_T/dw_h = sum_{k=1}^T (dh_T/dh_k) (1 - h_k^2) h_{k-1}", "all T ≥ 0"),
    ("rnn", "dh_T/dh_k = prod_{j=k+1}^T dh_j/dh_{j-1}", "all 0 ≤ k ≤ T"),
    ("rnn", "dy_T/dw_h = w_y dh_T/dw_h", "all T ≥ 1"),
    ("rnn", "dh_t/dw_h = (1 - h_t^2) (h_{t-1} + w_h dh_{t-1}/dw_h)", "all t ≥ 1"),
    (
        "lstm",
        "dc_t/du_f = f_t dc_{t-1}/du_f + c_{t-1} df_t/du_f + g_t di_t/du_f + i_t dg_t/du_f",
        "all t ≥ 1",
    ),
    ("lstm", "dc_T/dw_f = sum_{k=1}^T (dc_T/dc_k) c_{k-1} f_k (1 - f_k) x_k", "all T ≥ 0"),
    # No derivative at all.
    ("linear-input", "sum_{k=1}^T x_k = sum_{k=0}^{T-1} x_{T-k}", "all T ≥ 0"),
    ("linear-input", "(1 - w) (sum_{k=1}^T w^(T-k)) = 1 - w^T", "all T ≥ 0"),
    ("linear-input", "sum_{k=1}^T sigma(-x_k) = T - sum_{k=1}^T sigma(x_k)", "all T ≥ 0"),
    # At some times only.
    ("linear", "dh_T/dw = h_0 for T = 1", "T = 1"),
    ("rnn", "dh_t/dw_h = (1 - h_t^2) h_{t-1} for t = 1", "all T ≥ 1, t = 1"),
]

WRONG = [
    ("linear", "dh_T/dw = (T-1) w^(T-1) h_0"),
    ("linear", "dh_T/dw = {h_0 if T = 0; T w^(T-1) h_0 otherwise}"),
    ("linear-input", "dh_T/dw = sum_{k=0}^{T-1} w^k h_{T-k}"),
    ("LINEAR-INPUT", "h_T = W^T h_0 + sum_{k=0}^{T-1} W^(k+1) (U x_{T-k} + b)"),
    ("LINEAR-INPUT", "dh_T/dx_k = W^(T-k-1) U for k < T"),
    (
        "rnn",
        "dh_T/dw_h = sum_{k=0}^{T-1} (prod_{j=0}^k (1 - h_{T-j}^2) w_h) (1 - h_{T-k}^2) h_{T-k-1}",
    ),
    ("rnn", "dh_T/dw_h = sum_{k=1}^T w_h^(T-k) (prod_{j=k+1}^T (1 - h_j^2)) h_{k-1}"),
    ("rnn", "dh_T/dh_k = prod_{j=k+1}^T w_h (1 - tanh(w_x x_j + w_h h_j + b_h)^2)"),
    ("rnn", "dh_T/dw_h = sum_{k=1}^T (dh_T/dh_{k-1}) (1 - h_k^2) h_{k-1}"),
    ("rnn", "dh_t/dw_h = (1 - h_t^2) (h_{t-1} + w_h dh_{t-1}/dw_x)"),
    ("lstm", "dc_t/du_f = f_t dc_{t-1}/du_f + c_{t-1} df_t/du_f + g_t di_t/du_f"),
    ("lstm", "dc_T/dw_f = sum_{k=1}^T (prod_{j=k+1}^T f_j) c_{k-1} f_k (1 - f_k) x_k"),
    ("linear-input", "sum_{k=1}^T x_k = sum_{k=0}^{T-2} x_{T-k} for T ≥ 2"),
    ("linear-input", "(1 - w) (sum_{k=1}^T w^(T-k)) = 1 - w^(T+1)"),
    ("linear-input", "sum_{k=1}^T sigma(-x_k) = -sum_{k=1}^T sigma(x_k)"),
    ("linear", "dh_T/dw = h_0 for T ≤ 2"),
]


@pytest.mark.parametrize(("cell", "text", "scope"), PROVED)
def test_true_claims_are_proved(cell: str, text: str, scope: str) -> None:
    verdict = sg.check(CELLS[cell], text, horizon="power")
    assert verdict.status == "proved"
    assert verdict.scope.startswith(scope)
    assert verdict.proof is not None
    assert verdict.proof.replay()


@pytest.mark.parametrize(("cell", "text"), WRONG)
def test_false_claims_are_refuted(cell: str, text: str) -> None:
    verdict = sg.check(CELLS[cell], text, horizon="power")
    assert verdict.status == "refuted"
    assert verdict.witness is not None


# ---- about L ------------------------------------------------------------------------------------

BACK = "dL/dh_t = W_y^⊤ (dL/dy_t)"
ABOUT_L = [
    ("RNN", "dL/dW_h = sum_{t=1}^T ((1 - h_t^2) * λ_t^h) h_{t-1}^⊤", True),
    ("RNN", "dL/dW_h = sum_{k=0}^{T-1} diag(1 - h_{T-k}^2) λ_{T-k}^h h_{T-k-1}^⊤", True),
    ("RNN", "dL/dW_h = sum_{t=1}^T (h_t * λ_t^h) h_{t-1}^⊤", False),
    ("RNN", f"{BACK} + W_h^⊤ diag(1 - h_{{t+1}}^2) (dL/dh_{{t+1}}) for 1 ≤ t < T", True),
    ("RNN", f"{BACK} + diag(1 - h_{{t+1}}^2) W_h^⊤ (dL/dh_{{t+1}}) for 1 ≤ t < T", False),
    ("RNN", f"{BACK} + W_h^⊤ diag(1 - h_t^2) (dL/dh_{{t+1}}) for 1 ≤ t < T", False),
    ("rnn", "dL/dw_h = sum_{t=1}^T (dL/dh_t) (1 - h_t^2) h_{t-1}", True),
    ("rnn", "dL/dw_h = sum_{t=1}^T (dL/dh_t) h_{t-1}", False),
    ("lstm", "dL/du_o = sum_{t=1}^T λ_t^h tanh(c_t) o_t (1 - o_t) h_{t-1}", True),
    ("lstm", "dL/du_o = sum_{t=1}^T λ_t^h c_t o_t (1 - o_t) h_{t-1}", False),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "text", "right"), ABOUT_L)
def test_claims_about_a_loss(cell: str, text: str, right: bool) -> None:
    verdict = sg.check(CELLS[cell], text, objective=sg.loss(CELLS[cell]))
    assert verdict.status == ("proved" if right else "refuted")


def test_the_equation_of_a_step_is_not_that_of_the_start() -> None:
    """dL/dh_0 has no part of its own, so one equation does not do for 0 ≤ t < T."""
    cell = CELLS["linear"]
    equation = "dL/dh_t = 1 + w dL/dh_{t+1}"
    later = sg.check(cell, f"{equation} for 1 ≤ t < T", objective=sg.summed(cell))
    assert (later.status, later.scope) == ("proved", "all 1 ≤ t < T")
    start = sg.check(cell, f"{equation} for 0 ≤ t < T", objective=sg.summed(cell))
    assert start.status == "refuted"
    assert start.witness is not None
    assert dict(start.witness.times) == {"t": 0}
    both = "dL/dh_t = {w dL/dh_{t+1} if t = 0; 1 + w dL/dh_{t+1} otherwise} for 0 ≤ t < T"
    assert sg.check(cell, both, objective=sg.summed(cell)).scope == "all 0 ≤ t < T"

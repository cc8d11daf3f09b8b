"""``symgrad check``: what it prints, and its exit codes."""

from __future__ import annotations

import io
import json

import pytest

from symgrad.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of one command."""
    code = main(["check", *arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


#: True by a relation that sums over time do not use.
LOGARITHMS = "sum_{k=1}^T log(exp(h_k)) = sum_{k=1}^T h_k"
LINEAR = ("--cell", "linear", "--scalar")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("h_T = w^T h_0", *LINEAR), 0, "proved: for all T ≥ 0"),
        (("h_T = w^T h_0", *LINEAR, "--at-least", "proved"), 0, "proved"),
        (("h_5 = w^5 h_0", *LINEAR, "--at-least", "proved"), 0, "proved: for all T ≥ 5"),
        ((LOGARITHMS, *LINEAR), 0, "checked: for T = 0..8"),
        ((LOGARITHMS, *LINEAR, "--at-least", "proved"), 3, "checked"),
        (("h_T = w h_0", *LINEAR), 1, "refuted"),
        (("h_T = w h_0 for T = 1", *LINEAR), 0, "proved: for T = 1, "),
        (("sum_{k=1}^T h_{k-2} = 0", *LINEAR), 3, "undecided"),
        (("h_T = W^T h_0", "--cell", "linear", "--power", "power"), 0, "proved"),
        ((r"\frac{dh_T}{dh_0} = w^T", *LINEAR, "--syntax", "latex"), 0, "proved"),
    ],
)
def test_the_verdict_and_the_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, says: str
) -> None:
    found, out, err = run(capsys, *arguments)
    assert (found, err) == (code, "")
    assert says in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("h_T = w^T h_0 for k ≥ 1", *LINEAR), "<statement>:1:19: k does not occur"),
        (("h_T = W^T h_0", "--cell", "linear"), "a power and a transpose"),
        (("dh_T/dh_0 = W^T", "--cell", "linear"), "on the command line with --power power"),
        (("h_T = 0", "--cell", "lineal"), "lineal"),
        (("dL/dw = 0", *LINEAR, "--mean", "--objective", "final"), "a mean is over time"),
    ],
)
def test_bad_input(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("dL/dw = sum_{t=1}^T λ_t^h h_{t-1}", (), 0),
        ("dL/dh_T = ∂ℓ_T/∂h_T for T ≥ 1", ("--objective", "final"), 0),
        ("dL/dh_t = ∂ℓ_t/∂h_t for 1 ≤ t < T", ("--objective", "final"), 1),
        ("dL/dh_T = (1/T) (∂ℓ_T/∂h_T) for T ≥ 1", ("--mean",), 0),
        ("dL/dw = ρ w + sum_{t=1}^T λ_t^h h_{t-1}", ("--decay", "w"), 0),
        ("dL/dw_y = sum_{t=1}^T (y_t - d_t) h_t", ("--readout", "--loss", "squared"), 0),
        ("dL/dw = T w^(T-1) h_0; L = h_T", (), 0),
    ],
)
def test_what_L_is(
    capsys: pytest.CaptureFixture[str], text: str, options: tuple[str, ...], code: int
) -> None:
    found, out, _ = run(capsys, text, *LINEAR, *options)
    assert found == code, out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "h_t = h_0 for t ≥ 2", *LINEAR, "--json")
    found = json.loads(out)
    witness = found["witness"]

    assert (code, found["verdict"], found["cell"]) == (1, "refuted", "linear")
    assert found["scope"].startswith("2 ≤ t ≤ T")
    assert (witness["T"], witness["times"]) == (2, {"t": 2})
    assert witness["left"] != witness["right"]
    assert "import numpy" in witness["program"]


def test_a_statement_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["derive", "lstm", "--of", "c_T", "--wrt", "c_k", "--along", "c", "--scalar"]) == 0
    printed = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(printed))
    code, out, _ = run(capsys, "-", "--cell", "lstm", "--scalar")
    assert code == 0
    assert "k ≤ T" in out

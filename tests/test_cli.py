"""The command line: exit codes, messages, streams, formats, and what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import symgrad
from symgrad.cli import main
from symgrad.errors import FailedCheck, NotSupportedYet
from symgrad.lang.algebra import Floats
from symgrad.lang.program import Inputs

ROOT = Path(symgrad.__file__).parent.parent
STATUS = ("proved: ", "checked: ", "tested: ")
DERIVE = ("derive", "linear", "--of", "h_T", "--wrt", "w")

USER_FILE = """\
from symgrad import Cell, input_signal, param, signal
h, x, a = signal("h"), input_signal("x"), param("a")
leaky = Cell("leaky", [(h, a * h.prev + (1 - a) * x)], inputs=[x])
number = 3
"""


def process(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A new interpreter that finds the same package."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        check=False,
        **options,  # type: ignore[call-overload]
    )


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> Ran:
        try:
            code = main(list(arguments))
        except SystemExit as leaving:
            code = leaving.code
        streams = capsys.readouterr()
        return Ran(code, streams.out, streams.err)

    return run


@pytest.fixture
def refused(run):
    """Runs what must be refused: exit 2, one line on stderr, nothing on stdout."""

    def refused(*arguments: str, code: int = 2) -> str:
        found = run(*arguments)
        assert (found.code, found.out) == (code, ""), (found.code, found.out, found.err)
        assert found.err.startswith("symgrad: error: ")
        assert found.err.count("\n") == 1
        assert "Traceback" not in found.err
        return found.err

    return refused


# ---- what is imported ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["derive", "--help"], ["build", "--help"], ["cells", "--help"]],
)
def test_help_and_version_import_no_algebra(arguments: list[str]) -> None:
    found = process("-X", "importtime", "-m", "symgrad", *arguments)
    assert found.returncode == 0
    assert "symgrad.cli.main" in found.stderr
    for heavy in ("sympy", "numpy", "mpmath", "symgrad.lang", "symgrad.cells"):
        assert heavy not in {line.split("|")[-1].strip() for line in found.stderr.splitlines()}


def test_the_check_above_sees_numpy_where_it_is_imported() -> None:
    found = process("-X", "importtime", "-m", "symgrad", "cells")
    imported = {line.split("|")[-1].strip() for line in found.stderr.splitlines()}
    assert "numpy" in imported


def test_as_a_module_and_its_version() -> None:
    found = process("-m", "symgrad", "--version")
    assert found.stdout == f"symgrad {symgrad.__version__}\n"
    assert found.stderr == ""


# ---- streams and exit codes ------------------------------------------------------------


def test_results_go_to_stdout_and_the_verdict_to_stderr(run) -> None:
    found = run(*DERIVE, "--scalar")
    assert found.code == 0
    assert found.out == "dh_T/dw = ∑_{k=1}^T w^{T-k} h_{k-1}\n"
    assert found.err.startswith("symgrad: proved: for all T ≥ 0")


@pytest.mark.parametrize("form", ["text", "latex", "python", "json"])
def test_no_verdict_on_stdout_but_in_json(run, form: str) -> None:
    found = run(*DERIVE, "--scalar", "--format", form)
    assert found.code == 0
    assert ("proved" in found.out) == (form == "json")
    assert ("symgrad: proved" in found.err) == (form != "json")


def test_exit_2_for_bad_options(run) -> None:
    for arguments in (
        [],
        ["nope"],
        ["derive"],
        [*DERIVE, "--form", "wrong"],
        [*DERIVE, "--T", "x"],
        ["derive", "linear"],
        [*DERIVE, "--objective", "mean"],
    ):
        found = run(*arguments)
        assert (found.code, found.out) == (2, ""), arguments
        assert "symgrad" in found.err
    assert "invalid choice: 'wrong'" in run(*DERIVE, "--form", "wrong").err


def test_exit_3_where_no_closed_form_is_known(refused) -> None:
    for cell, wrt in (("rnn", "w_h"), ("lstm", "u_f")):
        message = refused("derive", cell, "--of", "h_T", "--wrt", wrt, "--form", "closed", code=3)
        assert "no closed form known" in message
        assert "the expanded form holds for every T" in message
    refused("derive", "rnn", "--of", "h_T", code=3)


def test_exit_3_for_undecided(run, monkeypatch: pytest.MonkeyPatch) -> None:
    import symgrad.derivation.request as request
    from symgrad.verify.verdict import Verdict

    verdict = Verdict("undecided", "", ("nothing decides it",))
    monkeypatch.setattr(request.Evidence, "form", lambda *a, **k: verdict)
    found = run(*DERIVE)
    assert found.code == 3
    assert "undecided" in found.err


def test_exit_1_for_a_refuted_derivation(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """A calculus that is wrong is noticed before anything is printed."""
    import symgrad.derivation.request as request

    right = request.expanded_form

    def wrong(*arguments, **options):
        import dataclasses

        form = right(*arguments, **options)
        return dataclasses.replace(form, right=form.right * 2, recurrence=None)

    monkeypatch.setattr(request, "expanded_form", wrong)
    message = refused(*DERIVE, "--scalar", code=1)
    assert "what was derived does not hold" in message
    assert "refuted" in message
    assert "T = 1" in message


def test_exit_4_for_a_bug(run, monkeypatch: pytest.MonkeyPatch) -> None:
    import symgrad.cli.derive as derive

    def broken(request: object) -> None:
        raise ZeroDivisionError("of our own making")

    monkeypatch.setattr(derive, "answer", broken)
    found = run(*DERIVE)
    assert (found.code, found.out) == (4, "")
    assert "symgrad: internal error: ZeroDivisionError: of our own making" in found.err
    assert "--debug" in found.err
    assert "Traceback" not in found.err
    with pytest.raises(ZeroDivisionError):
        main(["--debug", *DERIVE])
    with pytest.raises(ZeroDivisionError):
        main([*DERIVE, "--debug"])


def test_exit_130_when_interrupted(run, monkeypatch: pytest.MonkeyPatch) -> None:
    import symgrad.cli.derive as derive

    def interrupted(request: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(derive, "answer", interrupted)
    found = run(*DERIVE)
    assert (found.code, found.out) == (130, "")
    assert found.err == "symgrad: interrupted\n"


@pytest.mark.parametrize(("error", "code"), [(FailedCheck, 1), (NotSupportedYet, 2)])
def test_errors_carry_their_exit_code(run, monkeypatch, error: type, code: int) -> None:
    import symgrad.cli.derive as derive

    def failing(request: object) -> None:
        raise error("as said")

    monkeypatch.setattr(derive, "answer", failing)
    found = run(*DERIVE)
    assert (found.code, found.err) == (code, "symgrad: error: as said\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [
        sys.executable,
        "-m",
        "symgrad",
        "derive",
        "lstm",
        "--of",
        "h_T",
        "--wrt",
        "u_f",
        "--scalar",
        "--form",
        "unrolled",
        "--T",
        "300",
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(20)
        running.stdout.close()
        errors = running.stderr.read().decode()
        code = running.wait()
    assert "BrokenPipe" not in errors
    assert "internal error" not in errors
    assert "Exception ignored" not in errors
    assert code == 0


# ---- names and times ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("derive", "liner", "--of", "h_T", "--wrt", "w"), "did you mean 'linear'?"),
        (("cells", "ltsm"), "did you mean 'lstm'?"),
        (("derive", "rnn", "--of", "h_T", "--wrt", "w_hh"), "did you mean 'W_h'?"),
        (("derive", "rnn", "--of", "h_T", "--wrt", "w_hh", "--scalar"), "did you mean 'w_h'?"),
        (("derive", "rnn", "--of", "hh_T", "--wrt", "w_h"), "did you mean 'h_T'?"),
        (
            ("derive", "rnn", "--of", "z", "--wrt", "w_h"),
            "declares no 'z'; it has the signals h, y, x",
        ),
        (("derive", "rnn", "--of", "h", "--wrt", "w_h"), "needs a time: h_T, h_t or h_0"),
        (("derive", "rnn", "--of", "h_", "--wrt", "w_h"), "'' is not a time"),
        (("derive", "rnn", "--of", "h_q", "--wrt", "w_h"), "'q' is not a time"),
        (("derive", "rnn", "--of", "h_{T", "--wrt", "w_h"), "'{T' is not a time"),
        (("derive", "rnn", "--of", "h_{-1}", "--wrt", "w_h"), "times start at 0"),
        (("derive", "rnn", "--of", "h_T", "--wrt", "h_{t+1}"), "write the later of two times as t"),
        (("derive", "rnn", "--of", "h_T", "--wrt", "h_T"), "ask --wrt h_k"),
        (("derive", "rnn", "--of", "h_k", "--wrt", "h_j"), "ask for h_T or h_t"),
        (("derive", "rnn", "--of", "h_1", "--wrt", "h_3"), "which comes later"),
        (("derive", "rnn", "--of", "h_5", "--wrt", "h_k"), "--wrt with a number as well"),
        (("derive", "rnn", "--of", "h_T", "--wrt", "h_9999999999999999999"), "go up to 40"),
        (("derive", "rnn", "--of", "y_0", "--wrt", "h_0"), "only states have a value at time 0"),
        (("derive", "rnn", "--of", "h_T", "--wrt", "x_0"), "only states have a value at time 0"),
        (("derive", "rnn", "--of", "x_T", "--wrt", "w_h"), "an input, which depends on nothing"),
        (("derive", "rnn", "--of", "w_h", "--wrt", "w_h"), "is a parameter"),
        (("derive", "linear", "--of", "L"), "--of L needs --wrt"),
        (("derive", "linear", "--of", "h_T", "--form", "expanded"), "needs --wrt NAME"),
        (("derive", "linear", "--of", "h_T", "--immediate"), "give --wrt"),
        ((*DERIVE, "--T", "-1"), "--T -1: the horizon must be a nonnegative integer"),
        ((*DERIVE, "--form", "unrolled"), "needs a horizon: --T 5"),
        ((*DERIVE, "--form", "unrolled", "--T", "1000000"), "up to T = 10000"),
        ((*DERIVE, "--input", "zero", "--form", "expanded"), "--input gives a closed form"),
        ((*DERIVE, "--input", "zero", "--immediate"), "ask for one"),
        (("derive", "lstm", "--of", "c_T", "--wrt", "c_k", "--along", "c,zz"), "names 'zz'"),
        (("derive", "lstm", "--of", "c_T", "--wrt", "c_k", "--along", "f"), "add c to --along"),
        (
            ("derive", "lstm", "--of", "c_t", "--wrt", "c_{t-1}", "--along", "c", "--immediate"),
            "two different derivatives",
        ),
        (("derive", "lstm", "--of", "c_t", "--wrt", "c_{t-2}", "--immediate"), "t or t - 1"),
        (
            ("derive", "rnn", "--of", "y_T", "--wrt", "w_h", "--form", "unrolled", "--T", "0"),
            "no value at time 0",
        ),
        (
            (
                "derive",
                "rnn",
                "--of",
                "L",
                "--wrt",
                "w_h",
                "--mean",
                "--form",
                "unrolled",
                "--T",
                "0",
            ),
            "a mean over time, of which there is none at T = 0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(refused, arguments, words: str) -> None:
    assert words in refused(*arguments)


def test_names_in_either_case(run) -> None:
    for wrt in ("w_h", "W_h", "W_H"):
        for reading in ((), ("--scalar",)):
            found = run("derive", "rnn", "--of", "h_T", "--wrt", wrt, *reading)
            assert found.code == 0
            assert ("dW_h" in found.out) == (not reading)


def test_quantities_that_begin_late_say_so(run) -> None:
    found = run("derive", "lstm", "--of", "c_T", "--wrt", "c_{T-1}", "--scalar")
    assert found.code == 0
    assert found.out.endswith("for T ≥ 2\n")
    assert "all T ≥ 2" in found.err
    found = run(
        "derive",
        "rnn",
        "--of",
        "L",
        "--wrt",
        "h_0",
        "--objective",
        "final",
        "--scalar",
        "--form",
        "recursive",
    )
    assert found.code == 0
    assert found.out.endswith("dL/dh_0 = w_h δ_1^h   for T ≥ 1\n")
    assert "all T ≥ 1" in found.err


@pytest.mark.parametrize("cell", ["linear", "linear-input", "rnn", "lstm"])
def test_every_form_is_there_or_refused_with_a_reason(run, cell: str) -> None:
    wrt = {"rnn": "w_h", "lstm": "u_f"}.get(cell, "w")
    for form in ("recursive", "expanded", "closed", "unrolled"):
        for style in ("text", "latex", "python", "json") if cell != "lstm" else ("python",):
            found = run(
                "derive",
                cell,
                "--of",
                "h_T",
                "--wrt",
                wrt,
                "--form",
                form,
                "--T",
                "2",
                "--scalar",
                "--format",
                style,
            )
            known = form != "closed" or cell.startswith("linear")
            assert found.code == (0 if known else 3), found.err
            assert bool(found.out) == known
            if form in ("expanded", "closed") and style == "python" and known:
                assert found.out.count("\n") == 1
            if form in ("recursive", "unrolled") and style == "python":
                assert all(line.startswith("Eq(") for line in found.out.splitlines())


# ---- --at --------------------------------------------------------------------------------


def value(found: Ran) -> str:
    assert found.code == 0, found.err
    return found.out.splitlines()[-1].removeprefix("# ").removeprefix("value: ")


@pytest.mark.parametrize("form", ["recursive", "expanded", "closed", "unrolled"])
@pytest.mark.parametrize(("T", "expected"), [("0", "0"), ("1", "3"), ("5", "240")])
def test_values_by_every_form(run, form: str, T: str, expected: str) -> None:
    found = run(*DERIVE, "--form", form, "--at", "w=2,h_0=3", "--T", T)
    assert value(found) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("w=__import__('os').getpid(),h_0=1", "is not NAME=NUMBER"),
        ("__import__('os')=1", "declares no"),
        ("w=9**9**9,h_0=1", "is not NAME=NUMBER"),
        ("w=1e9999,h_0=1", "is not NAME=NUMBER"),
        ("w=1e99999999999,h_0=1", "is not NAME=NUMBER"),
        (f"w={'9' * 70},h_0=1", "is not NAME=NUMBER"),
        ("w=inf,h_0=1", "is not NAME=NUMBER"),
        ("w=nan,h_0=1", "is not NAME=NUMBER"),
        ("w=\u0663,h_0=1", "is not NAME=NUMBER"),
        ("w=1_0,h_0=1", "is not NAME=NUMBER"),
        ("w=,h_0=1", "is not NAME=NUMBER"),
        ("w", "is not NAME=NUMBER"),
        ("", "is not NAME=NUMBER"),
        ("w=1,h_0=1,", "is not NAME=NUMBER"),
        ("w=1/0,h_0=1", "divides by zero"),
        ("w=1,W=2,h_0=1", "twice"),
        ("w=1", "gives no value for h_0"),
        ("h_0=1", "gives no value for w"),
        ("w=1,h_T=1", "needs a time that is a number"),
        ("w=1,h_0=1,h_3=1", "follows from the other values"),
        ("w=1,h_0=1,k=-1", "a time is a nonnegative integer"),
        ("w=1,h_0=1,k=1/2", "a time is a nonnegative integer"),
        ("ww=1,h_0=1", "declares no 'ww'"),
    ],
)
def test_values_that_are_refused(refused, given: str, words: str) -> None:
    assert words in refused(*DERIVE, "--at", given, "--T", "5")


def test_values_need_a_horizon_that_is_not_too_large(refused) -> None:
    assert "--T 5" in refused(*DERIVE, "--at", "w=1,h_0=1")
    for form in ("expanded", "closed", "recursive"):
        message = refused(*DERIVE, "--at", "w=2,h_0=1", "--T", "1000000000", "--form", form)
        assert "up to T = 10000" in message


def test_free_times_are_given_within_their_range(run, refused) -> None:
    asked = ("derive", "linear", "--of", "h_T", "--wrt", "h_k", "--T", "5", "--at")
    assert value(run(*asked, "w=2,h_0=1,k=2")) == "8"
    assert value(run(*asked, "w=2,h_0=1,k=2", "--form", "recursive")) == "8"
    assert "k=6 is not in 0 … T (T = 5)" in refused(*asked, "w=2,h_0=1,k=6")
    assert "k=6 is not in 1 … T (T = 5)" in refused(*asked, "w=2,h_0=1,k=6", "--form", "recursive")
    assert "no value for k" in refused(*asked, "w=2,h_0=1")


def test_numbers_that_grow_long_are_given_up_for_digits(run) -> None:
    assert (
        value(run(*DERIVE, "--at", "w=1e300,h_0=1", "--T", "2", "--form", "closed")) == "2.0e+300"
    )
    found = run(*DERIVE, "--at", "w=2,h_0=1", "--T", "9999", "--form", "closed")
    assert value(found) == "4.98715902642268e+3013"
    found = run(*DERIVE, "--at", "w=0.999,h_0=1", "--T", "9999", "--form", "expanded")
    assert float(value(found)) == pytest.approx(9999 * 0.999**9998, rel=1e-12, abs=0)


def test_a_value_that_is_no_decimal_is_also_given_exactly(run) -> None:
    found = run(*DERIVE, "--at", "w=1/3,h_0=1", "--T", "2")
    assert value(found) == "0.666666666666667 (exactly 2/3)"


def test_losses_are_given_by_their_gradients(run, refused) -> None:
    asked = (
        "derive",
        "linear",
        "--of",
        "L",
        "--wrt",
        "w",
        "--form",
        "recursive",
        "--T",
        "2",
        "--at",
    )
    assert "no value for dl_h_2" in refused(*asked, "w=3,h_0=5")
    # dL/dw = dl_1 h_0 + dl_2 2 w h_0
    assert value(run(*asked, "w=3,h_0=5,dl_h=1,dl_h_2=7")) == str(5 + 7 * 30)


def linear_gradient(
    w: Fraction, u: Fraction, b: Fraction, h: Fraction, x: list[Fraction]
) -> Fraction:
    """dh_T/dw of h_t = w h_{t-1} + u x_t + b, exactly, by a forward sweep."""
    tangent = Fraction(0)
    for value in x:
        h, tangent = w * h + u * value + b, w * tangent + h
    return tangent


@pytest.mark.parametrize("w", ["1.000000001", "1", "0"])
@pytest.mark.parametrize("kind", ["zero", "constant", "geometric"])
def test_elementary_forms_near_an_excluded_point(run, kind: str, w: str) -> None:
    """In floating point the geometric series has no correct digit at w = 1 + 1e-9."""
    for rho in ("1.000000001", "1") if kind == "geometric" else ("1",):
        found = run(
            "derive",
            "linear-input",
            "--of",
            "h_T",
            "--wrt",
            "w",
            "--input",
            kind,
            "--T",
            "50",
            "--at",
            f"w={w},u=0.5,b=0.25,h_0=2,x=3,rho={rho}",
        )
        x = Fraction(0 if kind == "zero" else 3)
        inputs = [x * Fraction(rho) ** t for t in range(50)]
        expected = linear_gradient(
            Fraction(w), Fraction("0.5"), Fraction("0.25"), Fraction(2), inputs
        )
        shown = Fraction(value(found).split()[0])
        assert abs(shown - expected) <= Fraction(1, 10**13) * abs(expected)


@pytest.mark.parametrize("rho", [1 + 1e-9, 0.5])
@pytest.mark.parametrize("w", [1 + 1e-9, 1 - 1e-12, 0.9999])
def test_elementary_forms_keep_their_digits_in_floating_point(w: float, rho: float) -> None:
    cell = symgrad.CATALOGUE["linear-input"].scalar()
    form = symgrad.elementary_form(cell, "h_T", "w", "geometric")
    given = {"w": w, "u": 0.5, "b": 0.25, "x": 3.0, "rho": rho}
    inputs = Inputs(given, {"h": 2.0}, lambda label, time: 3.0 * rho ** (time - 1))
    found = symgrad.form_value(cell, form, inputs, 50, Floats(float))
    series = [3 * Fraction(rho) ** t for t in range(50)]
    exact = linear_gradient(Fraction(w), Fraction("0.5"), Fraction("0.25"), Fraction(2), series)
    assert float(found) == pytest.approx(float(exact), rel=1e-12, abs=0)


# ---- formats -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        DERIVE,
        (*DERIVE, "--scalar", "--form", "recursive"),
        (*DERIVE, "--scalar", "--form", "unrolled", "--T", "3"),
        ("derive", "lstm", "--of", "c_t", "--wrt", "c_{t-1}"),
        ("derive", "linear-input", "--of", "h_T", "--input", "constant"),
    ],
)
def test_json_is_one_object(run, arguments) -> None:
    found = run(*arguments, "--format", "json")
    assert (found.code, found.err) == (0, "")
    result = json.loads(found.out)
    assert result["verdict"] in ("proved", "checked")
    assert result["scope"]
    assert result["how"]
    assert result["reading"] in ("vector", "scalar")
    assert result["value"] is None
    assert result["equations"]
    for equation in result["equations"]:
        assert {"left", "right", "condition", "latex"} <= set(equation)
        assert ("python" in equation) == (result["reading"] == "scalar")


def test_json_carries_the_value(run) -> None:
    found = run(*DERIVE, "--at", "w=2,h_0=1", "--T", "3", "--format", "json")
    assert json.loads(found.out)["value"] == "12"


def test_latex_has_conditions_in_latex(run) -> None:
    found = run("derive", "rnn", "--of", "y_T", "--wrt", "w_y", "--format", "latex", "--scalar")
    assert found.out == "\\frac{\\mathrm{d}y_T}{\\mathrm{d}w_y} = h_T \\qquad (T \\ge 1)\n"
    found = run("derive", "lstm", "--of", "c_t", "--wrt", "c_{t-1}", "--format", "latex")
    assert found.out.isascii()
    assert r"\qquad (2 \le t \le T)" in found.out


# ---- cells -------------------------------------------------------------------------------


def test_the_catalogue(run) -> None:
    found = run("cells")
    assert (found.code, found.err) == (0, "")
    assert [line.split()[0] for line in found.out.splitlines()] == list(symgrad.CATALOGUE)
    found = run("cells", "lstm")
    for words in ("c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t", "U_f, U_i, U_o, U_g: n × n", "1997"):
        assert words in found.out
    assert "c_t = f_t c_{t-1} + i_t g_t" in run("cells", "lstm", "--scalar").out


def test_cells_of_the_user(run, refused, tmp_path: Path) -> None:
    path = tmp_path / "my-cells.py"
    path.write_text(USER_FILE)
    found = run("derive", f"{path}:leaky", "--of", "h_T", "--wrt", "a", "--form", "closed")
    assert found.code == 0
    assert "h_t = " in run("cells", f"{path}:leaky").out
    assert "its cells are leaky" in refused("cells", f"{path}:nope")
    assert "no cell named 'number'" in refused("cells", f"{path}:number")
    assert f"name the cell in the file as well: {path}:NAME" in refused("cells", str(path))
    assert "no file" in refused("cells", f"{tmp_path / 'none.py'}:leaky")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1/0\n", "cannot be imported: ZeroDivisionError"),
        ("def (:\n", "cannot be imported: SyntaxError"),
        ("import sys\nsys.exit(7)\n", "cannot be imported: SystemExit"),
        ("import nothing_of_that_name\n", "cannot be imported: ModuleNotFoundError"),
        ("x = 1\n", "it declares no Cell"),
        (
            "from symgrad import Cell, signal\nh = signal('h')\nc = Cell('c', [(h, h)])\n",
            "h is used before it is defined",
        ),
    ],
)
def test_files_that_give_no_cell(refused, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cells.py"
    path.write_text(text)
    message = refused("derive", f"{path}:c", "--of", "h_T", "--wrt", "w")
    assert words in message
    assert str(path) in message


@pytest.mark.parametrize("suffix", [".cell", ".tex"])
def test_a_file_of_equations_that_is_not_there(refused, suffix: str) -> None:
    assert f"no file cell{suffix}" in refused("cells", f"cell{suffix}")


def test_a_file_of_equations_that_cannot_be_read(run, tmp_path: Path) -> None:
    path = tmp_path / "bad.tex"
    path.write_text("h_t = \\tnah(W x_t + U h_{t-1})")
    found = run("derive", str(path), "--of", "h_T", "--wrt", "W")
    assert (found.code, found.out) == (2, "")
    assert "bad.tex:1:7" in found.err
    assert "did you mean \\tanh?" in found.err


def test_losses_on_the_command_line(run) -> None:
    found = run("derive", "lstm", "--of", "L", "--wrt", "U_f", "--readout", "--loss", "squared",
                "--form", "recursive")  # fmt: skip
    assert found.code == 0
    assert "y_t = W_y h_t + b_y" in found.out
    assert "λ_t^y = y_t - d_t" in found.out
    found = run("derive", "rnn", "--of", "L", "--wrt", "w_h", "--mean", "--decay", "all",
                "--scalar")  # fmt: skip
    assert found.code == 0
    assert "dL/dw_h = ρ w_h + (1/T)" in found.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rnn", "--of", "h_T", "--wrt", "W_h", "--loss", "squared"), "about L"),
        (("rnn", "--of", "h_T", "--wrt", "W_h", "--mean"), "about L"),
        (("rnn", "--of", "L", "--wrt", "W_h", "--decay", "Q"), "declares no 'Q'"),
        (
            (
                "rnn",
                "--of",
                "L",
                "--wrt",
                "W_h",
                "--loss",
                "squared",
                "--mean",
                "--objective",
                "final",
            ),
            "a sum of losses",
        ),
    ],
)
def test_losses_that_make_no_sense(refused, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused("derive", *arguments)

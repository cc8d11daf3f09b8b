"""Proofs as files and as evidence: the command line, the kernel alone, verdicts."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import symgrad as sg
from symgrad.cli import main
from symgrad.derivation.certificates import (
    Certificate,
    certificate,
    certificate_in,
    certified,
    difference,
)
from symgrad.derivation.proofwriter import NoCertificate
from symgrad.verify import kernel
from symgrad.verify.verdict import Verdict

KERNEL = Path(kernel.__file__)
LINEAR = sg.CATALOGUE["linear"].scalar()
CLOSED = sg.closed_form(LINEAR, "h_T", "w")


# ---- the kernel alone -----------------------------------------------------------------------


def test_the_kernel_is_300_lines_of_the_standard_library() -> None:
    text = KERNEL.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(str(node.module))
    assert {name.split(".")[0] for name in found} <= set(sys.stdlib_module_names)


def test_the_file_runs_alone(tmp_path: Path) -> None:
    """A copy, without any installed package, prints the theorem; of a wrong proof one line."""
    shutil.copy(KERNEL, tmp_path / "kernel.py")
    proof = certificate(LINEAR, CLOSED).proof
    (tmp_path / "good.json").write_text(proof)
    (tmp_path / "bad.json").write_text(proof.replace('"0"', '"1"'))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-I", "-S", "kernel.py", *words]
        return subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)

    good, bad = run("good.json"), run("bad.json")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout) == kernel.check(proof)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert len(bad.stderr.splitlines()) == 1
    assert "Refused: line" in bad.stderr
    usage = "usage: kernel.py FILE, where FILE is a proof in JSON\n"
    for words in ((), ("--help",), ("absent.json",), (".",), ("good.json", "good.json")):
        found = run(*words)
        assert (found.returncode, found.stdout, found.stderr) == (2, "", usage)


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text(certificate(LINEAR, CLOSED).proof)
    call = [sys.executable, "-m", "symgrad.verify.kernel", str(tmp_path / "proof.json")]
    found = subprocess.run(call, capture_output=True, text=True, check=True)
    assert difference(json.loads(found.stdout), LINEAR, CLOSED) == ""
    assert found.stderr == ""


# ---- the command line ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        "linear --of h_T --wrt w --form closed --scalar",
        "linear-input --of h_T --scalar",
        "lstm --of c_T --wrt c_k --along c",
        "rnn --of h_T --wrt W_h",
        "rnn --of h_t --wrt h_{t-1} --format json",
    ],
)
def test_the_proof_of_what_is_printed(
    question: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "proof.json"
    assert main(["derive", *question.split()]) == 0
    printed = capsys.readouterr().out
    assert main(["derive", *question.split(), "--proof", str(file)]) == 0
    assert capsys.readouterr().out == printed
    assert kernel.check(file.read_text(encoding="utf-8"))["claims"]
    assert [path.name for path in tmp_path.iterdir()] == ["proof.json"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("rnn --of h_T --wrt W_h --form recursive", "expanded and the closed"),
        ("rnn --of h_T --wrt W_h --form unrolled --T 3", "expanded and the closed"),
        ("linear --of h_T --wrt w --input constant", "without --input"),
        ("rnn --of L --wrt W_h", "no proof in JSON"),
        ("rnn --of h_t --wrt W_h --immediate --scalar", "no proof in JSON"),
    ],
)
def test_where_no_proof_is_known(
    question: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, the reason, nothing printed as if it were done, and an old file left alone."""
    file = tmp_path / "proof.json"
    file.write_text("old")
    assert main(["derive", *question.split(), "--proof", str(file)]) == 3
    out, errors = capsys.readouterr()
    assert out == ""
    assert words in errors
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("proof.json", "old")]


@pytest.mark.parametrize("place", [".", "absent/proof.json"])
def test_where_no_file_can_be(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["derive", "linear", "--of", "h_T", "--proof", str(tmp_path / place)]
    assert main(call) == 2
    assert "give a file in a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ---- verdicts -----------------------------------------------------------------------------------


def test_a_verdict_carries_its_proof() -> None:
    verdict = sg.verdict_of(LINEAR, CLOSED)
    found = certificate_in(verdict)
    assert found is not None
    assert difference(found.theorem, LINEAR, CLOSED) == ""
    assert "replayed by the kernel" in verdict.how
    assert verdict.proof is not None
    assert verdict.proof.replay()
    assert not Certificate(found.proof.replace('"0"', '"1"'), found.theorem).replay()
    other = certificate(LINEAR, sg.forward_form(LINEAR, "h_T"))
    assert not Certificate(other.proof, found.theorem).replay()


def test_columns_are_proved_for_all_sizes() -> None:
    cell = sg.CATALOGUE["lstm"]
    for form in (
        sg.expanded_form(cell, "c_T", "c_k", along=("c",)),
        sg.expanded_form(cell, "h_T", "U_o"),
        sg.expanded_form(cell, "h_t", "c_{t-1}"),
    ):
        verdict = sg.verdict_of(cell, form)
        assert verdict.status == "proved"
        assert verdict.scope.startswith("all ")
        assert verdict.scope.endswith(", all sizes m, n")


def test_what_is_wrong_is_not_proved() -> None:
    """A displayed formula with a proof of the right one beside it."""
    cell = sg.CATALOGUE["rnn"]
    form = sg.expanded_form(cell, "h_T", "W_h")
    wrong = replace(form, right=form.right + form.right)
    assert difference(certificate(cell, form).theorem, cell, wrong)
    with pytest.raises(NoCertificate):
        certificate(cell, wrong)
    assert sg.verdict_of(cell, wrong).status == "refuted"


@pytest.mark.parametrize("status", ["refuted", "undecided", "tested", "given"])
def test_no_other_verdict_is_raised(status: str) -> None:
    """The kernel does not overrule what evaluation refutes, nor what it could not decide."""
    verdict = Verdict(status)  # type: ignore[arg-type]
    assert certified(LINEAR, CLOSED, None, verdict) is verdict

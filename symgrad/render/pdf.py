"""LaTeX to PDF: the text of an article in, the bytes of its PDF out.

TeX runs in a fresh directory, may not start programs and may not read or write files
outside it, has a time limit, and sees a fixed date, so the same text gives the same
bytes. Nothing is left behind.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_MOST_RUNS = 6
TIMEOUT = 120.0  # seconds for all runs of one document
_JOB = "document"  # never the caller's name: TeX would read it as a command line
_OPTIONS = ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error")


class PdfError(RuntimeError):
    """TeX is missing, refused the text or took too long."""


def pdf_available() -> str | None:
    """The path of pdflatex; None when TeX is not installed."""
    return shutil.which("pdflatex")


def compile_pdf(tex: str, *, name: str) -> bytes:
    """The PDF of ``tex``; ``name`` is only used to say which document failed."""
    program = pdf_available()
    if program is None:
        raise PdfError(f"{name}: no TeX found; install texlive-latex-recommended")
    with tempfile.TemporaryDirectory(prefix="symgrad-") as folder:
        place = Path(folder)
        (place / f"{_JOB}.tex").write_text(tex, encoding="utf-8")
        written: dict[str, bytes] = {}
        # Not latexmk: it looks at times of files, and may stop one run too early when two
        # runs fall into one second. The contents of what TeX wrote do not lie.
        for _ in range(_MOST_RUNS):
            _run((program, *_OPTIONS, f"{_JOB}.tex"), place, name)
            before, written = written, _notes(place)
            if before == written:
                break
        return (place / f"{_JOB}.pdf").read_bytes()


def _notes(place: Path) -> dict[str, bytes]:
    """What a run leaves for the next one: page numbers, contents, widths of tables."""
    return {
        path.name: path.read_bytes()
        for path in sorted(place.iterdir())
        if path.suffix in (".aux", ".toc", ".out")
    }


def _run(command: tuple[str, ...], place: Path, name: str) -> None:
    fixed = {
        "SOURCE_DATE_EPOCH": "946684800",
        "FORCE_SOURCE_DATE": "1",
        "openin_any": "p",
        "openout_any": "p",
        "max_print_line": "1000",
    }
    try:
        done = subprocess.run(
            command,
            cwd=place,
            env=os.environ | fixed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PdfError(f"{name}: TeX took longer than {TIMEOUT:g} s") from error
    if done.returncode:
        raise PdfError(f"{name}: TeX failed\n{_why(place)}")


def _why(place: Path) -> str:
    """The error of the log with the line it happened in."""
    log = place / f"{_JOB}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    for number, line in enumerate(lines):
        if line.startswith("!"):
            ends = (at for at in range(number, len(lines)) if re.match(r"l\.\d+", lines[at]))
            return "\n".join(lines[number : min(next(ends, number) + 2, number + 12)])
    return "\n".join(lines[-8:]) or "it wrote no log"

"""``symgrad derive --proof FILE``: the proof of what is printed, as JSON."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from symgrad.derivation.certificates import certificate, certificate_in
from symgrad.derivation.proofwriter import NoCertificate
from symgrad.derivation.question import Answer, Request
from symgrad.derivation.request import objective_of
from symgrad.errors import UsageError


def check_place(file: str) -> None:
    """Before anything is derived: whether a file can be there.

    Raises:
        UsageError: a folder, or in no folder.
    """
    path = Path(file)
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--proof {file!r} is a folder or in none; give a file in a folder")


def write_proof(file: str, request: Request, found: Answer) -> None:
    """Write the proof of an answer, whole or not at all.

    Raises:
        NoCertificate: no proof in JSON is known; the message says why.
        UsageError: the file cannot be written.
    """
    path, form = Path(file), found.form
    if form is None or form.kind == "elementary":
        raise NoCertificate(
            "--proof writes proofs of one formula with Σ and Π: of the expanded and the closed "
            "form without --input, and of a state"
        )
    proof = certificate_in(found.verdict)
    if proof is None:
        certificate(request.cell, replace(form, objective=objective_of(request)))
        raise NoCertificate(f"nothing is proved of it: {found.verdict!r}")
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(f"{proof.proof}\n")
            os.replace(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
    except OSError as error:
        raise UsageError(f"--proof {file!r}: {error.strerror}") from None

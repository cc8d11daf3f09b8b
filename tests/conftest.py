"""Hypothesis: the same examples on every run where CI is set; no deadline anywhere."""

import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import settings

from tools import THOROUGH

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that is started here hears SIGINT, even if the tests run in the background.

    A shell ignores the signal for what it starts with ``&``, and every child inherits that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts for T up to 8 in place of 50, where a test is about something else than T."""
    if THOROUGH:
        return
    from symgrad.derivation import request, verdicts, writer
    from symgrad.derivation.evidence import Evidence
    from symgrad.judge import statement

    for module in (request, statement, verdicts, writer):
        monkeypatch.setattr(module, "Evidence", partial(Evidence, thorough=False))

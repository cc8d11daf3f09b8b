"""The rule about missing tools: skipped with a reason, except in CI."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import require_tool


def test_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    python = Path(sys.executable)
    monkeypatch.setenv("PATH", str(python.parent))

    assert require_tool("no-such-program", python.name) == str(python)


def test_a_missing_tool_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        require_tool("no-such-program")


def test_a_missing_tool_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="a-program or b-program is not installed"):
        require_tool("a-program", "b-program")

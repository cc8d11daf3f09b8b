"""What some tests need from outside: TeX, a browser, a compiler; optional packages.

And how many of many cases that are alike are tried: a part, or all with SYMGRAD_THOROUGH=1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import pytest

THOROUGH = bool(os.environ.get("SYMGRAD_THOROUGH"))


def every(step: int, cases: Iterable[Any]) -> list[Any]:
    """The first of every ``step`` cases; all of them where SYMGRAD_THOROUGH is set."""
    return list(cases)[:: 1 if THOROUGH else step]


def require_tool(*names: str) -> str:
    """The path of the first program that is installed, of several that would do.

    Where none is, the test is skipped with the reason; in CI, which installs them all, it
    fails instead.
    """
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    reason = f"{' or '.join(names)} is not installed"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and in CI nothing is skipped for a missing tool")
    pytest.skip(reason)


def require_module(name: str) -> Any:
    """An optional package; without it the test is skipped with the reason, and fails in CI."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        reason = f"the package {name} is not installed"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and in CI nothing is skipped for a missing tool")
    pytest.skip(reason)

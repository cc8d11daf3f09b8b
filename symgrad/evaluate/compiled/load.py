"""Generated source as a module: the one place where it is compiled by Python.

The source is made of our own names, operators and numbers; nothing that a user wrote is in
it. It is loaded as a module, so that a traceback shows its lines.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import linecache
from itertools import count
from types import ModuleType
from typing import Any

_numbers = count(1)


class _Source(importlib.abc.InspectLoader):
    def __init__(self, source: str) -> None:
        self.source = source

    def get_source(self, fullname: str) -> str:
        return self.source


def load(source: str, names: dict[str, Any] | None = None) -> ModuleType:
    """The module of a generated source; ``names`` are set in it first."""
    name = f"symgrad_generated_{next(_numbers)}"
    spec = importlib.util.spec_from_loader(name, _Source(source))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(names or {})
    spec.loader.exec_module(module)
    linecache.cache["<string>"] = (len(source), None, source.splitlines(keepends=True), "<string>")
    return module

"""Identifiers of the exported code: what a user declared is data and never code."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Hashable, Iterable

#: Local names of the code itself, in every function of every target.
_OWN = {
    "T", "t", "params", "inputs", "initial", "values", "grads", "input_grads", "last", "batch",
    "like", "given", "carry", "one_step", "last_step", "before", "start", "series", "forward",
    "objective", "gradient", "np", "torch", "jnp", "lax",
}  # fmt: skip


class Names:
    """One identifier per thing; never a keyword, a builtin, or a name of the code's own."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._used = {
            *keyword.kwlist,
            *keyword.softkwlist,
            *(set(dir(builtins)) - {"_"}),
            *_OWN,
            *reserved,
        }
        self._known: dict[Hashable, str] = {}

    def of(self, thing: Hashable, wanted: str) -> str:
        """The identifier of ``thing``: ``wanted``, with underscores where that is taken."""
        found = self._known.get(thing)
        if found is None:
            found = re.sub(r"[^A-Za-z0-9_]", "_", wanted)
            if not found[:1].isalpha():
                found = f"v{found}"
            while found in self._used:
                found += "_"
            self._used.add(found)
            self._known[thing] = found
        return found


def quoted(name: str) -> str:
    """A declared name as a string literal with double quotes."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

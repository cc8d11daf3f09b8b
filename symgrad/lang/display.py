"""How values show themselves: a registry that ``render`` fills.

Nothing in ``lang`` knows an output language. A displayable asks here; until a
renderer is registered it shows its plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

#: (kind, format) -> printer; the formats are text, latex, html and svg.
RENDERERS: dict[tuple[str, str], Callable[[Any], str]] = {}


def render(value: Any, kind: str, form: str) -> str | None:
    """The value in an output format, or None where nobody can print it so."""
    printer = RENDERERS.get((kind, form))
    return None if printer is None else printer(value)


class Displayable:
    """Base of everything that shows itself in text, in a notebook and in documents."""

    __slots__ = ()
    display_kind: ClassVar[str] = ""

    def plain_text(self) -> str:
        return render(self, self.display_kind, "text") or object.__repr__(self)

    def __repr__(self) -> str:
        return self.plain_text()

    def _repr_latex_(self) -> str | None:
        found = render(self, self.display_kind, "latex")
        return None if found is None else f"$\\displaystyle {found}$"

    def _repr_html_(self) -> str | None:
        return render(self, self.display_kind, "html")

    def _repr_svg_(self) -> str | None:
        return render(self, self.display_kind, "svg")

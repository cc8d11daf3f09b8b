"""What the inference of sizes keeps, how it speaks of shapes, and how free sizes are named."""

from __future__ import annotations

from symgrad.lang.affine import ONE, Affine, symbol
from symgrad.lang.nodes import Shape
from symgrad.parse.errors import ParseError, Source
from symgrad.parse.expressions import Expr, Ref, every
from symgrad.parse.table import Entry, Names, Sizes, shown

#: What free sizes are called: the state's, the input's, the output's, then the others.
_STATE, _INPUT, _OUTPUT = "ndN", "muM", "pqo"
_OTHERS = "pqrsdlvwabcghnmyzPQRS"


class ShapeBase:
    """The shapes of all names and expressions of one text."""

    def __init__(self, source: Source, names: Names) -> None:
        self.source, self.names = source, names
        self.sizes = Sizes()
        #: What was found, by occurrence; the expressions live as long as their text is read.
        self.known: dict[int, Shape] = {}
        self.parts: list[Expr] = []
        #: Sizes of I and 𝟏, by occurrence.
        self.special: dict[int, Shape] = {}
        #: Where the first product was seen that has its vector right, and left.
        self.column_product: Expr | None = None
        self.row_product: Expr | None = None

    def open(self) -> None:
        """Give every name a shape of its form, with sizes that are not known yet."""
        for entry in self.names.entries.values():
            if entry.declared is not None:
                entry.shape = entry.declared
            elif entry.shape is None:
                form = entry.form or "C"
                rows = self.sizes.fresh() if form in "CM" else ONE
                entry.shape = (rows, self.sizes.fresh() if form in "RM" else ONE)

    # ---- errors -----------------------------------------------------------------------

    def text(self, expr: Expr) -> str:
        return " ".join(self.source.text[expr.at : expr.end].split())

    def shown_as(self, expr: Expr, shape: Shape) -> str:
        self.provisional()
        return f"{self.text(expr)} is {shown(self.sizes.shape(shape))}"

    def provisional(self) -> None:
        """Letters for all sizes, so that an error can speak of them: nothing follows it."""
        self.sizes.waiting = []
        taken = self.names.taken()
        for entry in self.names.entries.values():
            letters = {"signal": _STATE, "input": _INPUT, "parameter": _OTHERS}[entry.role]
            for size in entry.shape or ():
                self._name(size, letters, taken)

    def _reasons(self, *exprs: Expr) -> str:
        """Why the names in the expressions have their shapes."""
        told: dict[str, str] = {}
        for expr in exprs:
            for item in every(expr):
                if isinstance(item, Ref) and item.name not in told:
                    told[item.name] = self._reason(self.names.entries.get(item.name))
        lines = [f"\n        {reason}" for reason in told.values() if reason]
        return "".join(lines[:6])

    def _reason(self, entry: Entry | None) -> str:
        if entry is None or entry.shape is None:
            return ""
        shape = self.sizes.shape(entry.shape)
        why = f": {entry.why}" if entry.why else ""
        if not why and entry.role != "parameter":
            why = f": a{'n input' if entry.role == 'input' else ' signal'}, so a column"
        return f"{entry.name} is {shown(shape)}{why}"

    def clash(self, where: Expr, message: str, *exprs: Expr) -> ParseError:
        """The error for shapes that do not conform, with where each comes from."""
        return self.source.error(f"{message}{self._reasons(*exprs)}", where.at, where.end)

    # ---- names of sizes ----------------------------------------------------------------

    def close(self, order: list[str], states: list[str], output: str) -> None:
        """Name the sizes that are free.

        Raises:
            ParseError: sizes that no equation determines, such as those of two blocks of
                which only the sum is known.
        """
        if self.sizes.waiting:
            left, right = self.sizes.waiting[0]
            entry = next(iter(self.names.entries.values()))
            raise self.source.error(
                "the sizes of concatenated parts do not follow from the equations "
                f"({shown((left, ONE))} against {shown((right, ONE))}): declare the shapes",
                entry.at,
                entry.end,
            )
        taken = self.names.taken()
        entries = self.names.entries
        inputs = [name for name in order if entries[name].role == "input"]
        for group, letters in (
            (states, _STATE),
            (inputs, _INPUT),
            ([output], _OUTPUT),
            (order, _OTHERS),
        ):
            for name in group:
                shape = entries[name].shape
                assert shape is not None
                for size in shape:
                    self._name(size, letters, taken)
        for shape in self.special.values():
            self._name(shape[0], _OTHERS, taken)
        for entry in entries.values():
            assert entry.shape is not None
            entry.shape = self.sizes.shape(entry.shape)

    def _name(self, size: Affine, letters: str, taken: set[str]) -> None:
        for unknown in sorted(self.sizes.find(size).names, key=lambda name: (len(name), name)):
            if not unknown.startswith("?"):
                continue
            numbers = (f"n_{i}" for i in range(1, 10_000))
            candidates = (*letters, *_OTHERS)
            letter = next((c for c in candidates if c.lower() not in taken), None)
            letter = letter or next(name for name in numbers if name not in taken)
            taken.add(letter.lower())
            self.sizes.values[unknown] = symbol(letter)

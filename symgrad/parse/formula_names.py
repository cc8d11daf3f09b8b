"""The names in a formula: those of a cell, its adjoints, times, and what the caller adds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symgrad.cell import Cell
from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import Apply, Name, Node, Param, Signal
from symgrad.ops import GENERIC
from symgrad.parse.errors import ParseError, Source, did_you_mean
from symgrad.parse.expressions import Expr, Index, Ref, Special
from symgrad.parse.functions import FUNCTIONS, always_generic
from symgrad.parse.grammar import Syntax
from symgrad.parse.names import NameReader
from symgrad.parse.scope import unknown_function
from symgrad.parse.spelling import Name as Written
from symgrad.parse.spelling import Spelling, affine_of
from symgrad.parse.tree import Frac, Group, Mark, Script, Tree

_ADJOINTS = {"lambda": "lam", "lam": "lam", "delta": "delta", "dl": "dl", "target": "target"}

#: What stands for a time is a number before parentheses: T (T - 1).
_TIMES = ("T", "t", "k", "j")


#: \\mathcal{L}, as papers write the loss of a whole run.
_SCRIPT_L = Spelling("L", ("cal",))


class FormulaNameReader(NameReader):
    """In a formula a superscript that is a time is a power, unless it stands in parentheses.

    ``signals`` are the names that need a time: at one that has none yet, it is the time.
    """

    signals: frozenset[str] = frozenset()

    def __init__(self, source: Source, syntax: Syntax, letters: frozenset[str], cell: Cell) -> None:
        super().__init__(source, syntax, letters)
        self._own_script = cell.declared_name(_SCRIPT_L.plain) is not None

    def read(self, tree: Tree) -> Written | None:
        """As ``NameReader.read``; 𝓛 is L, unless the cell has a name that is written so."""
        found = super().read(tree)
        if found is None or self._own_script or found.spelling.base != "L":
            return found
        spelling = found.spelling
        if spelling.accents[:1] == _SCRIPT_L.accents and self.syntax == "latex":
            return replace(found, spelling=replace(spelling, accents=spelling.accents[1:]))
        return found

    def acts(self, name: Written, item: Tree) -> bool:
        if isinstance(item, Group) and item.bracket in ("(", "<", "["):
            return False
        if isinstance(item, Frac):
            return True
        if super().acts(name, item):
            return True
        if name.spelling.base in _ADJOINTS or affine_of(item, self.letters) is None:
            return False
        return name.time is not None or name.spelling.plain not in self.signals

    def _script(self, name: Written, script: Script) -> Written | None:
        if script.kind == "'":
            # A prime in plain text: of a function, or an error once the name is known.
            mark = script.items[0]
            assert isinstance(mark, Mark)
            return self._primed(name, len(mark.text))
        return super()._script(name, script)


class FormulaScope:
    """Looks names up: the longest declared name, then its time."""

    def __init__(
        self,
        source: Source,
        reader: FormulaNameReader,
        cell: Cell,
        extra: Iterable[Node],
        letters: frozenset[str],
    ) -> None:
        self.source, self.reader, self.cell, self.letters = source, reader, cell, letters
        self.timeless: dict[str, Node] = {p.name: p for p in cell.params}
        self.signals: dict[str, Node] = {s.name: s for s in (*cell.signals, *cell.inputs)}
        for node in extra:
            if isinstance(node, Signal) or (isinstance(node, Name) and node.time is not None):
                self.signals[node.name] = node
            elif isinstance(node, Param | Name):
                self.timeless[node.name] = node
        self.sizes = frozenset(cell.size_names) - self.timeless.keys()
        reader.signals = frozenset(self.signals.keys() - self.timeless.keys())
        #: The node that a name of an expression means.
        self.nodes: dict[str, Node] = {}

    def error(self, message: str, name: Written) -> ParseError:
        return self.source.error(message, name.at, name.end)

    def refer(self, name: Written) -> Expr:
        """The parameter, the signal at its time, or the time that a name means.

        Raises:
            ParseError: there is no such name; the nearest one is suggested.
        """
        node = self.find(name)
        if node is not None:
            key = f"{type(node).__name__} {node!r}"
            self.nodes[key] = node
            return Ref(name=key, at=name.at, end=name.end)
        plain = name.spelling.plain
        if name.spelling.primes and self.reader.syntax == "text":
            raise self.error(
                "a prime is not read here: write .T for the transpose, h_prime for a name", name
            )
        if name.spelling.base == "𝟏":
            return Special(kind="ones", at=name.at, end=name.end)
        if plain == "I" and name.time is None:
            return Special(kind="identity", at=name.at, end=name.end)
        if name.time is None and (plain in self.letters or plain in self.sizes):
            return Index(form=symbol(plain), at=name.at, end=name.end)
        raise self._unknown(plain, name)

    def _unknown(self, plain: str, name: Written) -> ParseError:
        if plain in self.signals and name.time is None:
            return self.error(
                f"{plain} is a signal and needs a time: {plain}_t, {plain}_T or {plain}_0", name
            )
        # λ without a time can be meant as a coefficient.
        adjoint = name.spelling.base == "delta" or (
            name.spelling.base in ("lambda", "lam") and name.time is not None
        )
        if adjoint and name.spelling.is_bare:
            return self.error(self._which_adjoint(), name)
        timed = name.time is not None or self._time(name.spelling) is not None
        if timed and name.spelling.base == "L" and not name.spelling.accents:
            return self.error(
                "L has no time: write ℓ_t for the loss of a step, as in ∂ℓ_t/∂y_t",
                name,
            )
        if plain in self.timeless:
            return self.error(f"{plain} is a parameter and has no time", name)
        params = [key for key, node in self.timeless.items() if isinstance(node, Param)]
        known = [*params, *self.signals]
        return self.error(
            f"{self.cell.name} declares no {plain}: {did_you_mean(plain, known, cutoff=0.5)}"
            f"it has the signals {', '.join(self.signals)} and the parameters "
            f"{', '.join(params) or 'none'}",
            name,
        )

    def _which_adjoint(self) -> str:
        """δ and λ belong to a signal."""
        equations = self.cell.equations
        activated = [
            e.target.name
            for e in equations
            if isinstance(e.value, Apply) and e.value.head.elementwise
        ]
        first = activated[0] if activated else ""
        q = first or equations[0].target.name
        said = (
            f"δ_t^{q} is the derivative of L by the argument of the activation of {q}_t, "
            if first
            else ""
        )
        return (
            f"δ and λ are written with the signal that they belong to: {said}λ_t^{q} or dL/d{q}_t "
            f"the one by {q}_t"
        )

    def find(self, name: Written) -> Node | None:
        """The node of a name, None where there is none."""
        spelling, time = name.spelling, name.time
        adjoint = _ADJOINTS.get(spelling.base, "")
        if spelling.uppers[-1:] == ("star",):
            adjoint = "target"
            return self._signal(replace(spelling, uppers=spelling.uppers[:-1]), time, adjoint)
        found = self._plain(spelling, time, "")
        if found is None and adjoint and (spelling.labels or spelling.uppers):
            words = (*spelling.uppers, *spelling.labels)
            base, *labels = (word.lstrip("\\") for word in words)
            inner = Spelling(base, (), tuple(labels))
            return self._plain(inner, time, adjoint)
        return found

    def _plain(self, spelling: Spelling, time: Affine | None, adjoint: str) -> Node | None:
        if time is None and not adjoint:
            timeless = self._declared(spelling.plain, self.timeless)
            if timeless is not None:
                return timeless
        found = self._signal(spelling, time, adjoint)
        if found is None and time is not None and len(time.terms) == 1 and not time.const:
            # W_k of a parameter W_k: k is no time there.
            ((letter, count),) = time.terms
            longer = f"{spelling.plain}_{letter}"
            if count == 1 and not adjoint:
                return self._declared(longer, self.timeless)
        return found

    def _declared(self, plain: str, table: dict[str, Node]) -> Node | None:
        """The scalar reading prints all names in lower case; both cases are read there."""
        found = table.get(plain)
        if found is None and self.cell.is_scalar:
            known = self.cell.declared_name(plain)
            return None if known is None else table.get(known)
        return found

    def _signal(self, spelling: Spelling, time: Affine | None, adjoint: str) -> Node | None:
        if time is None and spelling.labels:
            # h_T, h_0, and in plain text x_k: the time is the last label.
            time = self._time(spelling)
            spelling = replace(spelling, labels=spelling.labels[:-1])
        node = self._declared(spelling.plain, self.signals)
        if time is None or node is None:
            return None
        if isinstance(node, Signal):
            return Signal((node.name, time, adjoint), (), node.shape)
        return None if adjoint else Name((node.key[0], time, node.key[2]), (), node.shape)

    def _time(self, spelling: Spelling) -> Affine | None:
        """The time that the last label of a name is."""
        last = spelling.labels[-1].lstrip("\\") if spelling.labels else ""
        if last in self.letters:
            return symbol(last)
        return as_affine(int(last)) if last.isdigit() and len(last) < 7 else None

    def check_loss(self, loss: Written, wrt: Expr) -> None:
        """``∂ℓ_t/∂y_t`` is by the signal that the loss looks at, at the time of the loss.

        Raises:
            ParseError: it is another derivative of a loss.
        """
        node = self.nodes.get(wrt.name) if isinstance(wrt, Ref) else None
        time = loss.time if loss.time is not None else self._time(loss.spelling)
        if not isinstance(node, Signal) or (time is not None and time != node.time):
            raise self.error(
                "∂ℓ_t is read beside the signal that the loss looks at, at the same time, as in "
                "∂ℓ_t/∂y_t; put the loss into the cell with with_loss to differentiate it by "
                "something else",
                loss,
            )

    def function(
        self, name: Written, applied: bool, alone: bool = False
    ) -> tuple[str, bool] | None:
        """As ``Scope.function``."""
        spelling = name.spelling
        plain = replace(spelling, primes=0).plain
        if name.time is not None or self.find(name) is not None:
            return None
        primes = "'" * spelling.primes
        if plain in FUNCTIONS and not primes:
            return plain, False
        if plain in FUNCTIONS and FUNCTIONS[plain].acts == "entries":
            if len(primes) > 1:
                raise self.error(
                    f"write {plain}{primes} out; only the first derivative is read", name
                )
            return plain + primes, True
        if applied and plain not in _TIMES and (plain in GENERIC or always_generic(plain)):
            return plain + primes, True
        if applied and (name.function or (len(spelling.base) > 1 and spelling.is_bare)):
            if plain in self.letters:
                return None
            if plain[:1] == "d" and plain[1:] in self.signals and self.reader.syntax == "text":
                short = plain[1:]
                raise self.error(
                    f"{plain} in front of brackets: write the time of a differential as a "
                    f"subscript, d{short}_T/dw, d{short}_{{t-1}}/dw",
                    name,
                )
            raise unknown_function(self.source, name)
        return None

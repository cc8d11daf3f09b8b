"""Checks a proof in JSON and returns the theorem it proves, with the hypotheses it rests on.

Standard library only; ``python kernel.py FILE`` prints the theorem. A line says left = right for
all integer times at which each form of ``when`` is >= 0. Why each rule is sound: docs/proofs.md."""

# fmt: off
# These lines are all that has to be trusted: written densely, to be read in one sitting.
import json
import re
import sys
from fractions import Fraction
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

Aff = frozenset[tuple[str, int]]  # an affine form: coefficients by name, "" for the constant
Poly = dict[Any, Fraction]  # (bound indices with counts, powers of numbers, word) -> coefficient
MOST, DEEPEST, LONGEST, WIDEST = 20_000, 50, 64, 9_999  # terms, nesting, terms split off, bits
FIELDS = {"num": "q", "int": "a", "par": "wss", "dir": "wss", "unit": "sss", "sig": "wass",
          "ones": "ss", "pow": "ta", "T": "t", "diag": "t", "tr": "t", "der": "ttw", "sum": "aat",
          "prod": "aat", "call": "wt", "cases": "att"}  # and add, mul: two terms or more
RULES = {"given": "when claims", "slope": "call is", "differentiate": "line wrt kind",
         "show": "when claims on from bases step"}

class Refused(Exception):
    """The proof proves nothing; the message says where and why."""
def _need(holds: object, why: str) -> None:
    if not holds:
        raise Refused(why)
def _gather(pairs: Any, plus: Any = lambda a, b: a + b) -> dict[Any, Any]:
    total: dict[Any, Any] = {}
    for key, value in pairs:
        total[key] = plus(total[key], value) if key in total else value
    return {key: value for key, value in total.items() if value}
def _lin(left: Aff | int, right: Aff | int = 0, factor: int = 1) -> Aff:  # left + factor · right
    one, two = ([("", f)] if isinstance(f, int) else f for f in (left, right))
    return frozenset(_gather([*one, *((n, factor * c) for n, c in two)]).items())
ONE, SCALAR, VOID = _lin(1), (_lin(1), _lin(1)), ((), frozenset[Any](), ())

@lru_cache(maxsize=MOST)
def entails(ctx: tuple[Aff, ...], form: Aff) -> bool:
    """Whether form >= 0 follows: no rational point has ctx >= 0, form <= -1 (Fourier-Motzkin)."""
    forms = {*ctx, _lin(-1, form, -1)}
    for name in sorted({n for f in forms for n, _ in f if n}):
        c = {f: dict(f).get(name, 0) for f in forms}
        pairs = {_lin(_lin(0, p, -c[q]), q, c[p]) for p in forms for q in forms if c[p] > 0 > c[q]}
        forms = pairs | {f for f in forms if not c[f]}
        _need(len(forms) < 500, "the ranges of the times are too many to decide")
    return any(dict(f).get("", 0) < 0 for f in forms)

def read(kind: str, v: Any, bound: int = 0, depth: int = 0) -> Any:
    """A field from JSON as nested tuples; @0 is the index of the nearest Σ or Π, @1 of the next."""
    if kind == "w" and type(v) is str and re.fullmatch(r"[^\W\d][\w',]{0,99}", v):
        return v
    if kind == "q" and type(v) is str and re.fullmatch(r"-?\d{1,300}(/[1-9]\d{0,299})?", v):
        return Fraction(v)
    if kind in "as" and type(v) is dict and all(type(c) is int and c for c in v.values()):
        known, mark = ({f"@{i}" for i in range(bound)}, "") if kind == "a" else (set(), "·")
        _need(not mark or all(c > 0 for c in v.values()), "a negative size")  # ·: it is no time
        return frozenset((n if n in known | {""} else mark + read("w", n), v[n]) for n in v)
    _need(kind == "t" and type(v) is list and v and type(v[0]) is str, f"{v!r:.60} stands wrongly")
    head, *rest = v
    kinds = "t" * len(rest) if head in ("add", "mul") and rest[1:] else FIELDS.get(head, "")
    if head in ("par", "dir", "sig") and len(rest) == len(kinds) - 2:
        rest += [{"": 1}, {"": 1}]  # a number
    _need(kinds and len(kinds) == len(rest) and depth < DEEPEST, f"{head:.60} is no term here")
    inner, pairs = bound + (head in ("sum", "prod")), zip(kinds, rest, strict=True)
    return (head, *(read(k, p, inner if k == "t" else bound, depth + 1) for k, p in pairs))
def subst(x: Any, new: dict[str, Aff], depth: int = 0) -> Any:
    """Times replaced by forms; the key @ is the index of the Σ or Π whose body x is."""
    if isinstance(x, frozenset):
        forms = [(new.get("@" if n == f"@{depth}" else n, frozenset({(n, 1)})), c) for n, c in x]
        return reduce(lambda total, form: _lin(total, *form), forms, _lin(0))
    if type(x) is not tuple:
        return x
    body = 3 if x[:1] in (("sum",), ("prod",)) else -1
    return tuple(subst(p, new, depth + (i == body)) for i, p in enumerate(x))
def replaced(x: Any, new: dict[Any, Any]) -> Any:
    """Equals for equals; not inside a derivative, which no value determines."""
    if x in new or type(x) is not tuple or x[:1] == ("der",):
        return new.get(x, x)
    return tuple(replaced(p, new) for p in x)
def _text(x: Any) -> str:
    parts = map(_text, x) if isinstance(x, tuple | frozenset) else [repr(x)]
    return f"({','.join(sorted(parts) if isinstance(x, frozenset) else parts)})"
def _merged(powers: Any, more: Any) -> Any:  # x^a x^b = x^(a+b), exponents being >= 0; x^0 = 1
    return frozenset(_gather([*powers, *more], _lin).items())

def _spelled(entries: Any) -> Any:
    """A word: powers _merged, diagonals (D) as products that commute, Eᵀ E of unit blocks known."""
    out: list[Any] = []
    for atom, e in entries:
        last, power = (out or [(("",), ONE)])[-1]
        if last[0] == "T" and last[1][0] == atom[0] == "unit":
            gaps = [_lin(b[1], _lin(a[1], a[2]), -1) for a, b in ((last[1], atom), (atom, last[1]))]
            if any(all(c > 0 for _, c in gap) for gap in gaps):
                return None  # apart: a block of zeros
        if last == ("T", atom) and atom[0] == "unit":
            out.pop()
        elif last[0] == atom[0] == "D" and power == e == ONE:
            out[-1] = (("D", _merged(last[1], atom[1])), ONE)
        elif last == atom:
            out[-1] = (atom, _lin(power, e))
        else:
            out.append((atom, e))
    return tuple(out)
def _added(left: Poly, right: Poly) -> Poly:
    return _gather([*left.items(), *right.items()])
def _times(left: Poly, right: Poly) -> Poly:
    """The product; what multiplies a sum moves into it."""
    for m, c in (*left.items(), *right.items()):
        large = len(m[2]) + (c.numerator * c.denominator).bit_length()
        _need(large < WIDEST and len(left) * len(right) < MOST, "a normal form that is too large")
    _need(not (any(m[0] for m in left) and any(m[0] for m in right)), "a product of two sums")
    found = [((m[0] + n[0], _merged(m[1], n[1]), _spelled((*m[2], *n[2]))), a * b)
             for m, a in left.items() for n, b in right.items()]
    return _gather([pair for pair in found if pair[0][2] is not None])

def _atomic(atom: Any, size: Any) -> Poly:
    """A number commutes; a column v is the word diag(v) 1, so that u ⊙ v = v ⊙ u."""
    one, column = frozenset({(atom, ONE)}), size[1] == ONE and atom[0] not in ("ones", "unit")
    w = ((("D", one), ONE), (("ones", *size), ONE)) if column else ((atom, ONE),)
    return {((), one, ()) if size == SCALAR else ((), frozenset(), w): Fraction(1)}
def _turned(w: Any) -> Any:  # the transpose of a word
    return _spelled([({"T": a[1], "D": a}.get(a[0], ("T", a)), e) for a, e in reversed(w)])
def _traced(poly: Poly, size: Any) -> Poly:
    """tr, a number: tr(AB) = tr(BA), tr(Aᵀ) = tr(A). A 1 × 1 matrix is its trace."""
    _need(size == SCALAR or all(m[2] for m in poly), "the trace of an identity matrix")
    turns = {w: [v[i:] + v[:i] for v in (w, _turned(w)) for i in range(len(v))] for _, _, w in poly}
    loops = {w: [(("tr", min(turns[w], key=_text)), ONE)] if w else [] for w in turns}
    return _gather([((m[0], _merged(m[1], loops[m[2]]), ()), c) for m, c in poly.items()])
def _on_diagonal(w: Any) -> Any:  # diag(diag(u) v) = diag(u) diag(v), and diag(1) = I
    front, rest = (w[0][0][1], w[1:]) if w[0][0][0] == "D" and w[0][1] == ONE else ((), w)
    ones = len(rest) == 1 and rest[0][0][0] == "ones"
    powers = _merged(front, () if ones else [(("w", rest), ONE)])
    return ((("D", powers), ONE),) if powers else ()

def _size(t: Any) -> Any:  # where nothing can be, no rule is refused but for sizes
    return normal(t, (_lin(-1),))[1]
@lru_cache(maxsize=MOST)
def normal(t: Any, ctx: tuple[Aff, ...]) -> tuple[Poly, Any]:
    """The normal form, and rows and columns; equal forms are equal wherever ctx is >= 0."""
    head, size = t[0], t[-2:] if t[0] != "unit" else (_lin(t[1], _lin(t[2], t[3])), t[2])
    if head == "num":
        return _gather([(VOID, t[1])]), SCALAR
    if head == "int":
        parts = [(_atomic(("int", n), SCALAR) if n else {VOID: 1}, c) for n, c in t[1]]
        return {m: Fraction(c) for one, c in parts for m in one}, SCALAR
    if head == "der":
        (rows, columns), wrt = t[1][-2:], t[2]
        _need((t[1][0], wrt[0]) in (("sig", "par"), ("sig", "sig")), "no derivative of a signal")
        _need(wrt[0] == "par" or wrt[-1] == columns == ONE, "a Jacobian of what is no column")
        size = (rows, wrt[-2] if wrt[0] == "sig" else columns)
    if head in ("par", "dir", "sig", "der", "ones", "unit"):
        return _atomic(t, size), size
    if head == "cases":
        _need(_size(t[2]) == _size(t[3]), "cases of different sizes")
        other = any(entails(ctx, _lin(-1, t[1], sign)) for sign in (1, -1))
        _need(other or (entails(ctx, t[1]) and entails(ctx, _lin(0, t[1], -1))), "an open case")
        return normal(t[3] if other else t[2], ctx)
    if head in ("sum", "prod"):
        return fold(t[0], t[1], t[2], t[3], ctx)
    poly, size = normal(t[1 + (head == "call")], ctx)
    for part in t[2:] if head in ("add", "mul") else ():
        more, other = normal(part, ctx)
        fits = size == other if head == "add" else SCALAR in (size, other) or size[1] == other[0]
        _need(fits, f"{head} of terms whose sizes do not fit")
        poly = (_added if head == "add" else _times)(poly, more)
        size = other if size == SCALAR else size if other == SCALAR else (size[0], other[1])
        poly = _traced(poly, SCALAR) if size == SCALAR else poly
    _need(head not in ("pow", "tr") or size[0] == size[1], f"{head} of what is no square")
    _need(head not in ("call", "diag") or size[1] == ONE, f"{head} of what is no column")
    if head == "call":
        return _atomic(("call", t[1], frozenset(poly.items()), *size), size), size
    if head == "pow":
        _need(entails(ctx, t[2]), "an exponent that may be negative")
        (bound, powers, w), c = next(iter(poly.items()), (VOID, Fraction(0)))
        plain = c == 1 == len(poly) and not bound and (not w or (not powers and len(w) == 1))
        if plain and all({m for m, _ in e} == {""} for _, e in (*powers, *w)):
            up = _merged([(atom, _lin(0, t[2], dict(e)[""])) for atom, e in (*powers, *w)], ())
            return {((), frozenset() if w else up, tuple(up) if w else ()): Fraction(1)}, size
        return fold("prod", ONE, t[2], t[1], ctx)
    if head == "tr":
        return _traced(poly, size), SCALAR
    if head in ("T", "diag") and size != SCALAR:
        turn, size = (_turned, size[::-1]) if head == "T" else (_on_diagonal, (size[0], size[0]))
        return _gather([((*m[:2], turn(m[2])), c) for m, c in poly.items()]), size
    return poly, size
def fold(kind: str, lower: Aff, upper: Aff, body: Any, ctx: tuple[Aff, ...]) -> tuple[Poly, Any]:
    """Σ, and Π with the latest on the left, of n terms; the last split off while n >= 1 is sure."""
    n, plus = _lin(_lin(upper, lower, -1), 1), _added if kind == "sum" else _times
    total, most = _gather([(VOID, Fraction(kind == "prod"))]), _lin(n, LONGEST, -1)
    while entails(ctx, _lin(n, -1)) and not entails(ctx, _lin(0, n, -1)):
        n = _lin(n, -1)
        total = plus(total, normal(subst(body, {"@": _lin(lower, n)}), ctx)[0])
        _need(n != most, f"a range or a power with more than {LONGEST} terms that are sure")
    i = frozenset({(index := f"%{len(ctx)}", 1)})  # by depth: free in no factor from outside
    inside, size = normal(subst(body, {"@": _lin(lower, i)}), (*ctx, i, _lin(_lin(n, i, -1), -1)))
    _need(kind == "sum" or size[0] == size[1], "a product of what is no square")
    rest = ({(((index, n), *m[0]), *m[1:]): c for m, c in inside.items()} if kind == "sum"
            else _atomic(("prod", n, index, frozenset(inside.items()), *size), size))
    return total if entails(ctx, _lin(0, n, -1)) else plus(total, rest), size

def derive(t: Any, wrt: Any, kind: str, slopes: dict[Any, Any], used: set[Any], ans: Any) -> Any:
    """Linearity, product and chain rule; None is 0. ``ans``: calls that signals are."""
    head, rest = t[0], ("mul", *t[2:])
    if t == wrt and head == "par":
        return ("num", Fraction(1)) if t[2:] == SCALAR else ("dir", *t[1:])
    if head == "sig":  # along some paths the other signals do not move, by definition
        return ("der", t, wrt, kind) if kind == "d" or t[1] in kind.split(",") else None
    _need(head not in ("der", "sum", "prod", "pow", "cases", "T", "tr"), f"no derivative of {head}")
    moved = [derive(p, wrt, kind, slopes, used, ans) for p in t[1:] if type(p) is tuple]
    if not any(moved):
        return None
    if head == "call":
        line, slope = slopes[t[1], size := _size(t)]
        used.add(line)
        new = {("par", "ans", *size): ans.get(t, t), ("par", "arg", *size): t[2]}
        return ("mul", ("diag", replaced(slope, new)), moved[0])
    if head != "mul" or len(t) == 2:
        return (head, *filter(None, moved))
    da, dr = moved[0], derive(rest, wrt, kind, slopes, used, ans)
    if da:  # d(s v) = v ds + s dv for a number s, and d(u ⊙ v) = v ⊙ du + u ⊙ dv for columns
        number, column = _size(t[1]) == SCALAR, t[1][0] == "diag" and _size(rest) != SCALAR
        da = (rest, da) if number else (("diag", rest), da[1]) if column else (da, rest)
    return ("add", *filter(None, (dr and ("mul", t[1], dr), da and ("mul", *da))))

def proved(line: Any, known: list[Any], used: set[Any], when: Any, claims: Any) -> Any:
    """Claims for all on >= from by strong induction: the first few values, then every later one."""
    on, start = read("w", line["on"]), read("a", line["from"])
    own, bases = len(known), line["bases"]
    _need(not bases or subst((when, start), {on: _lin(0)}) == (when, start), f"{on} is bounded")
    for place, refs in enumerate([*bases, line["step"]]):
        here = _lin(start, place) if place < len(bases) else frozenset({(on, 1)})
        ctx = when if place < len(bases) else (*when, _lin(_lin(here, start, -1), -place))
        pairs = subst(claims, {on: here})
        _need(not entails(ctx, _lin(-1)), f"the premises of line {own} contradict each other")
        for j, k, form in refs:
            put = {read("w", name): read("a", f) for name, f in form.items()}
            _need(type(j) is type(k) is int and 0 <= j <= own and k >= 0, "no reference to a line")
            premises, fact = (known[j][0], known[j][1][k]) if j < own else ((), claims[k])
            idle = any(subst((premises, fact), {n: f}) == (premises, fact) for n, f in put.items())
            premises, (left, right) = subst((premises, fact), put)
            if j == own:  # the hypothesis, at a value from start on that is before this one
                _need({*put} == {on} and bases, "the hypothesis is about another value")
                premises = (_lin(put[on], start, -1), _lin(_lin(here, put[on], -1), -1))
            _need(all(entails(ctx, p) for p in premises), f"line {j} does not hold in line {own}")
            pairs, before = replaced(pairs, {left: right}), pairs
            _need(pairs != before and not idle, f"line {j} changes nothing in line {own}")
            used |= {(j, k), j} - {own}
        _need(all(normal(a, ctx) == normal(b, ctx) for a, b in pairs), f"line {own} is not shown")
    return (*when, _lin(frozenset({(on, 1)}), start, -1)), claims

def theorem(lines: Any) -> dict[str, Any]:
    """What the last of the lines says, and the hypotheses: lines that are given, or slopes."""
    known, used, slopes = list[Any](), set[Any]({len(lines) - 1}), dict[Any, Any]()
    for own, line in enumerate(lines):
        rule, when, claims = line["rule"], tuple[Any, ...](), tuple[Any, ...]()
        many = [line.get(k, []) for k in ("when", "claims", "bases", "step")]
        fits = all(type(v) is list for v in (*many, *many[2])) and line not in lines[:own]
        _need(fits and {*line} == {"rule", *RULES[rule].split()}, f"line {own} is no new line")
        if rule == "slope":
            call, slope = read("t", line["call"]), read("t", line["is"])
            _need(call[0] == "call" and call[2][:2] == ("par", "arg"), "no slope of a function")
            _need((key := (call[1], _size(call))) not in slopes, "two slopes of a function")
            slopes[key] = (own, slope)
        elif rule == "differentiate":
            source, wrt, kind = line["line"], read("t", line["wrt"]), read("w", line["kind"])
            _need(type(source) is int and lines[source]["rule"] == "given", "only what is given")
            when, ((left, right),) = dict(enumerate(known))[source]
            _need(left[0] == "sig" and (kind == "d" or left[1] in kind.split(",")), "nothing moves")
            used, of = used | {source, (source, 0)}, ("der", left, wrt, kind)
            moved = derive(right, wrt, kind, slopes, used, {right: left})
            claims = ((of, moved or ("mul", ("num", Fraction(0)), of)),)
            if wrt[:2] == left[:2]:  # where a signal is varied its own equation does not hold
                when = (*when, _lin(_lin(left[2], wrt[2], -1), -1))
        else:
            when = tuple(read("a", form) for form in line["when"])
            claims = tuple((read("t", left), read("t", right)) for left, right in line["claims"])
        _need(all(_size(a) == _size(b) for a, b in claims), f"sides of line {own} differ in size")
        known.append(proved(line, known, used, when, claims) if rule == "show" else (when, claims))
    facts = {(j, k) for j, (_, claims) in enumerate(known[:-1]) for k in range(len(claims))}
    _need(lines[-1]["rule"] == "show" and used >= {*range(len(lines)), *facts}, "an idle line")
    given = [line for line in lines if line["rule"] in ("given", "slope")]
    times = [dict(sorted(form)) for form in known[-1][0]]
    return {"hypotheses": given, "when": times, "claims": lines[-1]["claims"]}
def check(proof: str) -> dict[str, Any]:
    """The theorem that a proof in JSON proves; ``Refused`` where it proves none."""
    try:  # an object with a key given twice is read as False, which stands nowhere
        once = json.loads(proof, object_pairs_hook=lambda p: len(dict(p)) == len(p) and dict(p))
        return theorem(once)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Refused(f"no proof: {type(error).__name__}: {error}") from None

if __name__ == "__main__":
    sys.tracebacklimit = 0  # a refusal is one line, and the exit code 1
    if len(sys.argv) != 2 or not (path := Path(sys.argv[1])).exists() or path.is_dir():
        print("usage: kernel.py FILE, where FILE is a proof in JSON", file=sys.stderr)
        sys.exit(2)
    print(json.dumps(check(path.read_text("utf-8")), ensure_ascii=False))

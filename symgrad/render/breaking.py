"""Long formulas to lines: how wide a box is, and where it may be broken.

No output language breaks lines reliably (MathML Core never does), so the printers
ask here. Widths are estimates in em of the text font, on the large side. Breaking
keeps every box and its order; parentheses broken over two lines become two fences
with one side each, and a juxtaposition at a break is written ``·``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from symgrad.render.blocks import Display
from symgrad.render.layout import (
    Big,
    Box,
    Call,
    Cases,
    Fence,
    Frac,
    Grid,
    Ident,
    Number,
    Op,
    Restrict,
    Root,
    Row,
    Script,
    Under,
    Words,
)
from symgrad.render.symbols import (
    head_box,
    height,
    is_letter,
    is_product,
    is_relation,
    is_sum,
    split_name,
)

INDENT = 2.0  # of a continuation line, in em
_TOLERANCE = 1.25  # a factor is broken inside only when it is this many times too wide
_SMALL = 0.72  # size of a script
_HALF = Row((Number("1"), Op("/", "ordinary"), Number("2")))


def width(box: Box) -> float:
    """The estimated width of a displayed formula, in em."""
    match box:
        case Ident(text):
            base, _, primes = split_name(text)
            return _letters_width(base) + 0.25 * len(primes)
        case Number(text) | Words(text):
            return 0.5 * len(text)
        case Op():
            return _operator_width(box)
        case Row(items):
            gaps = 0.3 * sum(isinstance(item, Words) for item in items)
            return sum(map(width, items)) + gaps
        case Script(base, sub, sup):
            scripts = [_SMALL * width(part) for part in (sub, sup) if part is not None]
            return width(base) + max(scripts, default=0.0) + 0.08
        case Frac(over, under):
            return max(width(over), width(under)) + 0.25
        case Big(_, lower, upper, body):
            limits = _SMALL * max(width(lower), width(upper))
            return max(1.45, limits) + 0.2 + width(body)
        case Fence(body, left, right):
            side = (0.38, 0.55, 0.75)[height(body)]
            return width(body) + side * (bool(left) + bool(right))
        case Root(body):
            return width(body) + 0.9
        case Call(_, arguments):
            return width(head_box(box)) + width(Fence(_listed(arguments)))
        case Grid(rows):
            return _columns_width(rows) + 1.2
        case Cases(rows):
            return _columns_width(rows) + 1.0
        case Restrict(body, sub):
            return width(body) + _SMALL * width(sub) + 0.4
        case Under(body, remark):
            return max(width(body), _SMALL * width(remark))
    raise TypeError(f"no width for a {type(box).__name__}")


def break_lines(box: Box, limit: float) -> tuple[Box, ...]:
    """``box`` as lines of at most ``limit`` em, as far as it can be broken.

    Continuation lines start with their operator and are ``INDENT`` narrower.
    """
    return _split(box, limit, limit - INDENT)


@dataclass(frozen=True, slots=True)
class DisplayLine:
    """One line of a displayed equation: what stands left and right of the relation.

    ``left`` and ``relation`` are missing where a line continues the one above.
    """

    left: Box | None
    relation: str
    body: Box

    @property
    def continued(self) -> bool:
        return not self.relation


def display_lines(display: Display, limit: float) -> tuple[DisplayLine, ...]:
    """The lines of an equation or a chain of them that fit into ``limit`` em."""
    left: Box | None = display.left
    room = limit - width(display.left) - width(Op(display.relation, "relation"))
    # Beside a very long left side nothing fits: it gets a line of its own.
    alone = width(display.left) > limit / 3 and any(width(box) > room for box in display.right)
    lines = []
    if alone:
        lines.append(DisplayLine(display.left, "", Row(())))
        left, room = None, limit - INDENT - width(Op(display.relation, "relation"))
    for box in display.right:
        for place, body in enumerate(break_lines(box, room)):
            lines.append(DisplayLine(left, "" if place else display.relation, body))
            left = None
    return tuple(lines)


def _letters_width(name: str) -> float:
    if not is_letter(name):
        return 0.52 * len(name)
    if name in "fijlrtιℓ":
        return 0.42
    if name.isupper():
        return 0.95 if name in "MW" else 0.74
    return 0.56


def _operator_width(op: Op) -> float:
    match op.kind:
        case "binary":
            return 1.2
        case "relation":
            return 1.35
        case "punctuation":
            return 0.45
        case "invisible":
            return 0.17
    return 0.6 * max(len(op.text), 1)


def _columns_width(rows: tuple[tuple[Box, ...], ...]) -> float:
    count = max(map(len, rows), default=0)
    columns = ([row[at] for row in rows if at < len(row)] for at in range(count))
    return sum(max(map(width, column)) for column in columns) + max(count - 1, 0)


def _listed(arguments: tuple[Box, ...]) -> Box:
    comma = Op(",", "punctuation")
    return Row(tuple(part for argument in arguments for part in (comma, argument))[1:])


def _items(box: Box) -> tuple[Box, ...]:
    """The boxes of a line, nested rows opened: they stand side by side all the same."""
    if isinstance(box, Row):
        return tuple(part for item in box.items for part in _items(item))
    return (box,)


def _row(items: tuple[Box, ...]) -> Box:
    return items[0] if len(items) == 1 else Row(items)


def _split(box: Box, first: float, rest: float) -> tuple[Box, ...]:
    if width(box) <= first:
        return (box,)
    items = _items(box)
    for breakable in (is_relation, is_sum, is_product):
        segments = _segments(items, breakable)
        if len(segments) > 1:
            return _fill(segments, first, rest)
    return _split_inside(items, first, rest)


def _segments(
    items: tuple[Box, ...], breakable: Callable[[Box], bool]
) -> tuple[tuple[Box, ...], ...]:
    """The items cut before every breakable operator but a leading one."""
    cuts = [place for place, item in enumerate(items) if place and breakable(item)]
    edges = [0, *cuts, len(items)]
    return tuple(items[start:stop] for start, stop in pairwise(edges))


def _fill(segments: tuple[tuple[Box, ...], ...], first: float, rest: float) -> tuple[Box, ...]:
    """Greedily as many segments on each line as fit; one that fits nowhere is broken itself."""
    lines: list[Box] = []
    current: tuple[Box, ...] = ()
    for segment in segments:
        room = rest if lines else first
        used = width(Row(current))
        if current and used + width(Row(segment)) > room:
            if used < room / 3 and _must_open(segment, rest):
                # It will be opened anyway: begin it behind the little that stands here.
                head, *tail = _split_segment(segment, room - used, rest)
                if tail and used + width(head) <= room:
                    lines.extend((_row((*current, *_items(head))), *tail[:-1]))
                    current = _items(tail[-1])
                    continue
            lines.append(_row(current))
            current, room = (), rest
        if not current and lines:
            segment = _visible(segment)
        if not current and width(Row(segment)) > room:
            *whole, last = _split_segment(segment, room, rest)
            lines.extend(whole)
            current = _items(last)
        else:
            current += segment
    return (*lines, _row(current))


def _must_open(segment: tuple[Box, ...], rest: float) -> bool:
    """Whether one factor of the term is so wide that it will be broken inside."""
    factors = _segments(segment, is_product)
    return any(width(Row(factor)) > _TOLERANCE * rest for factor in factors)


def _split_segment(segment: tuple[Box, ...], first: float, rest: float) -> tuple[Box, ...]:
    """Break a term, its leading operator staying in front of its first factor."""
    if not isinstance(segment[0], Op) or len(segment) == 1:
        return _split(_row(segment), first, rest)
    operator, factors = segment[0], segment[1:]
    head, *tail = _split(_row(factors), first - width(operator), rest)
    return (Row((operator, *_items(head))), *tail)


def _visible(segment: tuple[Box, ...]) -> tuple[Box, ...]:
    """At the start of a line, a product by juxtaposition needs a sign."""
    leading = segment[0]
    if isinstance(leading, Op) and leading.kind == "invisible":
        return (Op("·"), *segment[1:])
    return segment


def _split_inside(items: tuple[Box, ...], first: float, rest: float) -> tuple[Box, ...]:
    """Open the widest fence, sum or call of a term that has no operator of its own."""
    candidates = [place for place, item in enumerate(items) if _body(item) is not None]
    if not candidates:
        return (_row(items),)
    if width(Row(items)) <= _TOLERANCE * max(first, rest):
        return (_row(items),)
    place = max(candidates, key=lambda at: width(items[at]))
    before, after = items[:place], items[place + 1 :]
    box = items[place]
    body = _body(box)
    assert body is not None
    outside = width(_parts(box, (Row(()),))[0]) + width(Row(before))
    pieces = _split(body, first - outside, rest)
    if len(pieces) == 1:
        return (_row(items),)
    opened, *middle, closed = _parts(box, pieces)
    return (
        _row((*before, *_items(opened))),
        *middle,
        _row((*_items(closed), *after)),
    )


def _body(box: Box) -> Box | None:
    """What may be broken over lines inside ``box``, if anything."""
    match box:
        case Fence(body) | Big(_, _, _, body) | Root(body):
            return body
        case Call(_, (argument,)):
            return argument
        case Script(Fence(body)):
            return body
    return None


def _parts(box: Box, pieces: tuple[Box, ...]) -> tuple[Box, ...]:
    """``box`` with its body replaced by pieces on lines of their own."""
    match box:
        case Big(text, lower, upper, _):
            return (Big(text, lower, upper, pieces[0]), *pieces[1:])
        case Call():
            opened, *others = _parts(Fence(Row(())), pieces)
            return (Row((head_box(box), opened)), *others)
        case Root(body):
            # A radical sign covers one line: over several, the exponent 1/2 says the same.
            return _parts(Script(Fence(body), None, _HALF), pieces)
        case Script(Fence() as fence, sub, sup):
            *others, closed = _parts(fence, pieces)
            return (*others, Script(closed, sub, sup))
        case Fence(_, left, right):
            if len(pieces) == 1:
                return (Fence(pieces[0], left, right),)
            opened, *middle, closed = pieces
            return (Fence(opened, left, ""), *middle, Fence(closed, "", right))
    raise TypeError(f"a {type(box).__name__} cannot be broken over lines")

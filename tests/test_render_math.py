"""The printers of mathematics, the reader of inline formulas and the breaking of lines."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from symgrad.render.breaking import INDENT, break_lines, width
from symgrad.render.inline import inline, read_math
from symgrad.render.latex_math import latex
from symgrad.render.latex_text import escape, escape_cells
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
from symgrad.render.mathml import mathml
from symgrad.render.picture_text import flat, runs
from symgrad.render.symbols import children
from symgrad.render.text_math import unicode_text

h, t, x, T = Ident("h"), Ident("t"), Ident("x"), Ident("T")
ONE, ZERO = Number("1"), Number("0")
PLUS, MINUS, HAD = Op("+"), Op("−"), Op("⊙")
EQ = Op("=", "relation")
JUXTAPOSED = Op("", "invisible")
PARTIAL = Op("∂", "prefix")
COLON = Op(":", "ordinary")
before = Row((t, MINUS, ONE))
W_h_top = Script(Ident("W"), h, Op("⊤", "ordinary"))

BOXES: list[tuple[str, Box, str, str]] = [
    ("letter", x, "x", "x"),
    ("Greek", Ident("λ"), r"\lambda", "λ"),
    ("word", Ident("rate"), r"\mathrm{rate}", "rate"),
    ("bold", Ident("W", "bold"), r"\boldsymbol{W}", "W"),
    ("column of ones", Ident("𝟏", "upright"), r"\mathbf{1}", "𝟏"),
    (
        "row of ones",
        Script(Ident("𝟏", "upright"), None, Op("⊤", "ordinary")),
        r"\mathbf{1}^{\top}",
        "𝟏^⊤",
    ),
    (
        "power of a function",
        Row((Script(Ident("tanh", "upright"), None, Number("2")), Fence(x))),
        r"\tanh^2(x)",
        "tanh^2(x)",
    ),
    ("function as a factor", Row((Ident("log", "upright"), JUXTAPOSED, x)), r"\log\,x", "log x"),
    ("function's name with an index", Script(Ident("max", "upright"), t), r"{\max}_t", "max_t"),
    ("word that is italic", Ident("max"), r"\mathrm{max}", "max"),
    ("target", Script(h, T, Op("∗", "ordinary")), "h_T^{*}", "h_T^*"),
    ("product with a star", Row((h, Op("∗"), x)), "h * x", "h * x"),
    ("hat", Ident("ŷ"), r"\hat{y}", "ŷ"),
    ("prime", Ident("σ′"), r"\sigma'", "σ′"),
    ("number", Number("0.5"), "0.5", "0.5"),
    ("index", Script(h, before), "h_{t-1}", "h_{t-1}"),
    ("transpose", W_h_top, r"W_h^{\top}", "W_h^⊤"),
    ("script of a script", Script(Script(h, t), None, Number("2")), "{h_t}^2", "(h_t)^2"),
    ("product", Row((W_h_top, JUXTAPOSED, x)), r"W_h^{\top}\,x", "W_h^⊤ x"),
    ("macro before letter", Row((PARTIAL, x)), r"\partial x", "∂x"),
    ("sum", Row((h, MINUS, x)), "h - x", "h - x"),
    ("elementwise", Row((h, HAD, x)), r"h \odot x", "h ⊙ x"),
    ("continuation", Row((PLUS, x)), "{} + x", "+ x"),
    ("sign", Row((Op("−", "ordinary"), x)), "{-}x", "-x"),
    ("call", Call("tanh", (x,)), r"\tanh(x)", "tanh(x)"),
    ("call of σ", Call("σ", (x, t)), r"\sigma(x, t)", "σ(x, t)"),
    ("call with an index", Call("relu", (x,), ZERO), r"\operatorname{relu}_0(x)", "relu_0(x)"),
    ("call of max with an index", Call("max", (x, t), ZERO), r"{\max}_0(x, t)", "max_0(x, t)"),
    ("call of a primed name", Call("φ′", (x,), ONE), r"{\varphi'}_1(x)", "φ′_1(x)"),
    ("root", Root(Row((h, PLUS, x))), r"\sqrt{h + x}", "sqrt(h + x)"),
    ("root as a factor", Row((h, JUXTAPOSED, Root(x))), r"h\,\sqrt{x}", "h sqrt(x)"),
    ("power of a root", Script(Fence(Root(x)), None, ONE), r"(\sqrt{x})^1", "(sqrt(x))^1"),
    ("bars", Script(Fence(x, "|", "|"), ZERO), r"\lvert x\rvert_0", "|x|_0"),
    ("range", Script(h, Row((ONE, COLON, t))), r"h_{1{:}t}", "h_{1:t}"),
    ("operator", Call("diag", (x,)), r"\operatorname{diag}(x)", "diag(x)"),
    (
        "fraction",
        Frac(Row((PARTIAL, Ident("L"))), Script(Row((PARTIAL, x)), t)),
        r"\frac{\partial L}{{\partial x}_t}",
        "∂L/(∂x)_t",
    ),
    ("sum below", Frac(x, Row((x, PLUS, ONE))), r"\frac{x}{x + 1}", "x/(x + 1)"),
    ("fraction as factor", Row((Frac(h, x), HAD, t)), r"\frac{h}{x} \odot t", "(h/x) ⊙ t"),
    (
        "sum sign",
        Big("∑", Row((t, EQ, ONE)), T, Script(x, t)),
        r"\sum_{t=1}^{T} x_t",
        "∑_{t=1}^T x_t",
    ),
    ("fence", Fence(Row((h, PLUS, x))), "(h + x)", "(h + x)"),
    ("tall fence", Fence(Frac(h, x), "[", "]"), r"\left[\frac{h}{x} \right]", "[h/x]"),
    ("norm", Fence(x, "‖", "‖"), r"\lVert x\rVert", "‖x‖"),
    (
        "fence of a product",
        Fence(Big("∏", t, T, x)),
        r"\biggl(\prod_{t}^{T} x\biggr)",
        "(∏_t^T x)",
    ),
    (
        "matrix",
        Grid(((ONE, x), (ZERO, h))),
        r"\begin{bmatrix} 1 & x \\ 0 & h \end{bmatrix}",
        "[1, x; 0, h]",
    ),
    (
        "cases",
        Cases(((ZERO, Row((Words("if"), T, EQ, ZERO))), (x, Words("otherwise")))),
        r"\begin{cases} 0 & \text{if }T = 0 \\ x & \text{otherwise} \end{cases}",
        "{0 if T = 0; x otherwise}",
    ),
    ("restriction", Restrict(Frac(h, x), t), r"\left. \frac{h}{x} \right|_{t}", "(h/x) |_t"),
    ("brace", Under(x, Words("kept")), r"\underbrace{x}_{\text{kept}}", "x [kept]"),
]


@pytest.mark.parametrize(("box", "expected"), [pytest.param(b, e, id=i) for i, b, e, _ in BOXES])
def test_latex(box: Box, expected: str) -> None:
    assert latex(box) == expected


@pytest.mark.parametrize(("box", "expected"), [pytest.param(b, e, id=i) for i, b, _, e in BOXES])
def test_unicode_text(box: Box, expected: str) -> None:
    assert unicode_text(box) == expected


ELEMENTS = (
    "math semantics annotation mrow mi mn mo mtext mspace mfrac msqrt msub msup msubsup "
    "munder mover munderover mtable mtr mtd"
)


@pytest.mark.parametrize("display", [True, False])
@pytest.mark.parametrize("box", [pytest.param(b, id=i) for i, b, _, _ in BOXES])
def test_mathml_is_well_formed_and_core(box: Box, display: bool) -> None:
    root = ElementTree.fromstring(mathml(box, display))

    names = {element.tag.split("}")[1] for element in root.iter()}
    assert names <= set(ELEMENTS.split())
    annotation = root.find(".//{*}annotation")
    assert annotation is not None
    assert annotation.text == latex(box)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Script(h, t), "<msub><mi>h</mi><mi>t</mi></msub>"),
        (Ident("W", "bold"), "<mi>𝑾</mi>"),
        (Frac(h, x), "<mfrac><mi>h</mi><mi>x</mi></mfrac>"),
        (Root(h), "<msqrt><mi>h</mi></msqrt>"),
        (W_h_top, '<msubsup><mi>W</mi><mi>h</mi><mi mathvariant="normal">⊤</mi></msubsup>'),
        (Op("d", "prefix"), '<mi mathvariant="normal">d</mi>'),
        (
            Row((Op("d", "prefix"), Call("tanh", (x,)))),
            '<mrow><mi mathvariant="normal">d</mi><mspace width="0.1667em"/><mrow><mi>tanh</mi>'
            '<mo lspace="0" rspace="0">&#x2061;</mo><mrow><mo fence="true" form="prefix" '
            'lspace="0" rspace="0" stretchy="false">(</mo><mi>x</mi><mo fence="true" '
            'form="postfix" lspace="0" rspace="0" stretchy="false">)</mo></mrow></mrow></mrow>',
        ),
        (Ident("a<b", "upright"), "<mi>a&lt;b</mi>"),
        (Ident("𝟏", "upright"), '<mi mathvariant="normal">𝟏</mi>'),
        (
            Script(Ident("tanh", "upright"), None, Number("2")),
            "<msup><mi>tanh</mi><mn>2</mn></msup>",
        ),
    ],
)
def test_mathml(box: Box, expected: str) -> None:
    assert f"<mrow>{expected}</mrow><annotation" in mathml(box, True)


def test_sums_have_their_limits_above_only_when_displayed() -> None:
    box = Big("∑", t, T, x)

    assert "<munderover>" in mathml(box, True)
    assert "<msubsup>" in mathml(box, False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alpha_1x", r"\mathrm{alpha\_1x}"),
        (r"\input{x}", r"\mathrm{\backslash input\{x\}}"),
        ("50%", r"\mathrm{50\%}"),
        ("a&b#c$", r"\mathrm{a\&b\#c\$}"),
        ("x^2~y", r"\mathrm{x{\wedge}2{\sim}y}"),
        ("Ж", r"\mathrm{\text{\texttt{U+0416}}}"),
    ],
)
def test_hostile_names_are_escaped(name: str, expected: str) -> None:
    assert latex(Ident(name, "upright")) == expected
    assert expected[8:-1] in latex(Call(name, (x,)))
    assert expected[8:-1] in latex(Call(name, (Root(Ident(name, "upright")),), ONE))


def test_mathml_escapes_names_and_words() -> None:
    name = "<script>alert(1)</script>&"
    called = Call(name, (Root(Number(name)),), Ident(name))
    printed = mathml(Row((Ident(name), Words(name), called, Op(name))), True)

    assert "<script" not in printed
    assert ElementTree.fromstring(printed) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50% of a_b & c#", r"50\% of a\_b \& c\#"),
        (r"\end{document}", r"\textbackslash{}end\{document\}"),
        ("λ ≤ 2", r"\ensuremath{\lambda} \ensuremath{\le} 2"),
        ("Pérez, Gauß", "Pérez, Gauß"),
        ("h∗", r"h\ensuremath{*}"),
        ("10⁻¹", r"10\textsuperscript{\ensuremath{-}}\textsuperscript{1}"),
        ("字", r"\texttt{U+5B57}"),
        ("a\x00b", "a b"),
    ],
)
def test_prose_is_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_listings_keep_their_columns() -> None:
    assert escape_cells("  └─> δ  {'") == (
        r"\ \ +-\textgreater{} \cell{\ensuremath{\delta}} \ \{\textquotesingle{}"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"h_{t-1}", "h_{t-1}"),
        (r"W_h^\top \lambda_{t+1}", r"W_h^{\top}\,\lambda_{t+1}"),
        (r"h_t = \tanh(W_h h_{t-1} + b)", r"h_t = \tanh(W_h\,h_{t-1} + b)"),
        (r"\operatorname{diag}(1-h_t^2)", r"\operatorname{diag}(1 - h_t^2)"),
        (r"\sigma'(z)^2", r"\sigma'(z)^2"),
        (r"σ ⊙ ∂", r"\sigma \odot \partial"),
        (r"\frac{\partial L}{\partial h_t}", r"\frac{\partial L}{\partial h_t}"),
        (r"W_{:,i:j} x_{h,t}", r"W_{{:},i{:}j}\,x_{h,t}"),
        (r"\sqrt{1 + x_t}", r"\sqrt{1 + x_t}"),
        (r"\sum_{t=1}^{T} \delta_t + b", r"\sum_{t=1}^{T} \delta_t + b"),
        (r"\prod_{j=k+1}^{T} f_j", r"\prod_{j=k+1}^{T} f_j"),
        (r"t = 1, \dots, T", r"t = 1, \dots, T"),
        (r"\{0.9, -x\}", r"\{0.9, {-}x\}"),
        (r"\hat{y}_t \ne \bar h", r"\hat{y}_t \ne \bar{h}"),
        (r"\partial^+ h / \partial w", r"\partial^{+}h/\partial w"),
        (r"\max(a, b) \le \text{most}", r"\max(a, b) \le \text{ most}"),
    ],
)
def test_read_math(source: str, expected: str) -> None:
    assert latex(read_math(source)) == expected


def test_inline_splits_prose_and_mathematics() -> None:
    assert inline(r"Here $h_t$ costs \$5.") == ("Here ", Script(h, t), " costs $5.")
    assert inline("none") == ("none",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a $x", "the dollar sign in column 3 has no partner"),
        (r"ab $x \foo$", r"column 7: '\\\\foo' is not known here"),
        ("$(x$", r"column 4: expected '\)', found the end"),
        ("$x_a_b$", "column 5: a second '_'"),
        ("$x)$", r"column 3: '\)' closes nothing"),
        ("$x^$", "column 4: something is missing at the end"),
        (r"$\sum_{t} x$", "∑ needs both limits"),
        (r"$\frac{a}$", "column 10: expected '{', found the end"),
        (r"$\mathrm{ab$", "column 9: this brace is not closed"),
    ],
)
def test_inline_names_the_column(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inline(text)


def _leaves(box: Box) -> list[str]:
    """The characters of a formula in order, without what breaking may change."""
    if isinstance(box, Op):
        return [] if box.kind == "invisible" or box.text == "·" else [box.text]
    if isinstance(box, (Ident, Number, Words)):
        return [box.text]
    if isinstance(box, Fence):
        return [*box.left, *_leaves(box.body), *box.right]
    if isinstance(box, Call):
        sub = [] if box.sub is None else _leaves(box.sub)
        return [box.name, *sub, *_leaves(Fence(Row(box.arguments)))]
    own = [box.text] if isinstance(box, Big) else []
    return own + [leaf for child in children(box) for leaf in _leaves(child)]


def _sum(count: int, sign: Op = PLUS) -> Row:
    terms = [Script(x, Number(str(place))) for place in range(count)]
    return Row(tuple(part for term in terms for part in (sign, term))[1:])


LONG: list[tuple[str, Box]] = [
    ("sum", _sum(40)),
    ("product", _sum(40, JUXTAPOSED)),
    ("fence", Row((h, HAD, Fence(_sum(40)), HAD, x))),
    ("power", Script(Fence(_sum(40)), None, Number("2"))),
    ("call with an index", Row((x, PLUS, Call("relu", (_sum(40),), ZERO), JUXTAPOSED, h))),
    ("call", Row((x, PLUS, Call("diag", (_sum(40),)), JUXTAPOSED, h))),
    ("sum sign", Big("∑", t, T, Fence(_sum(40)))),
    ("nested", Fence(Fence(_sum(40)), "[", "]")),
    ("chain", Row((x, EQ, _sum(20), EQ, _sum(30, MINUS)))),
]


@pytest.mark.parametrize("limit", [12.0, 20.0, 40.0])
@pytest.mark.parametrize("box", [pytest.param(box, id=name) for name, box in LONG])
def test_breaking_loses_nothing_and_fits(box: Box, limit: float) -> None:
    lines = break_lines(box, limit)

    assert [leaf for line in lines for leaf in _leaves(line)] == _leaves(box)
    assert len(lines) > 1
    assert all(width(line) <= limit for line in lines)
    assert all(width(line) <= limit - INDENT for line in lines[1:])


@pytest.mark.parametrize("box", [pytest.param(box, id=name) for name, box in LONG])
def test_continuation_lines_begin_with_their_operator(box: Box) -> None:
    for line in break_lines(box, 20.0)[1:]:
        first = line
        while isinstance(first, (Row, Fence)):
            first = first.items[0] if isinstance(first, Row) else first.body
        if isinstance(first, Script) and isinstance(first.base, Fence):
            first = children(first.base.body)[0]

        assert isinstance(first, Op)
        assert first.kind != "invisible"


def test_a_root_over_several_lines_is_a_power() -> None:
    fits, long = Root(_sum(5)), Row((h, JUXTAPOSED, Root(_sum(40))))

    lines = break_lines(long, 20.0)

    assert break_lines(fits, 40.0) == (fits,)
    assert all(width(line) <= 20.0 for line in lines)
    assert unicode_text(lines[0]).startswith("h (x_0")
    assert unicode_text(lines[-1]).endswith("x_{39})^{1/2}")
    assert "sqrt" not in "".join(map(unicode_text, lines))


def test_pictures_set_roots_and_indices_on_one_line() -> None:
    printed = runs(Row((Root(x), PLUS, Call("relu", (h,), ZERO))))

    assert "".join(run.text for run in printed) == "√(x)+relu0(h)"
    assert [run.text for run in printed if run.shift < 0] == ["0"]


def test_pictures_set_fractions_on_one_line() -> None:
    """What a slash divides by ends where the fraction does."""
    half = Frac(ONE, Row((h, PLUS, x)))
    product = Row((half, JUXTAPOSED, Call("f", (Frac(x, h),))))

    assert "".join(run.text for run in runs(product)) == "(1/(h+x))f(x/h)"
    assert "".join(run.text for run in runs(Row((half, PLUS, x)))) == "1/(h+x)+x"
    assert "".join(run.text for run in runs(Script(half, None, ONE))) == "(1/(h+x))1"
    assert "frac" not in latex(flat(Fence(Root(product))))


def test_what_fits_is_not_broken() -> None:
    assert break_lines(_sum(5), 40.0) == (_sum(5),)


def test_sums_are_broken_before_products() -> None:
    product = Row((h, HAD, x))

    lines = break_lines(Row((product, PLUS, product)), width(Row((PLUS, product))) + INDENT)

    assert [unicode_text(line) for line in lines] == ["h ⊙ x", "+ h ⊙ x"]

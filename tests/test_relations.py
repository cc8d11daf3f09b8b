"""Relations between calls: declared ones are used and listed, near misses are refuted.

The statements are textbook identities and mistakes that are easily made with them; which of
them is true is common knowledge, not what the code answers.
"""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import mpmath
import pytest

import symgrad as sg
from symgrad.derivation.evidence import Evidence
from symgrad.lang.affine import T, as_affine
from symgrad.lang.algebra import Multiprecision
from symgrad.lang.nodes import Apply, Node, Signal, param, substitute_indices, transform
from symgrad.lang.tape import Environment, evaluate
from symgrad.ops import sigma
from symgrad.parse import parse_statement
from symgrad.verify.claims import LARGEST_ERROR, check
from symgrad.verify.degree import Degree
from symgrad.verify.rational import generator
from symgrad.verify.related_check import RelatedDegrees, related
from symgrad.verify.related_field import RelatedField
from symgrad.verify.related_functions import RelatedFunctions, Units, with_relations
from symgrad.verify.relations import RELATIONS, Relation
from symgrad.verify.sampling import Sampler
from symgrad.verify.verdict import Verdict

RNN, LSTM = sg.CATALOGUE["rnn"], sg.CATALOGUE["lstm"]
Z = "w h_{t-1} + u x_t + y_t"

#: True, and proved as identities of one step.
TRUE = [
    "σ(-x_t) = 1 - σ(x_t)",
    "tanh(x_t) = 2 σ(2 x_t) - 1",
    "tanh(-x_t) = -tanh(x_t)",
    "4/(exp(x_t) + exp(-x_t))^2 = 1 - tanh(x_t)^2",
    "sqrt(exp(x_t)) sqrt(exp(x_t)) = exp(x_t)",
    "sqrt(x_t) sqrt(x_t) = x_t",
    "exp(x_t) exp(y_t) = exp(x_t + y_t)",
    "exp(0) = 1",
    "exp(x_t - x_t) = 1",
    "log(exp(x_t)) = x_t",
    "exp(log(x_t)) = x_t",
    "softplus(x_t) - softplus(-x_t) = x_t",
    "|x_t|^2 = x_t^2",
    "step_0(x_t)^2 = step_0(x_t)",
    "step_1(x_t)^2 = step_1(x_t)",
    "relu(x_t) - relu(-x_t) = x_t",
    "relu_0(x_t) - relu_0(-x_t) = x_t",
    "max(x_t, y_t) = max(y_t, x_t)",
    "tanh(x_t + y_t) = (tanh(x_t) + tanh(y_t))/(1 + tanh(x_t) tanh(y_t))",
    "σ(x_t) = 1/(1 + exp(-x_t))",
    "tanh(x_t/2) = 2 σ(x_t) - 1",
    "σ(x_t) = exp(x_t/2)/(exp(x_t/2) + exp(-x_t/2))",
    "log(σ(x_t)) = -softplus(-x_t)",
    "σ(x_t) σ(-x_t) = σ(x_t) (1 - σ(x_t))",
    f"dh_t/dh_{{t-1}} = w h_t σ(-({Z}))",
    "1 - 2 σ(-2 x_t) = tanh(x_t)",
    "relu_0(x_t) step_0(x_t) = relu_0(x_t)",
    "relu(x_t) step(x_t) = relu(x_t)",
    "relu(x_t) relu(-x_t) = 0",
    "|x_t| = relu(x_t) + relu(-x_t)",
    "|-x_t| = |x_t|",
    "sqrt(x_t)^3 = x_t sqrt(x_t)",
    "x_t/sqrt(x_t) = sqrt(x_t)",
    "1/(sqrt(x_t) + 1) = (sqrt(x_t) - 1)/(x_t - 1)",
    "1/(sqrt(x_t) + sqrt(y_t)) = (sqrt(x_t) - sqrt(y_t))/(x_t - y_t)",
    "softplus(x_t) = -log(1 - σ(x_t))",
    "exp(softplus(x_t)) = 1 + exp(x_t)",
    "exp(2 log(x_t)) = x_t^2",
    "exp(-log(x_t)) = 1/x_t",
    "log(1/x_t) = -log(x_t)",
    "sqrt(exp(x_t)) = exp(x_t/2)",
    "σ(x_t)^2 exp(-x_t) = σ(x_t) (1 - σ(x_t))",
    "σ(x_t)/σ(-x_t) = exp(x_t)",
    "tanh(2 x_t) = 2 tanh(x_t)/(1 + tanh(x_t)^2)",
    "tanh(x_t - y_t) = (tanh(x_t) - tanh(y_t))/(1 - tanh(x_t) tanh(y_t))",
    "σ(x_t + y_t) = σ(x_t) σ(y_t)/(σ(x_t) σ(y_t) + σ(-x_t) σ(-y_t))",
    "exp(x_t + 1) = exp(x_t) exp(1)",
    "exp(x_t)^3 = exp(3 x_t)",
    "exp(x_t/3)^3 = exp(x_t)",
    "max(x_t, y_t) + min(x_t, y_t) = x_t + y_t",
    "max(x_t, y_t) - min(x_t, y_t) = |x_t - y_t|",
    "step(2 x_t) = step(x_t)",
    "relu(3 x_t) = 3 relu(x_t)",
    "σ(w σ(-x_t)) = σ(w (1 - σ(x_t)))",
    "tanh(w tanh(-x_t)) = -tanh(w tanh(x_t))",
    "exp(exp(x_t) exp(y_t)) = exp(exp(x_t + y_t))",
    "(exp(x_t) - exp(-x_t))/(exp(x_t) + exp(-x_t)) = tanh(x_t)",
    "((exp(x_t) + exp(-x_t))/2)^2 - ((exp(x_t) - exp(-x_t))/2)^2 = 1",
    f"dh_t/dx_t = u σ({Z}) σ(-({Z}))",
    "σ(x_t) tanh(y_t) = σ(x_t) (2 σ(2 y_t) - 1)",
    "sign(x_t)^2 = 1",
    "sign(x_t) |x_t| = x_t",
    "step_0(-x_t) = 1 - step_1(x_t)",
    "step_half(-x_t) = 1 - step_half(x_t)",
    "relu_half(x_t) = relu_0(x_t)",
    "step_half(x_t) + step_half(-x_t) = 1",
    "h_t (1 - h_t) = h_t σ(-w h_{t-1} - u x_t - y_t)",
    "dh_t/dx_t = u h_t/(1 + exp(w h_{t-1}) exp(u x_t) exp(y_t))",
    "dh_t/dh_{t-1} = w exp(-w h_{t-1}) exp(-u x_t - y_t)/(1 + exp(-w h_{t-1} - u x_t - y_t))^2",
]

#: False, each by little or by a slip of the pen.
FALSE = [
    "σ(-x_t) = -σ(x_t)",
    "σ(-x_t) = 1 + σ(x_t)",
    "σ(-x_t) = 1 - 1.000000001 σ(x_t)",
    "σ(-2 x_t) = 1 - σ(x_t)",
    "tanh(x_t) = 2 σ(x_t) - 1",
    "tanh(x_t) = 2 σ(2 x_t) + 1",
    "tanh(x_t) = 2.000000001 σ(2 x_t) - 1",
    "tanh(x_t) = 1 - 2 σ(2 x_t)",
    "tanh(x_t) = σ(2 x_t) - σ(2 x_t) σ(2 x_t)",
    "tanh(-x_t) = tanh(x_t)",
    "4/(exp(x_t) + exp(-x_t)) = 1 - tanh(x_t)^2",
    "4/(exp(x_t) - exp(-x_t))^2 = 1 - tanh(x_t)^2",
    "4/(exp(x_t) + exp(-x_t))^2 = 1 + tanh(x_t)^2",
    "1/(exp(x_t) + exp(-x_t))^2 = 1 - tanh(x_t)^2",
    "sqrt(x_t) sqrt(x_t) = -x_t",
    "sqrt(x_t) sqrt(x_t) = x_t^2",
    "sqrt(x_t)^3 = x_t",
    "sqrt(x_t^2) = x_t",
    "1/sqrt(x_t) = sqrt(x_t)",
    "sqrt(x_t) + sqrt(y_t) = sqrt(x_t + y_t)",
    "step_half(x_t)^2 = step_half(x_t)",
    "step_0(-x_t) = 1 - step_0(x_t)",
    "step_0(x_t) = step_1(x_t)",
    "step(-x_t) = step(x_t)",
    "step(x_t)^2 = 1",
    "step(-2 x_t) = step(x_t)",
    "relu(x_t) - relu(-x_t) = |x_t|",
    "relu(x_t) + relu(-x_t) = x_t",
    "relu(-x_t) = -relu(x_t)",
    "relu(x_t)^2 = x_t^2",
    "|x_t|^2 = x_t |x_t|",
    "|x_t| = x_t",
    "max(x_t, y_t) = x_t + relu(x_t - y_t)",
    "max(x_t, y_t) = -max(-x_t, -y_t)",
    "exp(x_t) exp(y_t) = exp(x_t y_t)",
    "exp(x_t + y_t) = exp(x_t) + exp(y_t)",
    "exp(x_t)^2 = exp(x_t^2)",
    "exp(3 x_t) = exp(x_t)^2",
    "exp(x_t/2)^2 = 1.000000001 exp(x_t)",
    "exp(0) = 0",
    "exp(-x_t) = -exp(x_t)",
    "log(exp(x_t)) = 1/x_t",
    "exp(log(x_t)) = log(x_t)",
    "log(x_t y_t) = log(x_t) log(y_t)",
    "softplus(x_t) - softplus(-x_t) = -x_t",
    "softplus(x_t) + softplus(-x_t) = x_t",
    "softplus(x_t) = 1 + log(exp(x_t))",
    "log(σ(x_t)) = softplus(-x_t)",
    "tanh(x_t + y_t) = tanh(x_t) + tanh(y_t)",
    "tanh(x_t + y_t) = (tanh(x_t) + tanh(y_t))/(1 - tanh(x_t) tanh(y_t))",
    "tanh(x_t/2) = 2 σ(2 x_t) - 1",
    "σ(x_t + y_t) = σ(x_t) σ(y_t)",
    "σ(w σ(-x_t)) = σ(w (1 + σ(x_t)))",
    f"dh_t/dx_t = u σ({Z}) σ({Z})",
    "dh_t/dx_t = u h_t σ(-w h_{t-1} - u x_t + y_t)",
    "dh_t/dx_t = u h_t/(1 + exp(w h_{t-1}) exp(u x_t) exp(-y_t))",
    f"dh_t/dx_t = 1.000000001 u h_t σ(-({Z}))",
]


@cache
def probe() -> sg.Cell:
    """h_t = σ(w h_{t-1} + u x_t + y_t)."""
    h, x, y = sg.signal("h"), sg.input_signal("x"), sg.input_signal("y")
    w, u = sg.param("w"), sg.param("u")
    return sg.Cell("probe", [(h, sg.sigma(w * h.prev + u * x + y))], inputs=[x, y]).scalar()


@cache
def judged(statement: str) -> Verdict:
    left, right = parse_statement(statement, probe())
    times = (("t", as_affine(1), T),)
    return Evidence(probe(), thorough=False).one_step(left, right, times=times)


def typed(relation: Relation) -> str:
    """A declared relation as a statement about the inputs of the probe."""
    text = relation.example or relation.statement
    words = {"exp": "EXP", "max": "MAX", "x": "x_t", "y": "y_t", "EXP": "exp", "MAX": "max"}
    for old, new in words.items():
        text = text.replace(old, new)
    return text


# ---- the two tables ----------------------------------------------------------------------


def test_the_tables_are_long_enough() -> None:
    assert len(set(TRUE)) >= 40
    assert len(set(FALSE)) >= 40


@pytest.mark.parametrize("statement", TRUE)
def test_a_true_relation_is_proved_and_what_it_rests_on_is_listed(statement: str) -> None:
    found = judged(statement)

    assert found.status == "proved", found
    assert "using " in found.how[0]
    assert found.how[1].startswith("evaluated exactly for T = 1..")
    assert found.proof is not None
    assert found.proof.replay()


@pytest.mark.parametrize("statement", FALSE)
def test_a_near_miss_is_refuted(statement: str) -> None:
    found = judged(statement)

    assert found.status == "refuted", found
    assert found.witness is not None
    assert found.witness.left != found.witness.right


def test_the_witnesses_of_near_misses_are_reproduced_by_their_programs() -> None:
    witnesses = [judged(statement).witness for statement in FALSE]
    programs = [witness.numpy_lines() for witness in witnesses if witness is not None]
    assert len(programs) == len(FALSE)
    assert all(programs)

    script = "\nprint('----')\n".join(programs)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    blocks = [block.split() for block in run.stdout.split("----")]
    assert len(blocks) == len(FALSE)
    for statement, witness, words in zip(FALSE, witnesses, blocks, strict=True):
        numbers = [word.strip("[],()") for word in words]
        shown = [
            float(word) for word in numbers if word.replace(".", "").strip("-e0123456789") == ""
        ]
        assert witness is not None
        expected = [float(Fraction(side)) for side in (witness.left, witness.right)]
        assert shown == pytest.approx(expected, rel=1e-6, abs=0), statement


# ---- what is declared ---------------------------------------------------------------------


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_a_declared_relation_is_true(relation: Relation) -> None:
    """In 40 digits, at points on both sides of 0, by functions that know no relation."""
    left, right = parse_statement(typed(relation), probe())
    met = 0
    for x, y in (("0.7", "-1.3"), ("-2.9", "0.4"), ("13", "17"), ("1e-9", "-5")):
        algebra = Multiprecision(40)
        values = {"x": algebra.context.mpf(x), "y": algebra.context.mpf(y)}
        env = Environment({}, lambda label, time, at=values: at[label], {"t": 1})
        try:
            a, b = (evaluate(side, algebra, env) for side in (left, right))
        except ArithmeticError:
            assert relation.condition
            continue
        met += 1
        # log(1 + exp(-x)) and the like lose some digits.
        assert mpmath.almosteq(a, b, rel_eps=1e-25), (x, y)
    assert met >= 2


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_a_declared_relation_is_decided(relation: Relation) -> None:
    assert judged(typed(relation)).status == "proved"


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("σ(-x_t) = 1 - σ(x_t)", ["sigma negative"]),
        ("tanh(x_t) = 2 σ(2 x_t) - 1", ["tanh sigma"]),
        ("sqrt(x_t) sqrt(x_t) = x_t", ["sqrt square"]),
        ("exp(x_t) exp(2 x_t) = exp(3 x_t)", ["exp multiple"]),
        ("step_0(x_t)^2 = step_0(x_t)", ["step square"]),
    ],
)
def test_evidence_names_the_relation(statement: str, names: list[str]) -> None:
    words = ", ".join(str(RELATIONS[name]) for name in names)

    assert judged(statement).how[0].endswith(f"; using {words}")


def test_no_relation_is_listed_where_none_is_needed() -> None:
    found = judged(f"h_t (1 - h_t) = h_t - h_t σ({Z})")

    assert found.status == "proved"
    assert "using" not in " ".join(found.how)


def test_the_documentation_lists_every_relation() -> None:
    text = (Path(__file__).parent.parent / "docs" / "relations.md").read_text(encoding="utf-8")

    for relation in RELATIONS.values():
        row = f"| `{relation.statement}` | {relation.condition or 'all x'} | {relation.reason} |"
        assert row in text


# ---- in larger formulas, over all of time, in the vector reading ----------------------------


def through_sigma(node: Node) -> Node:
    """tanh(a) as 2 σ(2 a) - 1."""
    return transform(
        node,
        lambda item: (
            2 * sigma(2 * item.args[0]) - 1
            if isinstance(item, Apply) and item.head.name == "tanh"
            else item
        ),
    )


def written_out(node: Node, cell: sg.Cell) -> Node:
    """Every state by its equation, with tanh through σ."""

    def at(item: Node) -> Node:
        if isinstance(item, Signal) and item.name == "h" and item.time.names - {"T"}:
            value = cell.equation_of(cell.states[0])
            return substitute_indices(through_sigma(value), {"t": item.time})
        return item

    return transform(node, at)


@pytest.mark.parametrize("cell", [RNN.scalar(), RNN], ids=["scalar", "vector"])
def test_the_rnn_written_through_sigma(cell: sg.Cell) -> None:
    form = sg.expanded_form(cell, "h_T", "h_0")
    right = written_out(form.full, cell)
    evidence = Evidence(cell, thorough=cell.is_scalar)
    assert right is not form.full

    found = evidence.formula(form.left, right)
    assert found.status == "checked", found
    assert found.how[-1] == "using tanh(x) = 2 σ(2 x) - 1"
    wrong = transform(
        right, lambda n: sigma(n.args[0] / 2) if getattr(n, "head", 0) == SIGMA else n
    )
    assert evidence.formula(form.left, wrong).status == "refuted"


SIGMA = sigma(param("a")).key[0]


@pytest.mark.parametrize("cell", [LSTM.scalar(), LSTM], ids=["scalar", "vector"])
def test_the_lstm_written_through_sigma(cell: sg.Cell) -> None:
    form = sg.expanded_form(cell, "c_t", "c_{t-1}")
    right = through_sigma(form.full)
    assert right is not form.full

    judge = Evidence(cell, thorough=False)
    times = form.times
    if cell.is_scalar:
        found = judge.one_step(form.left, right, times=times, horizon=2, indices={"t": 2}, first=2)
        assert found.status == "proved", found
    found = judge.formula(form.left, right, times=times, first=form.first_horizon)
    assert found.status == "checked", found
    assert "using tanh(x) = 2 σ(2 x) - 1" in found.how


@pytest.mark.parametrize(
    ("factor", "status"),
    [
        ("4 w_h/(exp({z}) + exp(-({z})))^2", "checked"),
        ("4 w_h σ(2 ({z})) σ(-2 ({z}))", "checked"),
        ("4 w_h exp(2 w_x x_j) exp(2 w_h h_{j-1} + 2 b_h)/(exp(2 ({z})) + 1)^2", "checked"),
        ("4.000000001 w_h/(exp({z}) + exp(-({z})))^2", "refuted"),
        ("4 w_h σ(2 ({z})) σ(2 ({z}))", "refuted"),
        ("4 w_h exp(2 w_x x_j) exp(w_h h_{j-1} + 2 b_h)/(exp(2 ({z})) + 1)^2", "refuted"),
    ],
)
def test_the_gradient_of_the_rnn_with_another_slope(factor: str, status: str) -> None:
    """1 - tanh² as 1/cosh², as 4 σ(2z) σ(-2z), and with its sum apart: for T = 0..50."""
    slope = factor.replace("{z}", "w_x x_j + w_h h_{j-1} + b_h")
    text = f"dh_T/dw_h = ∑_{{k=1}}^T (∏_{{j=k+1}}^T ({slope})) (1 - h_k^2) h_{{k-1}}"
    left, right = parse_statement(text, RNN.scalar())

    found = Evidence(RNN.scalar()).formula(left, right)

    assert found.status == status, found
    if status == "checked":
        assert found.scope == "T = 0..50, scalar"


# ---- the arithmetic ------------------------------------------------------------------------


def test_values_are_those_of_a_field_with_roots() -> None:
    """(a + b √v) times its inverse is 1, and √v is in no field that has to contain it."""
    field = RelatedField(seed=3)
    a, b, v, w = (field.number(n) for n in (12345, 678910, 111213, 1415))
    for root in (field.sqrt(v), field.sqrt(field.add(v, field.sqrt(w)))):
        value = field.add(a, field.mul(b, root))
        assert field.equal(field.mul(value, field.inverse(value)), field.one)
        assert field.equal(field.mul(root, root), field.ring.squares[max(root_of(root))])
        assert not field.equal(root, field.neg(root))


def root_of(value: object) -> tuple[int, ...]:
    ((generators, _),) = value.parts  # type: ignore[attr-defined]
    return tuple(generators)


def test_steps_of_all_conventions_are_consistent_at_their_kink() -> None:
    field = RelatedField(seed=5)
    x = field.number(987654321)
    half = Fraction(1, 2)
    for at_zero in (Fraction(0), half, Fraction(1)):
        mirrored = field.add(field.one, field.neg(field.step(x, 1 - at_zero)))
        assert field.equal(field.step(field.neg(x), at_zero), mirrored)
        square = field.mul(field.step(x, at_zero), field.step(x, at_zero))
        assert field.equal(square, field.step(x, at_zero)) == (at_zero != half)
    assert not field.equal(field.step(x, Fraction(0)), field.step(x, Fraction(1)))


def test_a_rectifier_and_its_own_derivative_are_related_at_every_point() -> None:
    """relu_0(x) step_0(x) = relu_0(x), whichever of x and -x stands for both of them."""
    for seed in range(8):
        field = RelatedField(seed=seed, own_kinks=True)
        x = field.number(3 ** (41 + 7 * seed))
        part = field.positive_part(x, Fraction(0))
        assert field.equal(field.mul(part, field.step(x, Fraction(0))), part)


def test_exp_of_different_arguments_is_not_related_by_chance() -> None:
    for width in (1, 24):
        field = RelatedField(seed=1, width=width)
        a, b = field.number(2**40 + 1), field.number(3**20)
        values = [a, b, a + b, a + a, a * b, a * a, -a, field.inverse(a)]
        exps = [field.exp(v) for v in values]
        assert len({e.signature for e in exps}) == len(values)
        assert field.equal(field.exp(a + a), field.mul(exps[0], exps[0]))
        assert field.equal(field.exp(a + b), field.mul(exps[0], exps[1])) == (width > 1)


def test_the_first_evaluation_relates_nothing_to_a_smallest_multiple() -> None:
    """Before the multiples of an argument are known, exp(x) and exp(2 x) are different."""
    base = RelatedFunctions(Units(), apart=False)
    x = generator("var", "x")
    once, twice = base.call("exp", x), base.call("exp", x + x)
    assert not base.equal(once, twice)
    assert with_relations(lambda b: b.equal(b.call("exp", x), b.call("exp", x + x))) is None


def test_degrees_bound_what_logarithms_and_roots_stand_for() -> None:
    """log(exp(v)) is v, of any degree; the norm of 1 + √v has the degree of v."""
    degrees = RelatedDegrees(1, norm=2)
    x = Degree(1)
    v = degrees.mul(degrees.mul(x, x), x)
    assert degrees.whole(degrees.log(degrees.exp(v))) >= 3
    assert degrees.whole(degrees.exp(degrees.log(v))) >= 3
    assert degrees.whole(degrees.inverse(degrees.sqrt(v))) >= 3


def test_a_degree_that_is_too_high_is_not_checked() -> None:
    """h_t = h_{t-1}² reaches degree 2^50: agreement modulo a prime would mean nothing."""
    h = sg.signal("h")
    cell = sg.Cell("squares", [(h, h.prev * h.prev)]).scalar()
    left, right = parse_statement("σ(-h_T) = 1 - σ(h_T)", cell)
    claim = Evidence(cell).claim(left, right)

    assert related(claim, (0, 50), ((),), scalar=True, least=LARGEST_ERROR) is None
    assert check(claim, Evidence(cell).scope()).status == "undecided"


def test_cost_is_linear_in_the_horizon() -> None:
    """Values compared, for a relation at every step: twice as many for twice the steps."""
    form = sg.expanded_form(RNN.scalar(), "h_T", "h_0")
    claim = Evidence(RNN.scalar()).claim(form.left, written_out(form.full, RNN.scalar()))
    counts = []
    for horizon in (20, 40):
        field = RelatedField(seed=2)
        from_label = {"": 0}

        def source(
            label: str, field: RelatedField = field, seen: dict[str, int] = from_label
        ) -> object:
            seen.setdefault(label, len(seen))
            return field.number(7 ** (seen[label] + 20))

        session = claim.session(field, Sampler(source, {}, scalar=True))
        left, right = session(horizon)
        assert all(field.equal(a, b) for a, b in zip(left, right, strict=True))
        counts.append(field.ring.compared + field.atoms)
    assert counts[1] <= 2.1 * counts[0]

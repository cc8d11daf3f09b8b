"""House rules that a reader would otherwise have to trust: what the code may not do.

Rules about code are read off its syntax tree, never off its text, and each is tried on a
planted violation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from symgrad.derivation.entries import entry_of
from symgrad.lang.affine import Affine, as_affine, symbol
from symgrad.lang.nodes import OPERATORS, Apply, Node, Primitive, param
from symgrad.lang.text import text
from symgrad.ops import PRIMITIVES
from symgrad.ops.elementwise import CONVENTIONS, GENERIC, opaque
from symgrad.render.breaking import width
from symgrad.render.latex_math import latex
from symgrad.render.mathml import mathml
from symgrad.render.notation import box
from symgrad.render.picture_text import runs
from symgrad.render.text_math import unicode_text
from symgrad.verify.axioms import EntryProof, prove_entry

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "symgrad").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST = 400


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def planted(source: str) -> ast.Module:
    return ast.parse(dedent(source))


every_module = pytest.mark.parametrize("path", MODULES, ids=named)
every_test = pytest.mark.parametrize("path", TESTS, ids=named)


def test_the_package_was_found() -> None:
    assert len(MODULES) > 50
    assert Path(__file__) in TESTS


# ---- paths -----------------------------------------------------------------------------

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users|mnt)/|\b[A-Z]:\\Users")
SUFFIXES = {".py", ".md", ".toml", ".css", ".txt", ".cell", ".tex", ".html", ".yml", ".yaml", ""}
WRITTEN = {".venv", ".ci-venv", "build", "dist", "__pycache__", ".git"}


def source_files() -> Iterator[Path]:
    """Text files of the repository; nothing that tools write."""
    for path in sorted(ROOT.rglob("*")):
        parts = set(path.relative_to(ROOT).parts)
        caches = any(part.endswith(("_cache", ".egg-info")) for part in parts)
        if parts & (WRITTEN | {".hypothesis"}) or caches:
            continue
        if path.is_file() and path.suffix in SUFFIXES:
            yield path


def test_no_file_names_a_path_of_one_machine() -> None:
    files = list(source_files())
    assert ROOT / ".ci" / "run" in files
    found = [
        f"{named(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("path", [("", "home", "someone", "x"), ("", "tmp", "a"), ("", "work", "")])
def test_a_path_of_one_machine_is_found(path: tuple[str, ...]) -> None:
    assert MACHINE_PATH.search(f'open("{"/".join(path)}")')


@pytest.mark.parametrize("line", ["symgrad/work/x", "https://a.org/home/x", "a / tmp / b"])
def test_what_only_looks_like_one_is_not(line: str) -> None:
    assert not MACHINE_PATH.search(line)


# ---- forbidden calls ---------------------------------------------------------------------

#: Run text as a program, or decide equality in a way that can be silently wrong.
FORBIDDEN = {"eval", "exec", "sympify", "parse_expr", "simplify", "equals"}


def forbidden_calls(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else None
            name = function.id if isinstance(function, ast.Name) else name
            if name in FORBIDDEN:
                found.append(f"line {node.lineno}: {name}(…)")
    return found


@every_module
def test_nothing_runs_text_or_trusts_simplify(path: Path) -> None:
    assert forbidden_calls(tree_of(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(text)",
        "sympy.sympify(text)",
        "parse_expr(text)",
        "a.equals(b)",
        "simplify(a - b)",
        "sympy.simplify(a - b)",
        "def f():\n    return [x.simplify() for x in y]",
    ],
)
def test_a_forbidden_call_is_found(source: str) -> None:
    assert len(forbidden_calls(planted(source))) == 1


def test_names_that_only_look_forbidden_are_not() -> None:
    assert forbidden_calls(planted("'eval(x)'\nevaluate(x)\nsimplify_later = 1\n")) == []


# ---- verify reads no derivative ---------------------------------------------------------

RULES = ("partials", "transpose", "factor", "pull")


def reads_of_derivatives(tree: ast.Module) -> list[str]:
    """Where a rule of differentiation of a primitive is read.

    ``transpose`` is also an operation of algebras: there, only a head's counts.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in RULES:
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if node.attr != "transpose" or name in ("head", "primitive"):
                found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "attrgetter"):
            words = [a.value for a in node.args if isinstance(a, ast.Constant)]
            found += [f"line {node.lineno}: getattr {w}" for w in words if w in RULES]
    return found


@pytest.mark.parametrize(
    "path", [p for p in MODULES if named(p).startswith(("symgrad/verify/", "symgrad/lang/"))],
    ids=named,
)  # fmt: skip
def test_verify_never_reads_a_derivative(path: Path) -> None:
    assert reads_of_derivatives(tree_of(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "node.head.partials(a, b)",
        "rule = head.factor",
        "node.head.transpose(0, g, args)",
        "primitive.transpose",
        "getattr(head, 'partials')",
        "head.pull(0, g, ans, args)",
    ],
)
def test_a_read_of_a_derivative_is_found(source: str) -> None:
    assert len(reads_of_derivatives(planted(source))) == 1


def test_the_transpose_of_an_algebra_is_none() -> None:
    assert reads_of_derivatives(planted("self.base.transpose(value)\nalgebra.transpose(v)")) == []


# ---- the table of primitives is complete ------------------------------------------------

_N, _M = symbol("n"), symbol("m")
_MATRIX, _OTHER = param("A", (_N, _M)), param("B", (_M, _N))
_COLUMN, _SECOND = param("u", (_N, Affine(const=1))), param("v", (_N, Affine(const=1)))

#: Arguments on which an operation shows; any other takes one column.
ARGUMENTS: dict[str, tuple[Node, ...]] = {
    "matmul": (_MATRIX, _OTHER),
    "transpose": (_MATRIX,),
    **dict.fromkeys(("add", "mul", "div"), (_COLUMN, _SECOND)),
    **dict.fromkeys((f"max{suffix}" for suffix in CONVENTIONS), (_COLUMN, _SECOND)),
}

#: The table itself: other tests declare generic activations, which have entries by name only.
TABLE = [p for p in PRIMITIVES.values() if p.name.rstrip("'") not in GENERIC]
SOME_GENERIC = [opaque("phi"), opaque("phi", 1), opaque("phi", 2), opaque("act_2"), opaque("_f_")]

every_primitive = pytest.mark.parametrize(
    "primitive", [*TABLE, *SOME_GENERIC], ids=lambda p: p.name
)


def applied(primitive: Primitive) -> Node:
    arguments = ARGUMENTS.get(primitive.name, (_COLUMN,))
    return Apply((primitive,), arguments, primitive.shape(*[a.shape for a in arguments]))


@every_primitive
def test_a_primitive_is_registered_under_its_name(primitive: Primitive) -> None:
    assert PRIMITIVES[primitive.name] is primitive
    assert callable(primitive.evaluate)
    built = primitive.elementwise or primitive.name in OPERATORS
    # The operators of two arguments share one constructor.
    assert built or primitive.name.split("_")[0] == "max"


@every_primitive
def test_a_primitive_prints_itself_and_its_arguments(primitive: Primitive) -> None:
    node = applied(primitive)
    printed = (text(node), unicode_text(box(node)), latex(box(node)), mathml(box(node), False))
    bare = [text(a) for a in node.args]

    for form in printed:
        assert all(name in form for name in bare)
        assert form not in bare


def test_primitives_do_not_print_alike() -> None:
    for form in (text, lambda node: unicode_text(box(node)), lambda node: latex(box(node))):
        printed = {p.name: form(applied(p)) for p in (*TABLE, *SOME_GENERIC)}
        assert len(set(printed.values())) == len(printed)


def test_primitives_survive_in_every_output() -> None:
    for primitive in (*TABLE, *SOME_GENERIC):
        squared = box(OPERATORS["power"](applied(primitive), as_affine(2)))
        assert ElementTree.fromstring(mathml(squared, display=True)) is not None
        # An underscore is a subscript and never a character of the text in math mode.
        assert not re.search(r"(?<!\\)_(?![{a-z0-9])", latex(squared))
        assert runs(squared)
        assert width(squared) >= width(box(applied(primitive)))


elementwise = pytest.mark.parametrize(
    "primitive", [p for p in TABLE if p.elementwise], ids=lambda p: p.name
)


@elementwise
def test_an_elementwise_entry_is_proved_from_its_definition(primitive: Primitive) -> None:
    assert primitive.definition is not None
    assert primitive.definition_text

    verdict = prove_entry(entry_of(primitive))

    assert verdict.status == "proved"
    assert isinstance(verdict.proof, EntryProof)
    assert verdict.proof.replay()


@elementwise
def test_a_wrong_entry_is_refuted(primitive: Primitive) -> None:
    partials = primitive.partials
    assert partials is not None
    # Wrong by little, and not by a factor only.
    wrong = replace(primitive, partials=lambda ans, x: (partials(ans, x)[0] + ans / 10**9,))

    assert prove_entry(entry_of(wrong)).status == "refuted"


@every_primitive
def test_an_operation_states_one_kind_of_derivative(primitive: Primitive) -> None:
    rules = (primitive.partials, primitive.transpose, primitive.pull)
    assert sum(rule is not None for rule in rules) == 1
    assert primitive.factor is None or primitive.partials is None


# ---- tests compare by relative error ------------------------------------------------------

ABSOLUTE = {"atol", "abs_tol"}
#: Functions whose default has an absolute tolerance, and the argument that removes it.
HIDDEN = {"allclose": "atol", "isclose": "atol", "approx": "abs"}


def absolute_tolerances(tree: ast.Module) -> list[str]:
    """Absolute tolerances other than 0: they accept any value of a vanishing gradient."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg}
        zero = {key for key, value in given.items() if value in ("0", "0.0")}
        hidden = HIDDEN.get(name.rpartition(".")[2])
        if name == "math.isclose":
            hidden = None
        if (hidden and hidden not in zero) or (ABSOLUTE & set(given)) - zero:
            found.append(f"line {node.lineno}: {name}(…)")
    return found


@every_test
def test_no_test_has_an_absolute_tolerance(path: Path) -> None:
    assert absolute_tolerances(tree_of(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "np.testing.assert_allclose(a, b, atol=1e-9)",
        "math.isclose(a, b, abs_tol=1e-9)",
        "np.allclose(a, b, rtol=1e-9)",
        "assert a == pytest.approx(b, rel=1e-9)",
        "assert a == approx(b, abs=1e-9)",
    ],
)
def test_an_absolute_tolerance_is_found(source: str) -> None:
    assert len(absolute_tolerances(planted(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "np.testing.assert_allclose(a, b, rtol=1e-9)",
        "math.isclose(a, b, rel_tol=1e-9)",
        "np.allclose(a, b, rtol=1e-9, atol=0)",
        "assert a == pytest.approx(b, rel=1e-9, abs=0)",
    ],
)
def test_a_relative_tolerance_is_none(source: str) -> None:
    assert absolute_tolerances(planted(source)) == []


# ---- docstrings and sizes -----------------------------------------------------------------


def undocumented(tree: ast.Module) -> list[str]:
    """The module itself, and its public functions and classes, without a docstring."""
    found = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ):
            found.append(node.name)
    return found


@every_module
def test_what_is_public_has_a_docstring(path: Path) -> None:
    assert undocumented(tree_of(path)) == []


def test_a_missing_docstring_is_found() -> None:
    source = """
    def public(): ...
    class Thing:
        x = 1
    def _private(): ...
    def good():
        "It is."
    """
    assert undocumented(planted(source)) == ["the module", "public", "Thing"]


@every_module
def test_no_module_is_too_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST

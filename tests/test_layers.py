"""The layers: a module imports from its own layer and from those before it, never upwards.

Imports inside functions, under ``TYPE_CHECKING`` and through ``importlib.import_module``
with a constant name count. Within a layer no modules may import each other in a circle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "symgrad"

#: The table, lowest layer first; layers on one line are equals and may use each other.
ORDER = (
    ("errors",),
    ("lang",),
    ("verify",),
    ("ops",),
    ("cell",),
    ("cells",),
    ("graph",),
    ("adjoint",),
    ("closed",),
    ("evaluate",),
    ("derivation",),
    ("render",),
    ("parse",),
    ("judge",),
    ("testing", "strategies", "cli"),
)
RANK = {layer: rank for rank, layers in enumerate(ORDER) for layer in layers}
#: They stand above every layer: the package's face and ``python -m symgrad``.
TOP = ("symgrad", "symgrad.__main__")


def module_name(path: Path, package: Path) -> str:
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_package(package: Path) -> dict[str, ast.Module]:
    """The syntax tree of every module by its dotted name."""
    return {
        module_name(path, package): ast.parse(path.read_text(encoding="utf-8"), str(path))
        for path in sorted(package.rglob("*.py"))
    }


def _imported(node: ast.AST, base: str) -> Iterator[str]:
    """The dotted names that one statement or call imports; ``base`` is its package."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = base.split(".")
        start = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
        source = ".".join(filter(None, (start, node.module)))
        # The version of the package is a word, and taking it imports no layer.
        names = [alias.name for alias in node.names if alias.name != "__version__"]
        yield from (f"{source}.{name}" for name in names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else ""
        called = function.id if isinstance(function, ast.Name) else called
        if called in ("import_module", "__import__"):
            name = str(node.args[0].value)
            dots = len(name) - len(name.lstrip("."))
            if dots:
                parts = base.split(".")
                name = ".".join([*parts[: len(parts) - dots + 1], name.lstrip(".")])
            yield name


def imports_of(
    nodes: Iterable[ast.AST], name: str, modules: Mapping[str, ast.Module], *, is_package: bool
) -> set[str]:
    """The modules of the package that ``nodes``, part of the module ``name``, import."""
    base = name if is_package else name.rpartition(".")[0]
    found: set[str] = set()
    for node in nodes:
        for target in _imported(node, base):
            # ``from package.module import thing`` means the longest name that is a module.
            parts = target.split(".")
            if parts[0] != name.partition(".")[0]:
                continue
            names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
            layers = {f"{parts[0]}.{layer}" for layer in RANK}
            found.add(next((n for n in names if n in modules or n in layers), parts[0]))
    return found - {name}


def import_graph(package: Path) -> dict[str, set[str]]:
    """Every module with the modules of the package that it imports, wherever it does so."""
    modules = read_package(package)
    packages = {module_name(path, package) for path in package.rglob("__init__.py")}
    return {
        name: imports_of(ast.walk(tree), name, modules, is_package=name in packages)
        for name, tree in modules.items()
    }


def layer_of(module: str) -> str:
    return module.split(".")[1]


def violations(graph: Mapping[str, set[str]]) -> list[str]:
    """What breaks the order of the table: imports upwards, and layers it does not list."""
    found = []
    for module, targets in sorted(graph.items()):
        if module in TOP:
            continue
        if layer_of(module) not in RANK:
            found.append(f"{module} is in no layer of the table")
            continue
        for target in sorted(targets):
            if target in TOP:
                found.append(f"{module} imports {target}, which stands above every layer")
            elif layer_of(target) not in RANK:
                found.append(f"{module} imports {target}, which is in no layer of the table")
            elif RANK[layer_of(target)] > RANK[layer_of(module)]:
                found.append(f"{module} imports {target}, which stands above it")
    return found


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan 1972).

    That Python imports a module's parent package before it is no edge; a module that takes
    a name from its own package is one.
    """
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for target in sorted(graph.get(module, ())):
            if target not in number:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], number[target])
        if low[module] == number[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return found


def eager_imports(package: Path) -> set[str]:
    """What importing the package itself imports of its own modules at once."""
    modules = read_package(package)
    tree = modules.get(package.name)
    if tree is None:
        return set()

    def at_import(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.orelse:
                yield from at_import(statement)
            return
        yield node
        for child in ast.iter_child_nodes(node):
            yield from at_import(child)

    return imports_of(at_import(tree), package.name, modules, is_package=True)


# ---- symgrad itself --------------------------------------------------------------------


def test_imports_point_one_way() -> None:
    graph = import_graph(PACKAGE)

    assert len(graph) > 50, "the package was not found"
    assert violations(graph) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = import_graph(PACKAGE)
    # What stands above every layer may be imported by nothing, so it is in no circle.
    assert cycles({name: targets for name, targets in graph.items() if name not in TOP}) == []


def test_importing_symgrad_imports_nothing_of_it() -> None:
    assert eager_imports(PACKAGE) == set()


# ---- the tests above can fail ----------------------------------------------------------


def plant(folder: Path, files: Mapping[str, str]) -> Path:
    """A small package of the given modules."""
    package = folder / "symgrad"
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package


UPWARDS = [
    pytest.param("from symgrad.ops.table import TANH\n", id="from"),
    pytest.param("import symgrad.ops.table\n", id="import"),
    pytest.param("from symgrad.ops import table\n", id="module of a package"),
    pytest.param("from symgrad import ops\n", id="layer"),
    pytest.param("from ..ops.table import TANH\n", id="relative"),
    pytest.param("from .. import ops\n", id="relative layer"),
    pytest.param("def f():\n    from symgrad.ops.table import TANH\n", id="in a function"),
    pytest.param(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import symgrad.ops.table\n",
        id="for types",
    ),
    pytest.param("import importlib\nimportlib.import_module('symgrad.ops.table')\n", id="string"),
    pytest.param(
        "from importlib import import_module\nimport_module('..ops.table', __package__)\n",
        id="relative string",
    ),
]


@pytest.mark.parametrize("text", UPWARDS)
def test_an_import_upwards_is_found(text: str, tmp_path: Path) -> None:
    package = plant(
        tmp_path,
        {"verify/exact.py": text, "ops/__init__.py": "", "ops/table.py": "TANH = 1\n"},
    )

    (found,) = violations(import_graph(package))
    assert found.startswith("symgrad.verify.exact imports symgrad.ops")


def test_an_import_downwards_is_none(tmp_path: Path) -> None:
    files = {
        "ops/table.py": "from symgrad.verify.exact import X\nfrom symgrad.ops.build import Y\n",
        "ops/build.py": "import sympy\n",
        "verify/exact.py": "",
        "__init__.py": "__version__ = '1'\n",
        "cli/main.py": "from symgrad.strategies import values\nfrom symgrad import __version__\n",
        "strategies.py": "",
    }

    assert violations(import_graph(plant(tmp_path, files))) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"extras/a.py": ""}, ["symgrad.extras.a is in no layer of the table"]),
        (
            {"ops/a.py": "from symgrad import Cell\n", "__init__.py": ""},
            ["symgrad.ops.a imports symgrad, which stands above every layer"],
        ),
        ({"__main__.py": "from symgrad.cli import main\n", "cli/__init__.py": ""}, []),
    ],
)
def test_what_is_in_no_layer_is_found(
    files: dict[str, str], expected: list[str], tmp_path: Path
) -> None:
    assert violations(import_graph(plant(tmp_path, files))) == expected


def test_a_circle_is_found(tmp_path: Path) -> None:
    files = {
        "ops/__init__.py": "from symgrad.ops.table import A\n",
        "ops/table.py": "from symgrad.ops.build import B\n",
        "ops/build.py": "def f():\n    from symgrad.ops.chain import C\n",
        "ops/chain.py": "from symgrad.ops.table import A\n",
        "ops/other.py": "from symgrad.ops.table import A\n",
        "cell/__init__.py": "from symgrad.cell.cell import Cell\n",
        "cell/cell.py": "from symgrad.cell import names\nfrom symgrad.cell import Cell\n",
        "cell/names.py": "",
    }

    assert cycles(import_graph(plant(tmp_path, files))) == [
        ["symgrad.cell", "symgrad.cell.cell"],
        ["symgrad.ops.build", "symgrad.ops.chain", "symgrad.ops.table"],
    ]


def test_an_eager_import_is_found(tmp_path: Path) -> None:
    lazy = "def __getattr__(name):\n    from symgrad.lang import nodes\n    return nodes\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import symgrad.lang\n"
    package = plant(tmp_path, {"__init__.py": lazy + typed, "lang/__init__.py": ""})
    assert eager_imports(package) == set()

    (package / "__init__.py").write_text("try:\n    import symgrad.lang\nfinally:\n    pass\n")
    assert eager_imports(package) == {"symgrad.lang"}

"""Imports go down floors only, never in a circle, and heavy packages load when first needed.

Every module is read as a syntax tree, so a new file is checked from the moment it exists. An
import inside a function is for two things: a heavy package (or a module of ours that loads one),
and the few references named in `LAZY`, each with its reason.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"

# The root stands between the public transforms, which it re-exports, and what is built on them.
FLOORS = {
    "adjoint.errors": 0,
    "adjoint.version": 0,
    "adjoint.graph": 1,
    "adjoint.primitives": 2,
    "adjoint.transforms": 3,
    "adjoint.simplify": 3,
    "adjoint.codegen": 4,
    "adjoint.enclosure": 4,
    "adjoint.operators": 4,
    "adjoint.printing": 4,
    "adjoint.api": 5,
    "adjoint.calculus": 5,
    "adjoint.compilation": 5,
    "adjoint.extend": 5,
    "adjoint.numpy": 5,
    "adjoint.scipy": 5,
    "adjoint": 5.5,
    "adjoint.learn": 6,
    "adjoint.optimize": 6,
    "adjoint.curvature": 6,
    "adjoint.geometry": 6,
    "adjoint.testing": 6,
    "adjoint.plots": 7,
    "adjoint.cli": 7,
    "adjoint.__main__": 7,
}

# Never loaded by `import adjoint`; the folders are the only ones that may name the package.
HEAVY: dict[str, tuple[str, ...]] = {
    "scipy": ("adjoint",),
    "opt_einsum": ("adjoint",),
    "rich": ("adjoint",),
    "optree": ("adjoint.graph", "adjoint.calculus"),
    "llvmlite": ("adjoint.codegen",),
    "matplotlib": ("adjoint.plots",),
    "click": ("adjoint.cli",),
    "hypothesis": ("adjoint.testing",),
    "sklearn": ("adjoint.cli",),
}

# (importing module or folder, imported module or folder): why the import waits in a function.
LAZY: dict[tuple[str, str], str] = {
    ("adjoint.graph.tracer", "adjoint.numpy"): "a traced value reports its array-API namespace",
    ("adjoint.graph.binding", "adjoint.graph.tracer"): "operators bind here, decisions lie there",
    ("adjoint.codegen.numpy_abi", "numpy._core"): "a private table, read when code is first linked",
    ("adjoint.graph.ir", "adjoint.graph.text"): "the printed form of a graph, for its repr",
    ("adjoint.printing.drawing", "adjoint.plots"): "Matplotlib draws a PNG, if it is there",
    ("adjoint.calculus.approximation", "adjoint.calculus.remainder"): "bounds come when asked for",
    ("adjoint.cli.language", "adjoint.scipy.special"): "SciPy loads if an expression needs it",
    ("adjoint.api", "adjoint.printing.drawing"): "drawing is not needed to import adjoint",
}

# What `import adjoint` may bring besides the standard library.
LIGHT = {"adjoint", "numpy"}


@dataclass(frozen=True)
class Reference:
    """One import: who, whom, on which line; `lazy` inside a function, `typed` for the checker."""

    module: str
    target: str
    line: int
    lazy: bool = False
    typed: bool = False

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def within(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def place(module: str) -> str:
    """The row of FLOORS that holds for a module: itself, else its folder, else the root."""
    second = ".".join(module.split(".")[:2])
    return second if second in FLOORS else "adjoint"


def read_package() -> dict[str, ast.Module]:
    """Every module of the package, by dotted name, as a syntax tree."""
    return {
        dotted_name(path): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted((SOURCE / "adjoint").rglob("*.py"))
    }


def dotted_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def references(trees: Mapping[str, ast.Module]) -> list[Reference]:
    return [
        found for name, tree in trees.items() for found in walk(tree, Reference(name, "", 0), trees)
    ]


def walk(node: ast.AST, here: Reference, known: Mapping[str, ast.Module]) -> Iterator[Reference]:
    """The imports below `node`; `here` carries what is true of them all."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for target in targets(child, here.module, known):
                yield Reference(here.module, target, child.lineno, here.lazy, here.typed)
        elif target := called(child):
            yield Reference(here.module, target, child.lineno, here.lazy, here.typed)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from walk(child, Reference(here.module, "", 0, True, here.typed), known)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from walk(child, Reference(here.module, "", 0, here.lazy, True), known)
        else:
            yield from walk(child, here, known)


def called(node: ast.AST) -> str:
    """The module that `import_module("name")` names, if the node is such a call."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0]
        return first.value if isinstance(first, ast.Constant) else ""
    return ""


def targets(
    node: ast.Import | ast.ImportFrom, module: str, known: Mapping[str, ast.Module]
) -> Iterator[str]:
    """The modules an import statement names; `from folder import name` means name if it is one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = absolute_base(node, module, known)
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if inner in known else base


def absolute_base(node: ast.ImportFrom, module: str, known: Mapping[str, ast.Module]) -> str:
    if not node.level:
        return node.module or ""
    is_folder = any(name.startswith(module + ".") for name in known)
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + is_folder]
    return ".".join([*kept, *([node.module] if node.module else [])])


def executed(reference: Reference, known: Mapping[str, ast.Module]) -> set[str]:
    """The modules of ours that an import runs: the target, and folders that it enters."""
    parts = reference.target.split(".")
    folders = {".".join(parts[:count]) for count in range(1, len(parts) + 1)} & set(known)
    return {
        name for name in folders if not within(reference.module, name) or name == reference.target
    }


def upward(found: list[Reference]) -> list[Reference]:
    ours = [ref for ref in found if within(ref.target, "adjoint") and not excused(ref)]
    return [ref for ref in ours if FLOORS[place(ref.target)] > FLOORS[place(ref.module)]]


def excused(ref: Reference) -> bool:
    return ref.lazy and any(covers(pair, ref) for pair in LAZY)


def covers(pair: tuple[str, str], ref: Reference) -> bool:
    """Whether a row of LAZY speaks of this import; the root there is one module, not all."""
    importer = ref.module == pair[0] if pair[0] == "adjoint" else within(ref.module, pair[0])
    return importer and within(ref.target, pair[1])


def at_import(found: list[Reference]) -> list[Reference]:
    return [ref for ref in found if not ref.lazy and not ref.typed]


def cycle(edges: list[tuple[str, str]]) -> list[str]:
    """One circle of the directed graph, or nothing."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in edges:
        if source != target:
            sorter.add(source, target)
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def module_edges(trees: Mapping[str, ast.Module]) -> list[tuple[str, str]]:
    loaded = at_import(references(trees))
    return [(ref.module, target) for ref in loaded for target in executed(ref, trees)]


def heavy_modules(trees: Mapping[str, ast.Module]) -> set[str]:
    """Our modules that load a heavy package as soon as they are imported, however indirectly."""
    heavy = {
        ref.module for ref in at_import(references(trees)) if ref.target.split(".")[0] in HEAVY
    }
    edges = module_edges(trees)
    while more := {source for source, target in edges if target in heavy} - heavy:
        heavy |= more
    return heavy


def unreasoned(trees: Mapping[str, ast.Module]) -> list[Reference]:
    """Imports inside functions that wait for nothing heavy and are not listed in LAZY."""
    heavy = heavy_modules(trees)
    return [
        ref
        for ref in references(trees)
        if ref.lazy
        and ref.target.split(".")[0] not in HEAVY
        and not executed(ref, trees) & heavy
        and not excused(ref)
    ]


def far_from_home(found: list[Reference]) -> list[Reference]:
    return [
        ref
        for ref in found
        if (homes := HEAVY.get(ref.target.split(".")[0]))
        and not any(within(ref.module, home) for home in homes)
    ]


@cache
def package() -> dict[str, ast.Module]:
    trees = read_package()
    assert trees, f"no module found below {SOURCE}"
    return trees


def assert_none(offences: list[Reference], rule: str) -> None:
    assert not offences, "\n  ".join([rule, *map(str, offences)])


def test_every_module_has_a_floor() -> None:
    homeless = [name for name in package() if name != "adjoint" and place(name) == "adjoint"]
    assert not homeless, f"give these modules a floor in {Path(__file__).name}: {homeless}"


def test_imports_go_down() -> None:
    assert_none(upward(references(package())), "imports go down floors only, but")


def test_modules_import_each_other_in_no_circle() -> None:
    found = cycle(module_edges(package()))
    assert not found, "a circle of imports: " + " -> ".join(found)


def test_folders_on_one_floor_import_each_other_in_no_circle() -> None:
    loaded = at_import(references(package()))
    ours = [ref for ref in loaded if within(ref.target, "adjoint")]
    found = cycle([(place(ref.module), place(ref.target)) for ref in ours])
    assert not found, "a circle of folders: " + " -> ".join(found)


def test_imports_inside_functions_have_a_reason() -> None:
    rule = "an import inside a function is for heavy packages or for what LAZY gives a reason for:"
    assert_none(unreasoned(package()), rule)


def test_every_listed_reason_is_needed() -> None:
    lazy = [ref for ref in references(package()) if ref.lazy]
    idle = [pair for pair in LAZY if not any(covers(pair, ref) for ref in lazy)]
    assert not idle, f"nothing imports these any more, take them out of LAZY: {idle}"


def test_heavy_packages_stay_in_their_folders() -> None:
    assert_none(far_from_home(references(package())), "a heavy package outside its folder:")


def test_import_adjoint_loads_little() -> None:
    script = (
        "import sys; before = set(sys.modules); import adjoint; adjoint.__all__;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    surplus = set(run.stdout.split()) - LIGHT - set(sys.stdlib_module_names)
    loaded = {name for name in surplus if not name.startswith("_")}
    assert not loaded, f"`import adjoint` loads {sorted(loaded)}"


def planted(**sources: str) -> dict[str, ast.Module]:
    """A package in miniature: keyword a__b stands for module adjoint.a.b."""
    names = {f"adjoint.{name.replace('__', '.')}": text for name, text in sources.items()}
    return {"adjoint": ast.parse("")} | {name: ast.parse(text) for name, text in names.items()}


@pytest.mark.parametrize(
    "statement",
    [
        "from adjoint.transforms import forward",
        "from ..transforms import forward",
        "import adjoint.transforms.forward",
        "import adjoint",
        "def late():\n    from adjoint.transforms.forward import push",
        "def late():\n    importlib.import_module('adjoint.transforms.forward').push()",
    ],
)
def test_an_upward_import_is_seen(statement: str) -> None:
    trees = planted(graph="", graph__ir=statement, transforms="", transforms__forward="")
    assert [ref.module for ref in upward(references(trees))] == ["adjoint.graph.ir"]


def test_a_downward_import_is_no_offence() -> None:
    trees = planted(graph="", graph__ir="", transforms__forward="from ..graph.ir import Node")
    assert not upward(references(trees)) and not cycle(module_edges(trees))


def test_a_circle_is_seen_also_through_a_folder() -> None:
    trees = planted(
        graph="from .ir import Node",
        graph__ir="",
        primitives="from . import rows",
        primitives__rows="from adjoint.primitives.other import x",
        primitives__other="from adjoint.primitives import rows",
    )
    assert set(cycle(module_edges(trees))) == {
        "adjoint.primitives.rows",
        "adjoint.primitives.other",
    }


def test_a_late_import_needs_something_heavy_behind_it() -> None:
    trees = planted(
        codegen__entry="from adjoint.codegen.module import emit",
        codegen__module="import llvmlite",
        printing__latex="",
        api="def compile():\n    import adjoint.codegen.entry\n    import adjoint.printing.latex",
    )
    assert [ref.target for ref in unreasoned(trees)] == ["adjoint.printing.latex"]


def test_a_heavy_package_away_from_home_is_seen() -> None:
    trees = planted(api="import matplotlib.pyplot", plots__curves="import matplotlib.pyplot")
    assert [ref.module for ref in far_from_home(references(trees))] == ["adjoint.api"]


def test_imports_for_the_type_checker_make_no_circle() -> None:
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from adjoint.graph import b"
    trees = planted(graph__a=guarded, graph__b="from adjoint.graph.a import x")
    assert not cycle(module_edges(trees))

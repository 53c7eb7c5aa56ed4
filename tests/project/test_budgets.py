"""Files and functions stay short enough to be read in one go.

A file counts every line. A function counts its lines without its docstring: what is said about a
formula may be long, what computes it may not.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs", "tools")
FILE_LINES = 450
FUNCTION_LINES = 60
MEDIAN_LINES = 10


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end of the body, the docstring not counted."""
    last = function.end_lineno
    assert last is not None
    whole = last - function.lineno + 1
    if ast.get_docstring(function) is None:
        return whole
    text = function.body[0]
    assert text.end_lineno is not None
    return whole - (text.end_lineno - text.lineno + 1)


def lengths(path: Path) -> dict[str, int]:
    tree = ast.parse(path.read_text("utf-8"), str(path))
    where = path.relative_to(ROOT)
    return {f"{where}:{each.lineno} {each.name}": length(each) for each in functions(tree)}


def assert_within(sizes: dict[str, int], limit: int, rule: str) -> None:
    over = sorted((name for name in sizes if sizes[name] > limit), key=lambda name: -sizes[name])
    assert not over, "\n  ".join([rule, *(f"{name}: {sizes[name]}" for name in over)])


def test_files_fit_the_budget() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in python_files(*FOLDERS)
    }
    assert sizes
    assert_within(sizes, FILE_LINES, f"no file has more than {FILE_LINES} lines, but")


def test_functions_fit_the_budget() -> None:
    sizes = {key: size for path in python_files(*FOLDERS) for key, size in lengths(path).items()}
    assert_within(sizes, FUNCTION_LINES, f"no function has more than {FUNCTION_LINES} lines, but")


def test_the_median_function_is_short() -> None:
    sizes = {key: size for path in python_files("src") for key, size in lengths(path).items()}
    middle = median(sizes.values())
    assert middle <= MEDIAN_LINES, f"the median function has {middle} lines, not {MEDIAN_LINES}"


def test_a_docstring_costs_nothing_and_code_costs_its_lines() -> None:
    tree = ast.parse('def f(x):\n    """One.\n\n    Two.\n    """\n    y = x\n    return y\n')
    assert [length(each) for each in functions(tree)] == [3]


def test_what_is_too_long_is_named() -> None:
    with pytest.raises(AssertionError, match=r"rule\n +long: 61"):
        assert_within({"long": 61, "short": 60}, 60, "rule")

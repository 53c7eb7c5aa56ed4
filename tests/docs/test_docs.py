"""The documentation is whole: chapters, pictures, one example per exception, a generated table.

The examples themselves run as doctests; see `testpaths` and `--doctest-glob` in pyproject.toml.
"""

from __future__ import annotations

import doctest
import importlib.util
import re
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest

from adjoint import errors
from adjoint.cli.inventory import inventory

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
ROWS = {
    "A_one_variable": 4, "B_many_variables": 4, "C_vector_fields": 4, "D_matrices": 4,
    "E_identities": 3, "F_automatic_differentiation": 5, "G_higher_order": 3, "H_linearisation": 3,
}  # fmt: skip
GENERATED = {"functions.md"}

WORKED = {
    "A1": ["2.5", "error/δ", "secants.svg", "convergence.svg"],
    "A2": ["240.0", "1 - np.tanh(x) ** 2"],
    "A3": ["16x(2x² + 1)³", "-12.0", "3x²(1 − tanh²(x³))", "sum rule", "product rule",
           "quotient rule", "chain rule", "power rule"],
    "A4": ["[1, 1, -2, -6, 24, 120]", "[1.0, 4.0, 6.0, 4.0, 1.0]", "remainder_bound", "taylor.svg"],
    "B1": ["2(x + 2y³) and 12y²(x + 2y³)", "total"],
    "B2": ["array([12., 13.])", "(1, 2)"],
    "B3": ["2 * np.sin(t) * (np.cos(t) - 1)", "array([48., 42.])", "inner dimensions 3 and 2"],
    "B4": ["steepest_ascent", "-1.0"],
    "C1": ["\nA\n", "mode=m", "[  1., -12.,   6.]"],
    "C2": ["row @ velocity"],
    "C3": ["−2(y − Φθ)ᵀΦ", "−(y − Ax)ᵀA"],
    "C4": ["J3 · J2 · J1", "1×30"],
    "D1": ["(4, 2, 3)", "stacked", "flattened"],
    "D2": ["(2, 2, 3)", "[i,j,k] ↦ δ[i,j] x[k]"],
    "D3": ["(2, 2, 3, 2)", "δ[i,l] R[k,j] + δ[j,l] R[k,i]"],
    "D4": ["2 * x + 4 * y, x * y**2", "[ 4., 30.]"],
    "F1": ["n6[\"f = d + e\"]", "graph.svg"],
    "F2": ["of_b * np.exp(a) + of_c", "local partials"],
    "F3": ["2 * x[0] / r**0.5", "100_000"],
    "F4": ["np.diag(slope)", "(4, 4, 3)", "used by both layers"],
    "F5": ["360"],
    "G1": ["[ 0.,  0., -6.]", "(2, 3, 3)"],
    "G2": ["(2, 2, 2)", "np.isclose(one, other"],
    "G3": ["ad.hvp(energy, x, v)"],
    "H1": ["9 + 6 (x - 3) + 9 (y - 1)"],
    "H2": ["(13.0, array([ 6., 14.]))", "[ 2., 12.]", "(6.0, 1)", "6.25", "along"],
    "H3": ["[2.0, 3.0, 4.0]", "remainder_bound", "remainder.svg"],
}  # fmt: skip
"""What the section of a row shows: the values that check the row, in code, results or pictures."""


def script(path: str) -> ModuleType:
    """A script of the documentation, imported without running it."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, DOCS / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def sections(page: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def exceptions() -> list[str]:
    return [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and name != "AdjointError"
    ]


@pytest.mark.parametrize(("chapter", "rows"), ROWS.items())
def test_each_row_of_a_chapter_has_examples(chapter: str, rows: int) -> None:
    found = sections(text(f"{chapter}.md"))
    letter = chapter[0]
    assert [title.split(".")[0] for title in found] == [f"{letter}{k}" for k in range(1, rows + 1)]
    without = [title for title, body in found.items() if not examples(body)]
    assert not without, f"{chapter} has no example in {without}"


@pytest.mark.parametrize("row", WORKED)
def test_each_row_shows_the_values_that_check_it(row: str) -> None:
    (chapter,) = (name for name in ROWS if name.startswith(row[0]))
    found = {title.split(".")[0]: body for title, body in sections(text(f"{chapter}.md")).items()}
    missing = [part for part in WORKED[row] if part not in found[row]]
    assert not missing, f"{row} does not show {missing}"


def test_every_row_is_listed() -> None:
    rows = {f"{name[0]}{k}" for name, count in ROWS.items() for k in range(1, count + 1)}
    assert set(WORKED) == {row for row in rows if not row.startswith("E")}


def examples(body: str) -> list[doctest.Example]:
    """The examples of a page that expect something."""
    return [e for e in doctest.DocTestParser().get_examples(body) if e.want]


def test_each_exception_has_an_example_that_raises_it() -> None:
    found = sections(text("errors.md"))
    assert sorted(found) == sorted(exceptions())
    for name, body in found.items():
        assert any(name in example.want for example in examples(body)), f"{name} is not raised"


def test_the_class_and_the_page_agree_on_the_built_in() -> None:
    for name, body in sections(text("errors.md")).items():
        for built_in in re.findall(r"`([A-Z]\w+Error)`", body.split("```")[0]):
            parent = getattr(__import__("builtins"), built_in)
            assert issubclass(getattr(errors, name), parent), f"{name} is no {built_in}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_code_blocks_end_with_an_empty_line(page: Path) -> None:
    """Otherwise the fence is read as part of the expected output."""
    lines = page.read_text("utf-8").splitlines()
    inside = False
    for number, line in enumerate(lines):
        if line == "```python":
            inside = True
        elif line == "```" and inside:
            assert not lines[number - 1], f"{page.name}:{number} has no empty line before the fence"
            inside = False


def test_every_page_is_in_the_table_of_contents() -> None:
    index = text("index.md")
    blocks = re.findall(r"```\{toctree\}(.*?)```", index, re.DOTALL)
    listed = [name for block in blocks for name in re.findall(r"^[\w*]+$", block, re.MULTILINE)]
    pages = {page.stem for page in PAGES} - {"index"} | {Path(name).stem for name in GENERATED}
    unlisted = [page for page in pages if not any(fnmatch(page, name) for name in listed)]
    idle = [name for name in listed if not any(fnmatch(page, name) for page in pages)]
    assert listed and not unlisted and not idle, f"unlisted {unlisted}, without a page {idle}"


def test_every_picture_is_made_and_shown(tmp_path: Path) -> None:
    made = {path.name for path in script("pictures/chapters.py").main(tmp_path)}
    shown = re.findall(r"!\[.+?\]\(pictures/made/(\S+?)\)", "".join(p.read_text() for p in PAGES))
    assert sorted(shown) == sorted(made)
    assert all((tmp_path / name).read_text("utf-8").rstrip().endswith("</svg>") for name in made)


def test_pictures_are_the_same_every_time(tmp_path: Path) -> None:
    chapters = script("pictures/chapters.py")
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    for path in (first, second):
        chapters.secants().savefig(path, metadata=chapters.METADATA)
    assert first.read_bytes() == second.read_bytes()


def test_the_table_of_functions_says_what_the_registry_does() -> None:
    functions = script("functions.py")
    entries = inventory("np.tanh")
    table = functions.as_markdown(entries)
    assert "| `np.tanh` | elementwise | yes | yes | yes | yes | yes |" in table
    assert functions.counts(entries).startswith("1 functions; of these forward 1, reverse 1,")

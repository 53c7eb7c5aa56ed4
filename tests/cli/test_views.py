"""`adjoint derive --taylor --trace --graph`: what is shown besides the numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result

import adjoint as ad
from adjoint.cli import main


def derive(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["derive", *arguments], catch_exceptions=False)


def as_json(*arguments: str) -> Any:
    result = derive(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# -- taylor


def test_taylor_writes_the_polynomial() -> None:
    result = derive("x**4", "--at", "x=1", "--taylor", "4")
    assert result.exit_code == 0
    assert result.output.endswith(
        "Taylor polynomial of degree 4 in x:\n"
        "  1 + 4 (x - 1) + 6 (x - 1)² + 4 (x - 1)³ + (x - 1)⁴\n"
    )


def test_numbers_are_expanded_together_and_arrays_one_by_one() -> None:
    result = derive("x**2 + 2*x*y + y**3", "--at", "x=1,y=2", "--taylor", "3")
    assert "degree 3 in x, y:\n  13 + 6 (x - 1) + 14 (y - 2) + (x - 1)² + 2" in result.output
    found = as_json("x @ A @ x", "--at", "x=[1,2],A=[[2,1],[1,20]]", "--taylor", "2")
    assert [e["with_respect_to"] for e in found["taylor"]] == [["A"], ["x"]]
    assert found["taylor"][1]["tensors"] == [86.0, [8.0, 82.0], [[4.0, 2.0], [2.0, 40.0]]]
    assert found["taylor"][1]["formula"].startswith("86 + 8 (x1 - 1) + 82 (x2 - 2) + 2 (x1 - 1)²")


def test_tensors_are_shown_where_nothing_can_be_written_out() -> None:
    result = derive("[x, x**2]", "--at", "x=1", "--taylor", "2")
    assert "its tensors are\nf    [1. 1.]\nDf   [1. 2.]\nD²f  [0. 2.]" in result.output
    found = as_json("sum(x)**3", "--at", f"x={[1] * 20}", "--taylor", "3")
    assert "formula" not in found["taylor"][0] and len(found["taylor"][0]["tensors"]) == 4


def test_a_radius_bounds_the_error() -> None:
    result = derive("sin(x)", "--at", "x=0", "--taylor", "5", "--radius", "1")
    label, _, number = result.output.splitlines()[-1].rpartition("  ")
    assert label == "error within 1 of the point: at most"
    assert abs(np.sin(1) - (1 - 1 / 6 + 1 / 120)) <= float(number) <= 1.05 / 5040
    arguments = ("--at", "x=1,y=2", "--taylor", "1", "--radius", "0.5")
    (found,) = as_json("x*y + x**2", *arguments)["taylor"]
    assert found["radius"] == 0.5 and found["error_bound"] == pytest.approx(0.5)
    without = ("1/x", "--at", "x=1", "--taylor", "1", "--radius", "1")
    assert derive(*without).output.endswith("at most  inf\n")
    assert as_json(*without)["taylor"][0]["error_bound"] == "inf"
    refused = derive("pinv(A)", "--at", "A=[[2,1],[1,2]]", "--taylor", "1", "--radius", "1")
    assert refused.exit_code == 1 and "no enclosure of pinv" in refused.output


def test_a_high_degree_in_one_variable() -> None:
    (found,) = as_json("exp(x)", "--at", "x=0", "--taylor", "30")["taylor"]
    assert np.allclose(found["tensors"], np.ones(31), rtol=1e-12)


# -- trace


def test_trace_prints_the_table() -> None:
    result = derive("sin(x)*exp(x)", "--at", "x=1", "--trace")
    table = ad.explain(lambda x: np.sin(x) * np.exp(x))(1.0)
    assert result.output.endswith(f"\n\n{table}\n")


def test_trace_as_objects() -> None:
    found = as_json("tanh(x*y)", "--wrt", "x", "--at", "x=0.5,y=2", "--trace")["trace"]
    assert [s["operation"] for s in found] == ["input", "x · 2", "tanh a"]
    slope = 1 - np.tanh(1.0) ** 2
    assert found[0]["adjoint"] == pytest.approx(2 * slope, rel=1e-14)
    assert found[2]["partials"] == {"a": pytest.approx(slope, rel=1e-14)}


def test_products_of_matrices_are_written_as_such() -> None:
    result = derive("x @ A @ x", "--at", "x=[1,2],A=[[2,1],[1,20]]", "--trace")
    assert "x @ A" in result.output and "a @ x" in result.output
    assert "einsum" not in result.output


# -- graph


def test_graph_is_drawn_with_values(tmp_path: Path) -> None:
    target = tmp_path / "f.svg"
    result = derive("sin(x)*exp(x)", "--at", "x=1", "--graph", str(target))
    assert result.exit_code == 0 and str(target) in result.output
    text = "".join(ElementTree.parse(target).getroot().itertext())
    assert "a = sin x" in text and "∂f/∂x = 3.75605" in text


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".dot", b"digraph"), (".mmd", b"graph TD")]
)
def test_graph_in_other_formats(tmp_path: Path, suffix: str, start: bytes) -> None:
    target = tmp_path / f"f{suffix}"
    found = as_json("[x, x**2]", "--at", "x=1", "--graph", str(target))
    assert found["graph"] == str(target)
    assert target.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--at", "x=1", "--graph", "f.pdf"], "--graph writes .svg, .png, .dot or .mmd; got"),
        (["x", "--at", "x=1", "--graph", "no/f.svg"], "the folder no, which does not exist."),
        (["x", "--at", "x=1", "--radius", "1"], "--radius is of a Taylor polynomial."),
        (["x", "--at", "x=1", "--taylor", "1", "--radius", "-1"], "is not in the range x>=0"),
        (["2 + 3", "--trace"], "--trace needs a variable; 2 + 3 has no argument"),
        (["2 + 3", "--taylor", "0"], "--taylor needs a variable"),
        (["[x, x]", "--at", "x=1", "--trace"], "value is one number; here it is f64[2]."),
        (["sum(x)", "--at", "x=[1,2,3]", "--taylor", "20"], "has 3486784401 entries"),
        (["x", "--at", "x=1", "--taylor", "61"], "0<=x<=60"),
    ],
)
def test_bad_input(arguments: list[str], message: str) -> None:
    result = derive(*arguments)
    assert result.exit_code == 2
    assert message in result.output and "Traceback" not in result.output


def test_nothing_is_computed_for_a_graph_that_cannot_be_written(tmp_path: Path) -> None:
    result = derive("undefined +", "--graph", str(tmp_path / "f.pdf"))
    assert "--graph writes" in result.output

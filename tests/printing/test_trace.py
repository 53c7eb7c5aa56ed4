"""SCOPE F1 and F2: the computation graph and the evaluation trace of the worked example."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import NotScalarError, UnknownNameError


def worked(x):
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


def test_the_trace_names_the_elementary_operations():
    table = ad.explain(worked)(1.1)
    assert [s.operation for s in table.steps.values()] == [
        "input", "x²", "exp a", "a + b", "√c", "cos c", "d + e",
    ]  # fmt: skip


def test_the_adjoint_column_is_that_of_the_worked_example():
    table = ad.explain(worked)(1.1)
    a, c = table["a"].primal, table["c"].primal
    of_c = 1 / (2 * np.sqrt(c)) - np.sin(c)
    assert np.isclose(table["c"].adjoint, of_c, rtol=1e-14)
    assert np.isclose(table["b"].adjoint, of_c, rtol=1e-14)
    of_a = of_c * np.exp(a) + of_c
    assert np.isclose(table["a"].adjoint, of_a, rtol=1e-14)
    assert np.isclose(table["x"].adjoint, of_a * 2 * 1.1, rtol=1e-14)
    assert np.isclose(table["x"].adjoint, ad.grad(worked)(1.1), rtol=1e-14)


def test_the_tangent_of_the_last_step_is_the_derivative():
    table = ad.explain(worked)(1.1)
    assert np.isclose(table["f"].tangent, ad.grad(worked)(1.1), rtol=1e-14)


def test_local_partials_multiply_to_the_chain_rule():
    def y(x1, x2):
        return (x1**2 - 2 * x2) / np.sqrt(x1 * x2 - np.sin(x2))

    table = ad.explain(y)(1.0, 2.0)
    for step in table.steps.values():
        children = [s for s in table.steps.values() if step.name in s.partials]
        if children:
            total = sum(s.adjoint * s.partials[step.name] for s in children)
            assert np.isclose(step.adjoint, total, rtol=1e-13)


def test_a_function_with_several_results_says_what_to_do():
    with pytest.raises(NotScalarError, match=r"explain\(f\) needs f to return one number"):
        ad.explain(lambda x: x * 2)(np.ones(2))


def test_the_graph_has_the_edges_of_the_worked_example():
    drawing = ad.graph(worked)(1.1)
    assert drawing.edges == [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 6), (5, 6)]


@pytest.mark.parametrize("ending", ["svg", "png", "dot", "mmd"])
def test_the_graph_is_saved_in_every_format(tmp_path: Path, ending):
    target = ad.graph(worked, values=True)(1.1).save(tmp_path / f"f.{ending}")
    data = target.read_bytes()
    assert len(data) > 200
    if ending == "svg":
        root = ElementTree.fromstring(data)
        assert sum(1 for e in root.iter() if e.tag.endswith("rect")) == 7
    if ending == "png":
        assert data.startswith(b"\x89PNG")


def test_boxes_and_bends_do_not_overlap():
    drawing = ad.graph(worked)(1.1)
    where, (width, height) = drawing.positions()
    half = drawing.box_width() / 2
    for i in range(len(drawing.steps)):
        x, y = where[i]
        assert half <= x <= width - half and 0 < y < height
        for j in where:
            if j != i and where[j][1] == y:
                assert abs(where[j][0] - x) >= half


def test_an_unknown_format_names_the_known_ones(tmp_path: Path):
    with pytest.raises(UnknownNameError, match=r"\.svg, \.png, \.dot or \.mmd"):
        ad.graph(worked)(1.1).save(tmp_path / "f.gif")


def test_html_for_notebooks_escapes():
    table = ad.explain(lambda x: np.where(x > 0, x, -x) * 1.0)(2.0)
    assert "&gt;" in table._repr_html_()

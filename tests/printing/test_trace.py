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


def test_an_unknown_format_names_the_known_ones(tmp_path: Path):
    with pytest.raises(UnknownNameError, match=r"\.svg, \.png, \.dot or \.mmd"):
        ad.graph(worked)(1.1).save(tmp_path / "f.gif")


def test_html_for_notebooks_escapes():
    table = ad.explain(lambda x: np.where(x > 0, x, -x) * 1.0)(2.0)
    assert "&gt;" in table._repr_html_()


def shared_twice(x):
    return np.sqrt(x**2 + np.exp(x**2)) + np.cos(x**2 + np.exp(x**2))


def test_equal_subexpressions_are_one_step():
    assert str(ad.explain(shared_twice)(1.1)) == str(ad.explain(worked)(1.1))
    assert ad.graph(shared_twice)(1.1).mermaid() == ad.graph(worked)(1.1).mermaid()


def test_what_only_looks_equal_stays_apart():
    table = ad.explain(lambda x: np.sum(x[0] * x[1]) + x[0] / x[1] + x[0] / x[1] ** 2.0)(np.ones(2))
    operations = [s.operation for s in table.steps.values()]
    assert operations.count("x[0]") == operations.count("x[1]") == 1
    scale = np.ones(3)

    def changing(x):
        first = (x * scale).sum()
        scale[:] = 2.0
        return first + (x * scale).sum()

    found = ad.explain(changing)(np.ones(3))
    assert found[found.listing.outputs[0]].primal == 9.0
    assert np.array_equal(found["x"].adjoint, [3.0, 3.0, 3.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda z: np.abs(z) ** 2,
        lambda z: (z * np.conj(z)).real,
        lambda z: np.exp(z * z).imag + np.abs(z),
    ],
)
def test_complex_adjoints_are_the_gradient(f):
    table = ad.explain(f)(1 + 2j)
    assert np.isclose(table["z"].adjoint, ad.grad(f)(1 + 2j), rtol=1e-14)


def test_complex_partials_obey_the_chain_rule():
    table = ad.explain(lambda z: (np.exp(z) * np.sin(z)).real)(1 + 2j)
    total = sum(s.adjoint * np.conj(s.partials["z"]) for s in table.steps.values() if s.partials
                and "z" in s.partials)  # fmt: skip
    assert np.isclose(table["z"].adjoint, total, rtol=1e-14)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.where(x > 0, np.sqrt(x), 0.0).sum() + x.sum(),
        lambda x: x[1:] @ x[:-1] + np.sqrt(x)[1],
        lambda x: ad.scan(lambda c, a: (np.sin(c) * a, c), x[0], x)[0],
    ],
)
def test_one_sweep_gives_the_gradient(f):
    x = np.array([0.0, 0.5, 2.0])
    assert np.allclose(ad.explain(f)(x)["x"].adjoint, ad.grad(f)(x), rtol=1e-14)


def test_each_adjoint_is_the_derivative_by_its_step():
    table = ad.explain(lambda x, y: np.tanh(x * y) * x)(0.3, 0.7)
    for name, after in [("a", lambda a: np.tanh(a) * 0.3), ("b", lambda b: b * 0.3)]:
        step = table[name]
        assert np.isclose(step.adjoint, ad.derivative(after)(step.primal), rtol=1e-14)


def test_the_cost_of_a_trace_grows_with_its_steps(monkeypatch):
    from adjoint.transforms import reverse

    passes = []
    monkeypatch.setattr(
        "adjoint.printing.listing.pullback",
        lambda *args, **named: passes.append(1) or reverse.pullback(*args, **named),
    )

    def loop(x):
        s = x
        for _ in range(50):
            s = np.sin(s) * x
        return s

    table = ad.explain(loop)(1.1)
    assert len(table.steps) == 101 and len(passes) == 1


def test_long_arrays_are_shown_by_type_and_norm():
    data = np.ones((32, 8))
    table = ad.explain(lambda W, b: np.tanh(data @ W + b).sum())(np.ones((8, 32)), np.zeros(32))
    assert max(map(len, str(table).splitlines())) < 140
    assert table.rows[0][2] == "f64[8,32] ‖16‖"
    assert str(table).splitlines()[-1] == "data is f64[32,8] ‖16‖"
    assert table["a"].operation == "data @ W"


def test_indices_results_of_loops_and_inner_variables_keep_their_meaning():
    def f(x):
        carry, carries = ad.scan(lambda c, a: (c * a, c), x[0], x[1:])
        return carry + carries[-1] + ad.grad(lambda t: t * t * carry)(x[::2][0])

    operations = [s.operation for s in ad.explain(f)(np.arange(1.0, 4.0)).steps.values()]
    assert {"x[0]", "x[1:]", "x[::2]", "scan(a, b)[0]", "scan(a, b)[1]"} <= {*operations}
    assert not [o for o in operations if "projection" in o or "variable" in o]


def test_no_part_is_called_f():
    def seven(x):
        for _ in range(7):
            x = np.sin(x)
        return x

    table = ad.explain(seven)(1.0)
    assert list(table.steps) == ["x", "a", "b", "c", "d", "e", "g", "h"]


def test_keyword_arguments_are_inputs_and_options_are_not():
    def f(x, y=2.0, *, power=2, label="none"):
        assert power == 2 and type(power) is int and label == "f"
        return x**power * y

    table = ad.explain(f)(x=3.0, y=4.0, power=2, label="f")
    assert table["x"].adjoint == 24.0 and table["y"].adjoint == 9.0
    assert str(table) == str(ad.explain(lambda x, y: x**2 * y)(3.0, 4.0))
    assert "power" not in table.steps

"""`adjoint derive` without a point: Taylor polynomials, graphs, derivations, carets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from adjoint.cli import main


def derive(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["derive", *arguments], catch_exceptions=False)


def lines(*arguments: str) -> list[str]:
    result = derive(*arguments)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def refused(*arguments: str) -> str:
    result = derive(*arguments)
    assert result.exit_code, result.output
    assert "Traceback" not in result.output
    return result.output


# -- Taylor polynomials and graphs without a point


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["sin(x)", "--taylor", "3"],
         ["Taylor polynomial of degree 3: f(x + δ) ≈ the sum of", "  degree 0:  sin(x)",
          "  degree 1:  δ cos(x)", "  degree 2:  −½δ² sin(x)", "  degree 3:  −1/6 δ³ cos(x)"]),
        (["x @ A @ x", "--shape", "x=n A=n,n", "--wrt", "x", "--taylor", "2"],
         ["  degree 0:  xᵀAx", "  degree 1:  δᵀ(A + Aᵀ)x", "  degree 2:  δᵀAδ"]),
        (["log(det(X))", "--shape", "X=n,n", "--taylor", "2"],
         ["Taylor polynomial of degree 2: f(X + Δ) ≈ the sum of", "  degree 0:  log(det(X))",
          "  degree 1:  tr(X⁻¹Δ)", "  degree 2:  −½tr(X⁻¹ΔX⁻¹Δ)"]),
        (["x*y", "--taylor", "2"],
         ["Taylor polynomial of degree 2: f(x + δx, y + δy) ≈ the sum of", "  degree 0:  xy",
          "  degree 1:  y δx + x δy", "  degree 2:  δx δy"]),
    ],
)  # fmt: skip
def test_taylor_polynomials_without_a_point_are_formulas_in_the_step(arguments, expected):
    assert lines(*arguments)[-len(expected) :] == expected


def test_terms_of_a_taylor_polynomial_sum_to_the_function_nearby():
    from adjoint.cli import symbolic

    def f(A, x):
        return np.sum(np.exp(A @ x))

    (found,) = symbolic.expand(f, [("m", "n"), ("n",)], {"A": ("m", "n"), "x": ("n",)}, ["x"], 4)
    rng = np.random.default_rng(3)
    A, x, step = rng.normal(size=(3, 2)), rng.normal(size=2), 1e-2 * rng.normal(size=2)
    total = 0.0
    for k, term in enumerate(found.terms):
        scope: dict[str, Any] = {}
        exec(term.source(), scope)
        total += scope[f"term_{k}"](A, x, step)
    assert np.isclose(total, f(A, x + step), rtol=1e-10)


def test_taylor_polynomials_are_in_the_json():
    found = json.loads(derive("x**2", "--taylor", "2", "--json").output)["taylor"][0]
    assert [t["formula"] for t in found["terms"]] == ["x²", "2xδ", "δ²"]


def test_a_graph_without_a_point_names_the_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "f.mmd"
    shown = lines("mean((A @ x - b)**2)/23", "--shape", "A=m,n b=m x=n", "--graph", str(path))
    assert shown[-1] == f"graph: {path}"
    text = path.read_text("utf-8")
    assert "A @ x" in text and "/ m" in text and "/ 23" in text and "29" not in text
    assert derive("sin(x)", "--graph", str(tmp_path / "f.svg")).exit_code == 0
    assert "sin x" in (tmp_path / "f.svg").read_text("utf-8")


# -- derivations of more than one order, of choices, and of functions of arrays


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["log(det(X))", "--shape", "X=n,n"],
         ["d(det(X)) = det(X) tr(X⁻¹ dX)                     Jacobi's formula",
          "d(log(det(X))) = d(det(X)) / det(X) = tr(X⁻¹ dX)  chain rule, derivative of log",
          "∂f/∂X = X⁻ᵀ"]),
        (["a @ inv(X) @ b", "--shape", "X=n,n a=n b=n", "--wrt", "X"],
         ["d(X⁻¹) = −X⁻¹ dX X⁻¹                     differential of the inverse",
          "∂f/∂X = −X⁻ᵀabᵀX⁻ᵀ"]),
        (["mean((A @ x - b)**2)", "--shape", "A=m,n b=m x=n", "--wrt", "x"],
         ["d(Ax − b) = d(Ax) = A dx                                 sum rule",
          "d(1/m ‖Ax − b‖²) = 1/m d(‖Ax − b‖²) = 2/m (Ax − b)ᵀA dx  constant multiple rule"]),
        (["trace(X @ X)", "--shape", "X=n,n"],
         ["d(XX) = dX X + X dX                product rule",
          "d(tr(XX)) = tr(d(XX)) = 2tr(X dX)  linearity"]),
        (["where(x > 0, x, 2*x)"],
         ["(2x)′ = 2 · 1 = 2  constant multiple rule",
          "(where(x > 0, x, 2x))′ = where(x > 0, 1, (2x)′) = where(x > 0, 1, 2)"]),
        (["x**3", "--order", "2"],
         ["(x³)′ = 3x²  power rule",
          "′ is the derivative with respect to x; now of the derivative of order 1",
          "(3x²)′ = 3 · (x²)′ = 6x  constant multiple rule"]),
        (["x @ A @ x", "--shape", "x=n A=n,n", "--wrt", "x", "--hessian"],
         ["d((A + Aᵀ)x) = (A + Aᵀ) dx  constant multiple rule",
          "so its derivative is A + Aᵀ"]),
    ],
)  # fmt: skip
def test_steps(arguments, expected):
    shown = lines(*arguments, "--steps")
    for line in expected:
        assert any(text.startswith(line) for text in shown), "\n".join(shown)


def test_steps_are_not_repeated_and_long_lines_have_their_rule_below():
    shown = lines("x**2*exp(x**2)", "--steps")
    assert sum(line.startswith("(x²)′") for line in shown) == 1
    assert shown[-1] == "    product rule" and max(map(len, shown)) < 100


def test_steps_of_a_choice_by_an_untouched_part_leave_out_what_does_not_vary():
    shown = "\n".join(lines("softmax(x)", "--shape", "x=n", "--steps"))
    assert "differential of max" not in shown and shown.endswith("where p = softmax(x)")


# -- where a mistake stands


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x @ A @ y", "--shape", "x=n A=n,m y=n"], ["  x @ A @ y\n        ^"]),
        (["(x) @ (A @ y)", "--shape", "x=m A=n,n y=n"], ["  (x) @ (A @ y)\n      ^"]),
        (["é*x + (y)", "--shape", "x=m y=n"], ["  é*x + (y)\n      ^"]),
        (["x + y", "--wrt", "z"], ["--wrt names z", "write --wrt x,y."]),
        (["__import__('os')"], ["names of functions begin with a letter"]),
        (["norm(X, p)", "--shape", "X=n,n"], ["an integer or inf", "  norm(X, p)\n          ^"]),
    ],
)
def test_the_caret_stands_under_the_operator_and_hints_fit(arguments, words):
    message = refused(*arguments)
    for word in words:
        assert word in message, message
    assert "write * for a product" not in message


def test_the_order_of_a_norm_is_its_second_argument_as_in_numpy():
    assert "f      3.0" in derive("norm(x, 1)", "--at", "x=[1,-2]").output
    assert "f      2.0" in derive("norm(x, inf)", "--at", "x=[1,-2]").output


def test_each_order_is_printed_as_soon_as_it_is_found(monkeypatch):
    from adjoint.cli import closed_form

    echoed: list[str] = []
    found = closed_form._closed

    def after_the_first(f, by, *others):
        if len(by) == 2:
            echoed.append("second")
        return found(f, by, *others)

    monkeypatch.setattr(closed_form, "_closed", after_the_first)
    monkeypatch.setattr("click.echo", lambda text="", **options: echoed.append(text))
    derive("x**3", "--order", "2")
    assert echoed == ["f = x**3\n\ndf/dx = 3x²", "second", "d²f/dx² = 6x"]


def test_the_help_says_how_far_formulas_go():
    text = " ".join(derive("--help").output.split())
    assert "as formulas, to 6." in text and "a formula to degree 6." in text


def test_formulas_and_what_follows_are_paragraphs():
    shown = lines("x**3", "--formula", "--latex")
    assert shown == ["f = x**3", "", "df/dx = 3x²", "", r"\frac{df}{dx} = 3\,x^{2}"]


def test_a_number_of_the_function_is_no_length(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def f(x):\n    return (x @ x) / 23\n", "utf-8")
    target, path = f"{tmp_path / 'model.py'}:f", tmp_path / "f.mmd"
    shown = "\n".join(lines(target, "--shape", "x=n", "--steps", "--graph", str(path)))
    assert "1/23" in shown and "1/n" not in shown and "(for n = 23)" in shown
    assert "/ 23" in path.read_text("utf-8")
    assert "2/n xᵀ dx" in "\n".join(lines("x @ x / n", "--shape", "x=n", "--steps"))

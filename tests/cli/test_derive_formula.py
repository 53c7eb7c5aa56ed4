"""`adjoint derive` without a point: formulas, LaTeX, source code, derivations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import adjoint as ad
from adjoint.cli import main


def derive(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["derive", *arguments], catch_exceptions=False)


def lines(*arguments: str) -> list[str]:
    result = derive(*arguments)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def functions(*arguments: str) -> dict[str, Any]:
    """What --source prints, run."""
    result = derive(*arguments, "--source")
    assert result.exit_code == 0, result.output
    assert "adjoint" not in result.output
    scope: dict[str, Any] = {}
    exec(result.output, scope)
    return scope


# -- formulas


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("exp(x1*x2**2)", [], ["∂f/∂x₁ = x₂² exp(x₁x₂²)", "∂f/∂x₂ = 2x₁x₂ exp(x₁x₂²)"]),
        ("(2*x**2 + 1)**4", [], ["df/dx = 16x(2x² + 1)³"]),
        ("a.T @ inv(X) @ b", ["--shape", "X=n,n a=n", "--shape", "b=n", "--wrt", "X"],
         ["∂f/∂X = −X⁻ᵀabᵀX⁻ᵀ"]),
        ("sum((y - Phi @ theta)**2)", ["--shape", "y=n,Phi=n,d,theta=d", "--wrt", "theta"],
         ["∂f/∂θ = −2(y − Φθ)ᵀΦ"]),
        ("log(det(X))", ["--shape", "X=n,n"], ["df/dX = X⁻ᵀ"]),
        ("x @ B @ x", ["--shape", "x=n B=n,n", "--wrt", "x", "--hessian"],
         ["∂f/∂x = xᵀ(B + Bᵀ)", "∂²f/∂x² = B + Bᵀ"]),
        ("x @ B @ x", ["--shape", "x=n B=n,n", "--wrt", "x", "--layout", "argument"],
         ["∂f/∂x = (B + Bᵀ)x"]),
        ("mean((A @ x - b)**2)", ["--shape", "A=n,m b=n x=m", "--wrt", "x"],
         ["∂f/∂x = 2/n (Ax − b)ᵀA"]),
        ("x**3*y", ["--order", "3", "--wrt", "x"],
         ["∂f/∂x = 3yx²", "∂²f/∂x² = 6xy", "∂³f/∂x³ = 6y"]),
        ("2**x", [], ["df/dx = log(2)2ˣ"]),
    ],
)  # fmt: skip
def test_formulas_are_printed_without_a_point(
    text: str, options: list[str], expected: list[str]
) -> None:
    shown = lines(text, *options)
    assert shown[0] == f"f = {text}"
    assert shown[-len(expected) :] == expected


def test_the_shapes_are_shown() -> None:
    shown = lines("A @ x + c", "--shape", "A=n,3 x=3", "--wrt", "x")
    assert shown[1:5] == ["with", "  A  n × 3", "  c  a number", "  x  3"]
    assert shown[-1] == "∂f/∂x = A"


def test_latex_alone_prints_latex_alone() -> None:
    assert lines("x**2*y", "--latex", "--hessian", "--wrt", "x,y")[:2] == [
        r"\frac{\partial f}{\partial x} = 2\,x y",
        r"\frac{\partial f}{\partial y} = x^{2}",
    ]
    assert lines("x**2", "--latex") == [r"\frac{df}{dx} = 2\,x"]


def test_source_alone_is_a_file_that_runs() -> None:
    found = functions("sum((y - Phi @ theta)**2)", "--shape", "y=n,Phi=n,d,theta=d")
    rng = np.random.default_rng(1)
    Phi, theta, y = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=5)
    expected = ad.grad(lambda t: np.sum((y - Phi @ t) ** 2))(theta)
    assert np.allclose(found["df_dtheta"](Phi, theta, y), expected, rtol=1e-12)
    assert np.allclose(found["df_dy"](Phi, theta, y), 2 * (y - Phi @ theta), rtol=1e-12)


def test_source_of_several_derivatives_imports_once() -> None:
    result = derive("sin(x)*y", "--source", "--order", "2", "--wrt", "x")
    assert result.output.count("import numpy") == 1
    found = functions("sin(x)*y", "--order", "2", "--wrt", "x")
    assert np.isclose(found["df_dx"](0.3, 2.0), 2 * np.cos(0.3))
    assert np.isclose(found["d2f_dx2"](0.3, 2.0), -2 * np.sin(0.3))


def test_variables_may_have_the_names_of_options() -> None:
    assert lines("f*layout", "--formula")[-2:] == ["∂f/∂f = layout", "∂f/∂layout = f"]


def test_a_point_and_a_formula() -> None:
    shown = lines("x @ A @ x", "--at", "x=[1,2],A=[[2,1],[1,20]]", "--wrt", "x", "--formula")
    assert "∂f/∂x  [ 8. 82.]" in shown
    assert shown[-1] == "∂f/∂x = xᵀ(A + Aᵀ)"


def test_functions_in_files_keep_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "def loss(w, X, power=2):\n    return ((X @ w) ** power).sum()\n", encoding="utf-8"
    )
    target = f"{tmp_path / 'model.py'}:loss"
    shown = lines(target, "--shape", "w=d X=n,d", "--wrt", "w")
    assert shown[0] == "model.py:loss"
    assert shown[-1] == "∂f/∂w = 2wᵀXᵀX"


def test_branches_of_functions_in_files_need_a_point(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "def f(x, k=3):\n    if x > 0:\n        return x**2 * k\n    return -x\n", encoding="utf-8"
    )
    target = f"{tmp_path / 'model.py'}:f"
    assert "or give a point" in refused(target)
    assert lines(target, "--at", "x=2", "--formula", "--wrt", "x")[-1] == "∂f/∂x = 6x"
    assert lines(target, "--at", "x=-2", "--formula", "--wrt", "x")[-1] == "∂f/∂x = −1"
    assert lines(target, "--at", "x=2", "--formula", "--wrt", "x,k")[-1] == "∂f/∂k = x²"


def test_json_has_all_forms() -> None:
    result = derive("x**2*y", "--json", "--steps")
    found = json.loads(result.output)
    assert found["function"] == "x**2*y" and found["shapes"] == {"x": [], "y": []}
    first = found["formulas"][0]
    assert (first["label"], first["formula"], first["latex"]) == ("∂f/∂x", "2xy", r"2\,x y")
    assert "def df_dx(x, y):" in first["source"]
    assert [s["rule"] for s in found["steps"][0]["steps"]] == [
        "power rule",
        "constant multiple rule",
    ]


def test_steps_name_the_rules() -> None:
    shown = lines("(2*x**2+1)**4", "--steps")
    assert shown[-1].startswith("((2x² + 1)⁴)′ = 4(2x² + 1)³ · (2x² + 1)′ = 16x(2x² + 1)³  ")
    assert shown[-1].endswith("chain rule, power rule")


# -- mistakes


def refused(*arguments: str) -> str:
    result = derive(*arguments)
    assert result.exit_code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_shapes_that_do_not_fit_are_named() -> None:
    message = refused("1 + X @ b", "--shape", "X=n,m b=n")
    assert "f64[n,m] and f64[n]" in message
    assert "  1 + X @ b\n        ^" in message


def test_messages_name_dimensions_and_not_lengths_that_stand_for_them() -> None:
    message = refused("A + B", "--shape", "A=n,m B=m,n")
    assert "+ needs shapes that fit; got f64[n,m] and f64[m,n]." in message and "23" not in message


def test_what_numpy_refuses_is_shown_with_what_it_got() -> None:
    message = refused("inv(A)", "--at", "A=[[1,2,3],[3,4,5]]")
    assert "must be square; got f64[2,3]." in message and "  inv(A)\n  ^" in message


def test_a_function_without_brackets() -> None:
    message = refused("2*exp x")
    assert "needs brackets around its argument" in message and "write exp(...)" in message
    assert "write * between them" in refused("y x")


def test_a_forgotten_shape_is_asked_for() -> None:
    message = refused("a @ inv(X) @ b", "--shape", "a=n b=n")
    assert "      ^" in message and '--shape "X=' in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--shape", "thta=n"], ["thta", "Did you mean theta?"]),
        (["--shape", "theta=n,2-"], ["'2-'", "  theta=n,2-\n          ^"]),
        (["--shape", "n,theta"], ["name=n,m", "  n,theta\n  ^"]),
        (["--shape", "theta=n theta=m"], ["theta twice"]),
        (["--wrt", "tehta"], ["Did you mean theta?"]),
        (["--order", "9"], ["up to order 6"]),
        (["--shape", "theta=2", "--trace"], ["--trace needs a point", '--at "theta=[1,2]"']),
        (["--taylor", "2", "--radius", "1"], ["--radius needs a point", '--at "theta=1"']),
        (["--taylor", "9"], ["up to degree 6", "--at for the numbers"]),
    ],
)
def test_mistakes_in_options(options: list[str], words: list[str]) -> None:
    message = refused("sum(theta**2)", *options)
    for word in words:
        assert word in message


# -- choices and functions of probabilities


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["where(x > 0, x, 0)"], "df/dx = where(x > 0, 1, 0)"),
        (["where(x > 0, x, a*x)", "--shape", "x=n", "--wrt", "x"],
         "∂f/∂x = diag(where(x > 0, 1, a))"),
        (["sum(where(abs(x) <= d, x**2/2, d*(abs(x) - d/2)))", "--shape", "x=n", "--wrt", "x"],
         "∂f/∂x = where(|x| ≤ d, x, d sign(x))ᵀ"),
        (["softmax(x)", "--shape", "x=n"], "df/dx = diag(p) − ppᵀ"),
        (["logsumexp(x)", "--shape", "x=n"], "df/dx = softmax(x)ᵀ"),
        (["sum(logsumexp(X @ W, axis=1)) - trace(Y.T @ X @ W)", "--shape", "X=n,d W=d,k Y=n,k",
          "--wrt", "W"], "∂f/∂W = Xᵀ(softmax(XW) − Y)"),
        (["-y @ log_softmax(x)", "--shape", "x=n y=n", "--wrt", "x"],
         "∂f/∂x = sum(y) softmax(x)ᵀ − yᵀ"),
        (["std(x)", "--shape", "x=1"], "df/dx = 0"),
        (["a @ inv(c*X) @ a", "--shape", "X=n,n a=n", "--wrt", "a"],
         "∂f/∂a = aᵀ(X⁻¹ + X⁻ᵀ) / c"),
    ],
)  # fmt: skip
def test_choices_and_probabilities(arguments, line):
    assert line in lines(*arguments)


def test_comparisons_at_a_point():
    result = derive("where(x >= y, x**2, y**3)", "--at", "x=1,y=2")
    assert "∂f/∂x  0.0" in result.output and "∂f/∂y  12.0" in result.output


def test_a_chain_of_comparisons_shows_the_way_out():
    result = derive("where(0 < x < 1, x, 0)")
    assert "a comparison is one of > >= < <= == !=, between two values." in result.output
    assert "\n  where(0 < x < 1, x, 0)\n        ^\n" in result.output
    assert "write where(x > 0, where(x < 1, a, b), b) for 0 < x < 1." in result.output


@pytest.mark.parametrize(
    ("name", "way"), [("slogdet(X)", "log(det(X))"), ("relu(x)", "where(x > 0, x, 0)")]
)
def test_what_has_no_function_is_shown_as_an_expression(name, way):
    output = derive(name).output
    assert f"{name[:-3]} is not a function of the language." in output and f"write {way}." in output


def test_an_expression_may_begin_with_a_minus_sign():
    assert lines("-x**2", "--latex") == [r"\frac{df}{dx} = -2\,x"]
    assert "df/dx = −2x" in lines("--formula", "-x**2")
    assert "No such option '--formla'" in derive("-x", "--formla").output
    assert "df/dx  -2.0" in derive("-x**2", "--at", "x=1").output


# -- dimensions that the function names


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sum(x)**2/n", "--shape", "x=n"], "df/dx = 2/n sum(x) 𝟏ᵀ"),
        (["x @ x / n", "--shape", "x=n", "--at", "x=[1,3]"], "df/dx  [1. 3.]"),
        (["trace(X @ eye(n))", "--shape", "X = n, n"], "df/dX = I"),
    ],
)
def test_a_dimension_in_the_function_is_the_length_and_no_variable(arguments, line):
    shown = lines(*arguments)
    assert line in shown and not any("∂n" in text or "23" in text for text in shown)


def test_source_reads_the_length_off_the_array():
    found = functions("x @ x / n", "--shape", "x=n")
    assert np.allclose(found["df_dx"](np.array([1.0, 2.0, 3.0])), [2 / 3, 4 / 3, 2.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shape", "x=n", "--wrt", "n"], ["--wrt names n", "--shape x=n", "no derivative"]),
        (["--shape", "x=n n="], ["is itself given a shape", "  x=n n=\n    ^"]),
        (["--shape", "x=n", "--at", "x=[1,2],n=3"], ["--shape says x=n", "f64[2] and n=3"]),
        (["--shape", "x=3", "--at", "x=[1,2],n=1"], ["--shape says x=3", "x as f64[2]"]),
        (["--shape", "x=n,m", "--at", "x=[1,2],n=1"], ["--shape says x=n,m", "x as f64[2]"]),
        (["--shape", "x=", "--at", "x=[1,2],n=1"], ["x= (a number)", "x as f64[2]"]),
        (["--shape", "x:n,n"], ["with = and not with a colon", "  x:n,n\n   ^"]),
        (["--shape", "x=-1"], ["a length is 0 or more", "'-1'", "    ^"]),
        (["--shape", "x=n==3"], ["a name stands before each =", "  x=n==3\n      ^"]),
    ],
)
def test_shapes_that_contradict_the_function_or_the_point(arguments, words):
    message = refused("sum(x)/n", *arguments)
    for word in words:
        assert word in message, message


def test_an_argument_with_a_value_is_no_dimension(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def f(x, n=5):\n    return (x**n).sum()\n", "utf-8")
    message = refused(f"{tmp_path / 'model.py'}:f", "--shape", "x=n")
    assert "n is a dimension here, a length, and is an argument of model.py:f with the value 5" in (
        message
    )


def test_two_vectors_of_one_length_have_it_at_a_point():
    message = refused("x @ x + y @ y", "--at", "x=[1,2],y=[1,2,3]", "--shape", "x=n y=n")
    assert "--shape says y=n, but --at gives y as f64[3] and x as f64[2]." in message

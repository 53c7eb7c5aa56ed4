"""The expression language: mathematics gets through, and nothing else."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjoint.cli import language
from adjoint.cli.evaluation import EvaluationError, evaluate
from adjoint.cli.expressions import parse, parse_assignments
from adjoint.errors import AdjointError, ExpressionError

A = np.array([[2.0, 1.0], [1.0, 20.0]])
V = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(x1*x2**2)", np.exp(2.0 * 9.0)),
        ("np.sin(x1) + numpy.cos(x2)", np.sin(2.0) + np.cos(3.0)),
        ("-x1**2 + +x2/2 - 1e-3", -4.0 + 1.5 - 1e-3),
        ("v @ A @ v", V @ A @ V),
        ("A.T @ v", A.T @ V),
        ("A[0, 1] + v[-1] + sum(v[0:1]) + sum(A[:, 0])", 1.0 + 2.0 + 1.0 + 3.0),
        ("norm(v) + np.linalg.norm(v) + linalg.norm(v)", 3 * np.sqrt(5.0)),
        ("norm(v, ord=1) + norm(v, ord=inf)", 5.0),
        ("sum(A, axis=0)", A.sum(axis=0)),
        ("[[x1, 2], [3, x2]] @ [1, 1]", np.array([4.0, 6.0])),
        ("det(A) + trace(inv(A) @ A)", np.linalg.det(A) + 2.0),
        ("scipy.special.gamma(5) + erf(0) + special.erf(0)", 24.0),
        ("pi*e + np.pi", np.pi * np.e + np.pi),
        ("reshape(v, (2, 1)) * eye(2)", np.diag(V)),
        ("2**-1", 0.5),
        ("7/2 + 2**3", 11.5),
        ("  x1\n + x2 ", 5.0),
        ("gamma", 0.5),
        ("θ*2", 8.0),
    ],
)
def test_mathematics_has_numpys_value(text: str, expected: object) -> None:
    values = {"x1": 2.0, "x2": 3.0, "v": V, "A": A, "gamma": 0.5, "θ": 4.0}
    assert np.allclose(evaluate(parse(text, values), values), expected, rtol=1e-14)


def test_names_are_sorted_as_people_count() -> None:
    assert parse("x10 + x2 + x1 + a").names == ("a", "x1", "x2", "x10")
    assert parse("e*pi + inf").names == ()
    assert parse("e*pi", {"e": 1.0}).names == ("e",)


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__base__.__subclasses__()",
    "x.__class__",
    "x.T.__init__.__globals__",
    "np.__loader__",
    "np.os.system",
    "np.os.system(1)",
    "np.lib.npyio.os",
    "np.ctypeslib.ctypes(1)",
    "np.load(x)",
    "np.fromfile(x)",
    "np.linalg.linalg",
    "scipy.special.os(1)",
    "sin.__call__(1)",
    "(lambda: 1)()",
    "[i for i in x]",
    "{i for i in x}",
    "{i: 1 for i in x}",
    "sum(i for i in x)",
    "x if x else y",
    "x < y < z",
    "x in y",
    "x and y",
    "not x",
    "~x",
    "(y := 3)",
    "f'{x}'",
    "'text'",
    "b'bytes'",
    "{'a': 1}",
    "{1, 2}",
    "*x",
    "f(*x)",
    "sin(**x)",
    "sin(x, out=x)",
    "sum(x, initial=1)",
    "sin(x, y)",
    "sin()",
    "True",
    "None",
    "...",
    "1j",
    "x[y]",
    "x[0.5]",
    "x[None]",
    "x[[0, 1]]",
    "x, y",
    "[]",
    "()",
    "await x",
    "(yield)",
    "print(x)",
    "eval(x)",
    "exec(x)",
    "open(x)",
    "_",
    "_x",
    "__builtins__",
    "x.sum()",
    "x.T()",
    "np",
    "np.sin",
    "sin",
    "sin + 1",
    "sin(x)(y)",
    "x(2)",
    "x // 2",
    "x % 2",
    "x << 2",
    "x | 2",
    "import os",
    "x; y",
    "x = 1",
    "del x",
    "",
    "   ",
    "\x00",
    "ѕin(x)",
    "ｅｖａｌ(x)",
    "x²",
    "√x",
    "\ud800",
    "(" * 500 + "x" + ")" * 500,
    "[" * 90 + "x" + "]" * 90 + "]",
    "-" * 3000 + "x",
    "+".join(["x"] * 1900),
    "9" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert time.perf_counter() - start < 1.0
    assert caught.value.headline.endswith((".", "?")) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "9**9**9**9*x", "-9**99", "10.0**400", "1/0 + 0/0", "9" * 3900, "1e999",
     "2**3**4**5**6", "exp(exp(exp(x)))", "(x*10)**999999999"],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_huge_numbers_neither_hang_nor_fail(text: str) -> None:
    start = time.perf_counter()
    value = evaluate(parse(text), {"x": 2.0})
    assert time.perf_counter() - start < 0.5
    assert isinstance(value, float)


@pytest.mark.parametrize(
    "text",
    ["zeros(99999)", "ones((9999, 9999))", "eye(4097)", "linspace(0, 1, 999999999)",
     "matrix_power([[1, 1], [1, 1]], 99999)", "sum(outer(ones(4000), ones(4000)))",
     "kron(ones(3000), ones(3000))", "eye(70) @ eye(70)", "linspace(0, 1, 4000) + reshape("
     "linspace(0, 1, 4000), (4000, 1))"],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_large_arrays_are_refused(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(EvaluationError, match="goes up to"):
        evaluate(parse(text), {})
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("1 + sine(x)", 4, "Did you mean sin"),
        ("x^2", 1, "powers are written with **"),
        ("x²", 1, "powers are written with **"),
        ("2x", 0, "write 2*x"),
        ("é + ln(x)", 4, "Did you mean log"),
        ("x y", 1, "write * between them"),
        ("sin(x", 3, "never closed"),
        ("x - √2", 4, "sqrt"),
        ("1 + (x).real", 5, "the only attribute"),
        ("2*x(y+1)", 2, "write * for a product"),
        ("np.sin(np.foo(x))", 7, "np.foo is not a function"),
    ],
)
def test_a_caret_stands_under_the_place(text: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    error = caught.value
    shown, caret = error.where.splitlines()
    assert shown == text and caret.index("^") == column == error.column  # type: ignore[attr-defined]
    assert words in str(error)


def test_the_caret_counts_wide_characters_and_cuts_long_texts() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("変数 + foo(x)")
    assert caught.value.where.splitlines()[1].index("^") == 7
    long = "x + " * 60 + "foo(x)" + " + x" * 30
    with pytest.raises(ExpressionError) as caught:
        parse(long)
    shown, caret = caught.value.where.splitlines()
    assert len(shown) < 80 and shown[caret.index("^") :].startswith("foo(x)")


def test_evaluation_errors_show_the_step() -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(parse("1 + v @ w"), {"v": V, "w": np.ones(3)})
    assert str(caught.value) == (
        "@ needs shapes that fit; got f64[2] and f64[3].\n  1 + v @ w\n        ^"
    )
    with pytest.raises(EvaluationError, match="out of bounds"):
        evaluate(parse("v[5]"), {"v": V})
    with pytest.raises(EvaluationError, match="Singular"):
        evaluate(parse("inv([[1, 1], [1, 1]])"), {})


def test_points_are_constants() -> None:
    named, unnamed = parse_assignments("3, x=1, A=[[1, 2], [3, pi/2]]")
    assert [evaluate(e, {}) for e in unnamed] == [3]
    assert np.allclose(evaluate(named["A"], {}), [[1, 2], [3, np.pi / 2]])
    for text in ("x=y", "x=1,x=2", "**x", "*x", "x=1)+(2", "x", "x==1", "x=__import__", "=1", "x=",
                 "x=1, y=sine(2)", "x=1)", "x=()"):  # fmt: skip
        with pytest.raises(ExpressionError):
            parse_assignments(text)


def test_a_wrong_point_is_marked_where_it_was_typed() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_assignments("x=1, y=sine(2)")
    assert caught.value.where.splitlines() == ["x=1, y=sine(2)", "       ^"]


@given(st.text(alphabet="xyλe0123456789.+-*/@()[],:= _'\"\\^²np.sinT{}<>&|!~;#\n\t", max_size=60))
def test_no_text_gets_past_the_errors_of_the_language(text: str) -> None:
    try:
        expression = parse(text)
        evaluate(expression, dict.fromkeys(expression.names, 0.7))
    except AdjointError as error:
        assert str(error)


def test_every_function_of_the_language_exists() -> None:
    for full, function in language.FUNCTIONS.items():
        assert callable(language.implementation(function)), full
    assert set(language.OTHER_NAMES.values()) <= {*language.SHORT, "linalg.norm"}

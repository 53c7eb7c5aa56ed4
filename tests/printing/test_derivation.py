"""`derivation`: one line per part, one rule per line, and the right derivative at the end."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentError, UnknownNameError

CASES: list[tuple[Any, list[str], str]] = [
    (lambda x: (2 * x**2 + 1) ** 4,
     ["power", "constant multiple", "sum", "constant", "chain", "power"], "16x(2x² + 1)³"),
    (lambda x: 6 * (-2 * x + 5) + 3,
     ["constant multiple", "sum", "constant", "constant multiple", "sum", "constant"], "−12"),
    (lambda x: x * np.sin(x), ["derivative of sin", "product"], "sin(x) + x cos(x)"),
    (lambda x: np.exp(x) / x, ["derivative of exp", "quotient"], "exp(x)(1 / x − 1 / x²)"),
    (lambda x: 1 / (1 + x), ["sum", "constant", "quotient"], "−1 / (x + 1)²"),
    (lambda x: np.sqrt(x), ["power"], "½ / √x"),
    (lambda x: 2.0**x, ["derivative of an exponential"], "log(2)2ˣ"),
    (lambda x: x, ["derivative of the variable"], "1"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "rules", "result"), CASES)
def test_rules_and_results(f: Any, rules: list[str], result: str) -> None:
    found = ad.derivation(f)
    named = ", ".join(s.rule for s in found.steps).replace(" rule", "")
    assert named == ", ".join(rules)
    assert found.result == result


def test_the_result_is_the_formula_of_the_derivative() -> None:
    def f(x: Any, n: Any) -> Any:
        return np.tanh(x**n)

    for wrt in ("x", "n"):
        place = "xn".index(wrt)
        found = ad.derivation(f, wrt)
        assert found.result == str(ad.formula(ad.grad(f, place)))
        assert found.variable == wrt
    assert ad.derivation(f).result == "nxⁿ⁻¹(1 − tanh²(xⁿ))"


def test_parts_that_do_not_depend_on_the_variable_have_no_line() -> None:
    found = ad.derivation(lambda x, y: np.sin(y) * np.cosh(y**2) * x**2, "x")
    assert found.steps[0].function == "x²"
    assert all("cosh" not in s.rule and "sin" not in s.rule for s in found.steps)


def test_a_constant_has_derivative_zero() -> None:
    (step,) = ad.derivation(lambda x, y: np.exp(y), "x").steps
    assert (step.equation(), step.rule) == ("(exp(y))′ = 0", "constant rule")


def test_two_operands_that_vary_give_the_total_derivative() -> None:
    found = ad.derivation(lambda x: np.arctan2(np.sin(x), np.cos(x)))
    assert found.steps[-1].rule == "chain rule, derivative of arctan2"
    assert len(re.findall(r"\)′", found.steps[-1].applied)) == 2


def test_a_choice_is_derived_by_cases() -> None:
    found = ad.derivation(lambda x: np.where(x > 0, x**2, np.sin(x)))
    last = found.steps[-1]
    assert last.rule == "by cases"
    assert last.applied == "where(x > 0, (x²)′, (sin(x))′)"
    assert found.result == "where(x > 0, 2x, cos(x))"
    assert ad.derivation(lambda x: np.where(x > 1, x, 3.0)).result == "where(x > 1, 1, 0)"


def test_what_cannot_be_derived_by_rules_for_numbers_is_refused() -> None:
    with pytest.raises(ArgumentError, match="functions made of numbers"):
        ad.derivation(lambda x: np.sum(np.array([1.0, 2.0]) * x))
    with pytest.raises(ArgumentError, match="one number"):
        ad.derivation(lambda x: np.array([1.0, 2.0]) * x)
    with pytest.raises(UnknownNameError, match="'alhpa'") as caught:
        ad.derivation(lambda alpha, beta: alpha * beta, "alhpa")
    assert "wrt='alpha'" in str(caught.value)

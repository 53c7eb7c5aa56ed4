"""custom_derivative: one rule or two, traceable or not, differentiated again and batched."""

import math
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    ArgumentError,
    MissingRuleError,
    ShapeMismatchError,
    TracedConversionError,
)
from tests.control.agreement import MODES, assert_agree, assert_batches, assert_close

X = np.array([0.3, 1.0, -2.0])


def opaque_sine(x: Any) -> Any:
    """A sine that refuses traced values."""
    return np.array([math.sin(v) for v in np.ravel(x)]).reshape(np.shape(x))[()]


def sine_jvp(primals: Any, tangents: Any) -> Any:
    return np.sin(primals[0]), np.cos(primals[0]) * tangents[0]


def sine_vjp(x: Any) -> Any:
    return np.sin(x), lambda ct: ct * np.cos(x)


RULES = {
    "jvp": {"jvp": sine_jvp},
    "vjp": {"vjp": sine_vjp},
    "both": {"jvp": sine_jvp, "vjp": sine_vjp},
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_one_rule_gives_all_derivatives(rules: dict[str, Any]) -> None:
    f = ad.custom_derivative(opaque_sine, **rules)
    assert_agree(lambda x: np.sum(f(x * x) * x), lambda x: np.sum(np.sin(x * x) * x), X)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_batches_of_a_function_that_cannot_be_traced(rules: dict[str, Any]) -> None:
    f = ad.custom_derivative(opaque_sine, **rules)
    x = np.stack([X, 2.0 * X])
    assert_batches(lambda x: np.sum(f(x * x) * x), lambda x: np.sum(np.sin(x * x) * x), x)
    assert_close(ad.jacobian(ad.vmap(f))(x), ad.jacobian(np.sin)(x))


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_inside_a_loop(rules: dict[str, Any]) -> None:
    f = ad.custom_derivative(opaque_sine, **rules)

    def looped(x: Any) -> Any:
        return ad.scan(lambda c, _: (f(c) * x, None), x, length=3)[0]

    def unrolled(x: Any) -> Any:
        return np.sin(np.sin(np.sin(x) * x) * x) * x

    assert_agree(looped, unrolled, 0.8)


def test_as_a_decorator_with_and_without_arguments() -> None:
    @ad.custom_derivative(jvp=lambda p, t: (p[0] ** 2, 10.0 * t[0]))
    def f(x: Any) -> Any:
        "Squares."
        return x**2

    assert f(3.0) == 9.0 and ad.grad(f)(3.0) == 10.0
    assert f.__name__ == "f" and f.__doc__ == "Squares."

    @ad.custom_derivative
    def g(x: Any) -> Any:
        return x**2

    @g.defvjp
    def rule(x: Any) -> Any:
        return x**2, lambda ct: (7.0 * ct,)

    assert ad.grad(g)(3.0) == 7.0
    assert rule(3.0)[0] == 9.0


class Model:
    scale = 3.0

    @ad.custom_derivative
    def apply(self, x: Any) -> Any:
        return self.scale * x

    apply.defjvp(lambda primals, tangents: (primals[0].scale * primals[1], 5.0 * tangents[1]))


def test_methods_strings_and_keywords() -> None:
    assert Model().apply(2.0) == 6.0
    assert ad.grad(Model().apply)(2.0) == 5.0

    @ad.custom_derivative
    def power(x: Any, n: int, kind: str = "up") -> Any:
        assert isinstance(n, int)
        return x**n if kind == "up" else x ** (-n)

    power.defjvp(lambda p, t: (p[0] ** p[1], p[1] * p[0] ** (p[1] - 1) * t[0]))
    assert ad.grad(lambda x: power(x, n=3))(2.0) == 12.0
    assert power(2.0, 3, kind="down") == 0.125


def test_containers_in_and_out_and_none_for_zero() -> None:
    @ad.custom_derivative
    def f(p: Any, x: Any, unused: Any) -> Any:
        return {"y": p["a"] * x, "z": np.dot(x, x) * p["b"]}

    @f.defvjp
    def rule(p: Any, x: Any, unused: Any) -> Any:
        def pull(ct: Any) -> Any:
            first = {"a": np.sum(ct["y"] * x), "b": ct["z"] * np.dot(x, x)}
            return first, p["a"] * ct["y"] + 2 * x * ct["z"] * p["b"], None

        return f(p, x, unused), pull

    def g(a: Any, b: Any, x: Any) -> Any:
        found = f({"a": a, "b": b}, x, x)
        return np.sum(found["y"] ** 2) + found["z"]

    def h(a: Any, b: Any, x: Any) -> Any:
        return np.sum((a * x) ** 2) + np.dot(x, x) * b

    assert_agree(g, h, 1.3, 2.0, X)
    for i in range(3):
        mixed = ad.jacobian(ad.grad(g, i), (0, 1, 2))(1.3, 2.0, X)
        expected = ad.jacobian(ad.grad(h, i), (0, 1, 2))(1.3, 2.0, X)
        for got, want in zip(mixed, expected, strict=True):
            assert_close(got, want)


def test_complex_cotangents_follow_the_public_convention() -> None:
    f = ad.custom_derivative(lambda z: z * z, vjp=lambda z: (z * z, lambda ct: ct * np.conj(2 * z)))
    z = 1.0 + 2.0j
    assert_close(ad.vjp(f, z)[1](1.0 - 3j)[0], ad.vjp(lambda z: z * z, z)[1](1.0 - 3j)[0])
    assert_close(ad.jvp(f, (z,), (0.5j,))[1], 2 * z * 0.5j)


def test_rules_that_are_not_numpy_serve_first_derivatives_and_batches() -> None:
    def rule(x: Any) -> Any:
        slope = [math.cos(v) for v in x]
        return opaque_sine(x), lambda ct: np.array(
            [float(c) * s for c, s in zip(ct, slope, strict=True)]
        )

    f = ad.custom_derivative(opaque_sine, vjp=rule)
    assert_close(ad.grad(lambda x: np.sum(f(x)))(X), np.cos(X))
    x = np.stack([X, 2.0 * X])
    assert_close(ad.vmap(ad.grad(lambda x: np.sum(f(x))))(x), np.cos(x))
    with pytest.raises(
        MissingRuleError, match=r"vjp rule of custom_derivative\(opaque_sine\) cannot"
    ):
        ad.hessian(lambda x: np.sum(f(x)))(X)
    with pytest.raises(
        MissingRuleError, match="has only a vjp rule, and forward mode has to trans"
    ):
        ad.jvp(f, (X,), (X,))


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (
            lambda p, t: (p[0], t[0] ** 2),
            MissingRuleError,
            "reverse mode has to .* it is not linear",
        ),
        (
            lambda p, t: (p[0], np.ones(3)),
            ShapeMismatchError,
            r"jvp rule of f needs y_dot of the type of y, f64; it returned f64\[3\]",
        ),
        (
            lambda p, t: (np.ones(3), t[0]),
            ShapeMismatchError,
            r"needs y to be what f returns, f64; it returned f64\[3\]",
        ),
        (lambda p, t: t[0], ArgumentError, r"needs to return \(y, y_dot\); it returned f64"),
        (lambda p, t: (p[0], (t[0],)), ArgumentError, "needs y_dot nested like y"),
        (lambda p, t: ((p[0],), t[0]), ArgumentError, "needs y nested like what f returns"),
    ],
)
def test_wrong_jvp_rules(rule: Any, error: Any, message: str) -> None:
    @ad.custom_derivative(jvp=rule)
    def f(x: Any) -> Any:
        return x

    with pytest.raises(error, match=message):
        ad.grad(f)(1.0)


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (
            lambda x, y: (x, lambda ct: (np.ones(3), ct)),
            ShapeMismatchError,
            r"needs cotangent 0 of the type of argument 0, f64; it returned f64\[3\]",
        ),
        (
            lambda x, y: (x, lambda ct: ct),
            ArgumentError,
            r"one cotangent per argument, a tuple of 2; it returned",
        ),
        (lambda x, y: (x, 3), ArgumentError, "with a function pullback; got 3"),
        (
            lambda x, y: (x,),
            ArgumentError,
            r"needs to return \(y, pullback\); it returned 1 values",
        ),
        (
            lambda x, y: (x, lambda ct: ((ct,), ct)),
            ArgumentError,
            "needs cotangent 0 nested like argument 0",
        ),
    ],
)
def test_wrong_vjp_rules(rule: Any, error: Any, message: str) -> None:
    @ad.custom_derivative(vjp=rule)
    def f(x: Any, y: Any) -> Any:
        return x * y

    with pytest.raises(error, match=message):
        ad.grad(f)(1.0, 2.0)


def test_other_mistakes_are_named() -> None:
    f = ad.custom_derivative(lambda x: x)
    with pytest.raises(MissingRuleError, match="before it was given a rule"):
        ad.grad(f)(1.0)
    with pytest.raises(ArgumentError, match="needs a function; got 3"):
        ad.custom_derivative(3)
    with pytest.raises(ArgumentError, match="needs a function; got 4"):
        f.defvjp(4)

    def closes(q: Any) -> Any:
        return ad.custom_derivative(lambda x: x * q, jvp=lambda p, t: (p[0], t[0]))(3.0 * q)

    with pytest.raises(TracedConversionError, match="closes over a traced value"):
        ad.grad(closes)(1.0)

    keyword = ad.custom_derivative(lambda x, *, n: x, jvp=lambda p, t: (p[0], t[0]))
    with pytest.raises(ArgumentError, match="arguments by position; got n by name"):
        ad.grad(lambda x: keyword(x, n=2))(1.0)

    def fussy(x: Any) -> Any:
        if float(x) > 0.5:
            raise ValueError("too large")
        return math.sin(x)

    with pytest.raises(MissingRuleError, match=r"result is not known.*ValueError\('too large'\)"):
        ad.vmap(ad.custom_derivative(fussy, jvp=sine_jvp))(np.zeros(2))


def test_the_rule_that_is_given_is_the_rule_that_is_used() -> None:
    f = ad.custom_derivative(lambda x: x * x, jvp=lambda p, t: (p[0] ** 2, 3.0 * p[0] * t[0]))
    for mode in MODES:
        assert ad.jacobian(f, mode=mode)(2.0) == 6.0
        assert ad.jacobian(ad.jacobian(f, mode=mode))(2.0) == 3.0

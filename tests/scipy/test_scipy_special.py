"""adjoint.scipy.special: SciPy's values, derivatives in every mode, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as sc

import adjoint as ad
from adjoint.errors import ArgumentValueError, UntraceableFunctionError
from adjoint.scipy import special
from tests.primitives.agreement import assert_agrees, assert_same

ROW = np.array([0.7, -1.3, 2.1, 0.4])
TABLE = np.array([[0.7, -1.3, 2.1], [0.4, 1.9, -0.6]])
POSITIVE = np.array([0.7, 1.9, 3.2])
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.5])

Function = Callable[[Any], Any]
CASES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], int, Any]] = {
    # label: name, arguments before and after, keywords, place of x, x
    "logsumexp": ("logsumexp", (), {}, 0, ROW),
    "logsumexp-axis": ("logsumexp", (), {"axis": 0}, 0, TABLE),
    "logsumexp-axes": ("logsumexp", (), {"axis": (0, -1), "keepdims": True}, 0, TABLE),
    "logsumexp-keepdims": ("logsumexp", (), {"axis": -1, "keepdims": True}, 0, TABLE),
    "logsumexp-b": ("logsumexp", (), {"b": WEIGHTS}, 0, ROW),
    "logsumexp-in-b": ("logsumexp", (ROW, -1), {}, 2, np.array([0.3, 0.0, 1.2, 2.0])),
    "logsumexp-number": ("logsumexp", (), {}, 0, np.array(0.3)),
    "softmax": ("softmax", (), {}, 0, ROW),
    "softmax-axis": ("softmax", (), {"axis": 0}, 0, TABLE),
    "log_softmax": ("log_softmax", (), {"axis": 1}, 0, TABLE),
    "softplus": ("softplus", (), {}, 0, ROW),
    "polygamma-0": ("polygamma", (0,), {}, 1, POSITIVE),
    "polygamma-2": ("polygamma", (2,), {}, 1, POSITIVE),
    "polygamma-orders": ("polygamma", (np.array([0, 1, 3]),), {}, 1, POSITIVE),
    "multigammaln": ("multigammaln", (3,), {}, 0, POSITIVE + 1.0),
    "zeta": ("zeta", (), {}, 0, POSITIVE + 1.1),
    "zeta-q": ("zeta", (2.5,), {}, 1, POSITIVE),
    "comb": ("comb", (2.3,), {}, 0, POSITIVE + 2.0),
    "comb-repetition": ("comb", (2.3,), {"repetition": True}, 0, POSITIVE),
    "perm": ("perm", (2.3,), {}, 0, POSITIVE + 2.0),
    "factorial": ("factorial", (), {}, 0, ROW + 2.0),
    "factorial-complex": ("factorial", (), {"extend": "complex"}, 0, POSITIVE),
    "factorial2": ("factorial2", (), {"extend": "complex"}, 0, POSITIVE),
    "factorialk": ("factorialk", (3,), {"extend": "complex"}, 0, POSITIVE),
    **{f"{f}-{d}": (f, (2,), {"derivative": d}, 1, POSITIVE)
       for f in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn")
       for d in (False, True)},
    **{f"{f}-left": (f, (n,), {"derivative": d}, 1, -POSITIVE)
       for f, n, d in (("spherical_jn", 1, True), ("spherical_yn", 2, False),
                       ("spherical_in", 1, False), ("spherical_kn", 2, False))},
    "jvp": ("jvp", (1.5,), {"n": 2}, 1, POSITIVE),
    "yvp": ("yvp", (1,), {}, 1, POSITIVE),
    "ivp": ("ivp", (1.5,), {"n": 3}, 1, POSITIVE),
    "kvp": ("kvp", (1.5,), {"n": 3}, 1, POSITIVE),
    "kvp-0": ("kvp", (1.5,), {"n": 0}, 1, POSITIVE),
    "legendre_p": ("legendre_p", (4,), {}, 1, np.array([0.3, -0.8])),
    "assoc_laguerre": ("assoc_laguerre", (3, 0.5), {}, 0, POSITIVE),
    "diric-odd": ("diric", (5,), {}, 0, ROW),
    "diric-even": ("diric", (6,), {}, 0, ROW + 2 * np.pi),
    "sph_legendre_p": ("sph_legendre_p", (4, 2), {}, 2, POSITIVE),
    "sph_legendre_p-negative": ("sph_legendre_p", (4, -3), {}, 2, POSITIVE),
    "erf": ("erf", (), {}, 0, ROW),
    "sinc": ("sinc", (), {}, 0, ROW),
    "gammaincc": ("gammaincc", (2.0,), {}, 0, POSITIVE),
}  # fmt: skip


def function_of(label: str) -> tuple[Function, Any]:
    name, rest, keywords, place, x = CASES[label]
    f = getattr(special, name)
    if name == "logsumexp" and place == 2:
        return lambda b: f(ROW, axis=-1, b=b), x
    return lambda v: f(*rest[:place], v, *rest[place:], **keywords), x


@pytest.mark.parametrize("label", CASES)
def test_values_derivatives_and_batches(label: str) -> None:
    f, x = function_of(label)
    assert_agrees(f, x)


@pytest.mark.parametrize(("name", "arguments"), [
    ("h1vp", (1.5, POSITIVE, 2)), ("h2vp", (1.5, POSITIVE)), ("lambertw", (POSITIVE, 1)),
    ("lambertw", (POSITIVE,)),
])  # fmt: skip
def test_complex_results(name: str, arguments: tuple[Any, ...]) -> None:
    place = 0 if name == "lambertw" else 1

    def f(v: Any) -> Any:
        y = getattr(special, name)(*arguments[:place], v, *arguments[place + 1 :])
        return np.real(y) + 2 * np.imag(y)

    assert_agrees(f, POSITIVE)


def test_spherical_harmonics() -> None:
    angles = np.array([0.4, 1.1])

    def f(u: Any) -> Any:
        y = special.sph_harm_y(np.array([0, 2, 3, 3]), np.array([0, 1, -2, 3]), u[0], u[1])
        return np.real(y) - 2 * np.imag(y)

    assert_agrees(f, angles)
    # At the pole, where formulas that divide by sin θ have none.
    slope = ad.grad(lambda t: np.sum(special.sph_legendre_p(2, 1, t)))(0.0)
    assert np.isclose(slope, -np.sqrt(15 / (8 * np.pi)), rtol=1e-13)


# Where derivatives are easily lost ---


def test_logsumexp_does_not_overflow() -> None:
    for a in (np.array([1000.0, 1000.0]), np.array([-1000.0, -1000.0])):
        np.testing.assert_array_equal(ad.grad(special.logsumexp)(a), [0.5, 0.5])
        np.testing.assert_array_equal(ad.jacobian(special.logsumexp, mode="forward")(a), [0.5, 0.5])
        np.testing.assert_allclose(ad.hessian(special.logsumexp)(a), [[0.25, -0.25], [-0.25, 0.25]])
        fast = ad.compile(ad.grad(special.logsumexp))
        np.testing.assert_allclose(fast(a), [0.5, 0.5])


@pytest.mark.parametrize("b", [None, np.array([1.0, 2.0])])
def test_a_row_that_is_masked_entirely_has_derivative_zero(b: Any) -> None:
    masked = np.array([-np.inf, -np.inf])

    def f(a: Any) -> Any:
        return special.logsumexp(a, b=b)

    y, y_dot = ad.jvp(f, (masked,), (np.ones(2),))
    assert (y, y_dot) == (-np.inf, 0.0)
    np.testing.assert_array_equal(ad.grad(f)(masked), [0.0, 0.0])
    np.testing.assert_array_equal(ad.hessian(f)(masked), np.zeros((2, 2)))
    rows = np.array([[0.0, 1.0], [-np.inf, -np.inf], [-np.inf, 2.0]])
    got = ad.grad(lambda a: np.sum(special.logsumexp(a, axis=1)))(rows)
    np.testing.assert_allclose(got[1:], [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(got[0], sc.softmax(rows[0]))


def test_small_terms_are_not_lost() -> None:
    a = np.array([0.0, -40.0])
    y, _ = ad.jvp(special.logsumexp, (a,), (a,))
    assert np.isclose(y, sc.logsumexp(a), rtol=1e-14, atol=0)
    assert y > 0


@pytest.mark.parametrize(
    "a", [[np.inf, 1.0], [np.nan, 1.0], [-np.inf, 1.0], [1e4, -1e4], [3.0, 3.0]]
)
def test_edges_of_logsumexp_are_scipys(a: list[float]) -> None:
    for keywords in ({}, {"keepdims": True}):
        y, _ = ad.jvp(
            lambda v, k=keywords: special.logsumexp(v, **k), (np.array(a),), (np.zeros(2),)
        )
        assert_same(y, sc.logsumexp(np.array(a), **keywords))
    both = [special.logsumexp(v, return_sign=True) for v in (np.array(a),)]
    seen: list[Any] = []
    ad.jvp(
        lambda v: seen.extend(special.logsumexp(v, return_sign=True)) or v[0],
        (np.array(a),),
        (np.zeros(2),),
    )
    assert_same([s.node.value for s in seen], list(both[0]), rtol=1e-13)


def test_signs_and_weights() -> None:
    a, b = np.array([0.3, 1.2]), np.array([1.0, -1.0])

    def f(u: Any) -> Any:
        y, sign = special.logsumexp(u, b=b, return_sign=True)
        return y * sign

    assert_agrees(f, a)
    far = np.array([1000.0, 0.0])
    got = ad.grad(lambda u: special.logsumexp(u, b=np.array([0.0, 1.0])))(far)
    np.testing.assert_array_equal(got, [0.0, 1.0])


def test_single_precision_and_integers() -> None:
    narrow = ROW.astype(np.float32)
    for f in (
        special.logsumexp,
        lambda v: special.softmax(v)[0],
        lambda v: special.log_softmax(v)[0],
    ):
        assert ad.grad(f)(narrow).dtype == np.float32
    np.testing.assert_allclose(ad.grad(special.logsumexp)(np.array([1, 2])), sc.softmax([1.0, 2.0]))


def test_complex_logsumexp() -> None:
    z = np.array([0.3 + 0.4j, -0.2 + 1.0j])
    y, y_dot = ad.jvp(special.logsumexp, (z,), (np.array([1.0, 0.0j]),))
    assert np.isclose(y, sc.logsumexp(z))
    assert np.isclose(y_dot, sc.softmax(z)[0])


def test_softmax_of_large_numbers() -> None:
    x = np.array([1000.0, 999.0])
    p = sc.softmax(x)
    np.testing.assert_allclose(
        ad.jacobian(special.softmax)(x), np.diag(p) - np.outer(p, p), rtol=1e-13
    )
    np.testing.assert_allclose(ad.jacobian(special.log_softmax)(x), np.eye(2) - p, rtol=1e-13)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(("f", "at", "slope", "curvature"), [
    (sigmoid, -1000.0, 0.0, 0.0), (sigmoid, 1000.0, 0.0, 0.0), (sc.expit, -1000.0, 0.0, 0.0),
    (sc.log_expit, -1000.0, 1.0, 0.0), (sc.log_expit, 1000.0, 0.0, 0.0),
    (lambda x: np.log(1 + np.exp(x)), 1000.0, 1.0, 0.0),
    (lambda x: np.log(1 + np.exp(x)), -1000.0, 0.0, 0.0),
    (special.softplus, 1000.0, 1.0, 0.0),
    (sc.log1p, 1e-20, 1.0, -1.0), (sc.expm1, 1e-20, 1.0, 1.0),
    (lambda x: x * np.log(x), 0.0, -np.inf, np.inf), (lambda x: sc.xlogy(x, x), 1.0, 1.0, 1.0),
    (np.sinc, 0.0, 0.0, -np.pi**2 / 3), (special.sinc, 0.0, 0.0, -np.pi**2 / 3),
    (sc.exprel, 0.0, 0.5, 1 / 3), (sc.entr, 1.0, -1.0, -1.0),
    (lambda x: sc.xlogy(0.0, x), 0.0, 0.0, 0.0), (lambda x: sc.xlog1py(0.0, x), -1.0, 0.0, 0.0),
    (lambda x: sc.xlogy(x, 2.0), 0.0, np.log(2.0), 0.0),
    (lambda x: special.diric(x, 4), 2 * np.pi, 0.0, 15 / 12),
    (lambda x: special.spherical_jn(1, x), 0.0, 1 / 3, 0.0),
])  # fmt: skip
def test_traps(f: Function, at: float, slope: float, curvature: float) -> None:
    with np.errstate(all="ignore"):  # the functions themselves warn, as they do under NumPy
        first = ad.grad(f)(at), ad.jvp(f, (at,), (1.0,))[1]
        second = ad.hessian(f)(at), ad.grad(lambda x: ad.jvp(f, (x,), (1.0,))[1])(at)
    for got in first:
        assert np.isclose(got, slope, rtol=1e-13, atol=1e-15), got
    for got in second:
        assert np.isclose(got, curvature, rtol=1e-12, atol=1e-15), got


# What passes through, and what is refused ---


def test_plain_values_are_scipys() -> None:
    assert special.logsumexp([1.0, 2.0]) == sc.logsumexp([1.0, 2.0])
    assert special.comb(5, 2, exact=True) == 10
    assert special.factorial(5, exact=True) == 120
    np.testing.assert_array_equal(special.bernoulli(4), sc.bernoulli(4))
    assert special.erf is sc.erf
    assert special.sinc is np.sinc
    assert special.SpecialFunctionError is sc.SpecialFunctionError
    assert {"logsumexp", "erf", "ellip_harm"} <= set(dir(special))
    for name in special.__all__:
        assert callable(getattr(sc, name)), name


def test_polynomials_made_of_plain_numbers_take_traced_values() -> None:
    p = special.legendre(3)
    assert np.isclose(ad.grad(p)(0.3), 7.5 * 0.09 - 1.5)


def test_nodes_and_weights_inside_a_function() -> None:
    def integral(a: Any) -> Any:
        x, w = special.roots_legendre(8)
        return np.sum(w * np.exp(a * x))

    assert np.isclose(ad.grad(integral)(1.0), 2 / np.e, rtol=1e-12)


REFUSED: list[tuple[Function, type[Exception], str]] = [
    (lambda x: special.ellip_harm(2.0, 1.0, 1, 1, x), UntraceableFunctionError,
     r"scipy\.special\.ellip_harm has no rule for traced values"),
    (lambda x: special.lmbda(1.0, x)[0], UntraceableFunctionError, "lmbda has no rule"),
    (lambda x: special.assoc_legendre_p(2, 1, x), UntraceableFunctionError,
     r"assoc_legendre_p has no rule.*Nearest: .*legendre_p"),
    (lambda x: special.comb(x, 2, exact=True), ArgumentValueError, "needs exact=False"),
    (lambda x: special.perm(x, 2, exact=True), ArgumentValueError, "needs exact=False"),
    (lambda x: special.factorial(x, exact=True), ArgumentValueError, "needs exact=False"),
    (lambda x: special.factorial(x, extend="all"), ArgumentValueError, "got 'all'"),
    (lambda x: special.factorial2(x), ArgumentValueError,
     r'factorial2\(n\) of traced values needs extend="complex"'),
    (lambda x: special.factorialk(x, 0), ArgumentValueError, "needs k ≥ 1; got k=0"),
    (lambda x: special.polygamma(x, 1.0), ArgumentValueError,
     r"polygamma\(n, x\) of traced values needs a plain whole number; got a traced f64"),
    (lambda x: special.polygamma(1.5, x), ArgumentValueError, "needs a whole number; got 1.5"),
    (lambda x: special.jvp(1, x, n=-1), ArgumentValueError, "n to be a whole number ≥ 0; got n=-1"),
    (lambda x: special.zeta(x, out=np.zeros(())), ArgumentValueError, "needs no out="),
    (lambda x: special.legendre_p(2, x, diff_n=1), ArgumentValueError,
     "needs diff_n=0; got diff_n=1"),
    (lambda x: special.sph_legendre_p(-1, 0, x), ArgumentValueError, "needs degrees n ≥ 0"),
    (lambda x: special.logsumexp(x + 1j, return_sign=True)[0], ArgumentValueError,
     "needs real operands; got complex ones"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "error", "words"), REFUSED)
def test_refusals_say_what_is_needed(f: Function, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        ad.grad(f)(2.5)
    assert "test_scipy_special.py" in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match=r"'scipy\.special' has no attribute 'nothing'"):
        _ = special.nothing
    with pytest.raises(AttributeError, match="_private"):
        _ = special._private


def test_multigammaln_is_undefined_below_its_range() -> None:
    y, _ = ad.jvp(lambda a: special.multigammaln(a, 4), (np.array([1.5, 3.0]),), (np.ones(2),))
    assert np.isnan(y[0])
    assert np.isclose(y[1], sc.multigammaln(3.0, 4))

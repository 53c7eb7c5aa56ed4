"""Every special function through the tracer: values, both modes, second order, batches, code."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special as sc

import adjoint as ad
from adjoint.errors import DtypeError, MissingRuleError, UntraceableFunctionError
from adjoint.graph import registry
from adjoint.primitives.scalar import Elementwise
from adjoint.primitives.special import WITHOUT_DERIVATIVE, load_kernels, load_rows
from adjoint.primitives.special.function import template
from adjoint.primitives.special.row import SpecialRow
from tests.primitives.special_witness import Entry, moved, ridders, sample, step_of

ROWS, KERNELS = load_rows(), load_kernels()
ENTRIES: dict[str, Entry] = {
    **{name: row for name, row in ROWS.items() if not row.components},
    **{f"kernel {name}": kernel for name, kernel in KERNELS.items()},
}
ONCE = {"smirnov", "smirnovi"}
"""Functions whose second derivative has a written reason instead."""


def called(entry: Entry) -> Callable[..., Any]:
    """The function as a user or a partial calls it."""
    return entry.ufunc() if isinstance(entry, SpecialRow) else entry


def as_real(y: Any) -> Any:
    """A real function of a result that may be complex."""
    return np.real(y) + 0.5 * np.imag(y) if y.dtype.kind == "c" else y


def point_of(entry: Entry) -> tuple[list[Any], list[int]]:
    """One point of the domain, and the operands with a derivative."""
    points = [p[0] if isinstance(p, np.ndarray) else p for p in sample(entry, entry.name, 1)]
    active = [k for k, partial in enumerate(entry.partials) if callable(partial)]
    return [float(p) if k in active else p for k, p in enumerate(points)], active


def along(f: Callable[..., Any], points: list[Any], active: list[int]) -> Callable[[Any], Any]:
    """f as a function of the vector of its differentiable operands."""

    def of(u: Any) -> Any:
        operands = list(points)
        for k, i in enumerate(active):
            operands[i] = u[k]
        return as_real(f(*operands))

    return of


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if point_of(e)[1]])
def test_both_modes_and_the_second_order(name: str) -> None:
    entry = ENTRIES[name]
    points, active = point_of(entry)
    f, u = called(entry), np.array([points[i] for i in active])
    of = along(f, points, active)
    value = f(*points)
    with np.errstate(all="ignore"):
        partials = [np.asarray(entry.partials[i](*points, value)) for i in active]  # type: ignore[operator]
    expected = np.array([as_real(p) for p in partials])
    y, forward = ad.jvp(lambda v: of(v), (u,), (np.ones(u.shape),))
    np.testing.assert_allclose(y, as_real(np.asarray(value)), rtol=1e-14)
    np.testing.assert_allclose(
        forward, expected.sum(), rtol=1e-12, atol=1e-13 * abs(expected).max()
    )
    np.testing.assert_allclose(ad.grad(of)(u), expected, rtol=1e-13)
    if entry.name in ONCE:
        with pytest.raises(
            MissingRuleError, match=r"SciPy has the first derivative of smirnov only"
        ):
            ad.hessian(of)(u)
        return
    assert_hessian(entry, of, u, active)


def assert_hessian(entry: Entry, of: Callable[..., Any], u: Any, active: list[int]) -> None:
    hessian = ad.hessian(of)(u)
    assert np.all(np.isfinite(hessian))
    gradient = ad.grad(of)
    for k, index in enumerate(active):
        step = step_of(entry, index, u[k])
        want, error = ridders(
            moved(lambda *v: gradient(np.array(v)), list(u), k), u[k], min(step, 0.1)
        )
        scale = abs(want) + 1e-2 * abs(gradient(u)) / max(step, 1e-3)
        allowed = (1e-6 + 1e4 * entry.accuracy) * scale + 10 * error
        assert np.all(abs(hessian[k] - want) <= allowed), (hessian[k], want, error)


TUPLES = [name for name, row in ROWS.items() if row.components]


@pytest.mark.parametrize("name", TUPLES)
def test_several_results(name: str) -> None:
    row = ROWS[name]
    ufunc, points = row.ufunc(), sample(row, name, 3)
    last = len(points) - 1

    def every(x: Any) -> Any:
        results = ufunc(*points[:last], x)
        assert isinstance(results, tuple)
        return sum(as_real(r) for r in results)

    plain = sum(as_real(r) for r in ufunc(*points))
    y, _ = ad.jvp(every, (points[last],), (np.ones_like(points[last]),))
    np.testing.assert_allclose(y, plain, rtol=1e-14)
    expected = sum(
        as_real(np.asarray(c.partials[last](*points, y)))  # type: ignore[operator]
        for c, y in zip(row.components, ufunc(*points), strict=True)
    )
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(every(x)))(points[last]), expected)


BATCHED = [n for n, e in ENTRIES.items() if e.accuracy < 1e-9 or n.startswith("kernel it")]


@pytest.mark.parametrize("name", BATCHED)
def test_a_batch_is_a_loop_and_keeps_its_type(name: str) -> None:
    entry = ENTRIES[name]
    f, points = called(entry), sample(entry, entry.name, 2)
    varying = [k for k, p in enumerate(points) if isinstance(p, np.ndarray)]
    if not varying:
        pytest.skip("every operand of this function is a whole number")
    columns = [points[k] for k in varying]
    types: list[Any] = []

    def of(*values: Any) -> Any:
        operands = list(points)
        for k, value in zip(varying, values, strict=True):
            operands[k] = value
        result = f(*operands)
        types.append(result.dtype)
        return result

    got = ad.vmap(of)(*columns)
    expected = np.array([of(*(c[i] for c in columns)) for i in range(2)])
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    assert got.dtype == expected.dtype == types[0]
    if entry.accuracy >= 1e-9 or name in ("bdtr", "bdtrc", "bdtri"):
        return  # at single precision SciPy loops for ever, or warns about counts it makes floats
    narrow = [c.astype(np.float32) for c in columns]
    types.clear()
    found = ad.vmap(of)(*narrow)
    assert found.dtype == types[0] == of(*narrow).dtype


# The loader ---


@pytest.mark.parametrize("name", WITHOUT_DERIVATIVE)
def test_a_function_without_derivative_has_values_and_says_why(name: str) -> None:
    ufunc = getattr(sc, name)
    at = {"pro_rad2": (1, 2, 1.0, 1.5), "pro_rad2_cv": (1, 2, 1.0, 2.0, 1.5),
          "obl_rad2": (1, 2, 1.0, 0.5), "obl_rad2_cv": (1, 2, 1.0, 2.0, 0.5),
          "mathieu_a": (1, 0.5), "mathieu_b": (1, 0.5), "pro_cv": (1, 2, 0.5),
          "obl_cv": (1, 2, 0.5)}.get(name, (0.5, 3.0, 2.0, 1.5)[: ufunc.nin])  # fmt: skip

    def of(x: Any) -> Any:
        result = ufunc(*at[:-1], x)
        return result[0] if ufunc.nout > 1 else result

    with pytest.raises(MissingRuleError) as caught:
        ad.grad(of)(at[-1])
    assert WITHOUT_DERIVATIVE[name] in str(caught.value)
    assert name in str(caught.value)
    xs = np.array([at[-1], at[-1] * 1.01])
    np.testing.assert_array_equal(ad.vmap(of)(xs), [of(x) for x in xs])
    np.testing.assert_array_equal(ad.grad(lambda x: x * of(ad.stop_gradient(x)))(xs[0]), of(xs[0]))


def test_functions_of_numpy_keep_their_primitives() -> None:
    pairs = {"log1p": np.log1p, "expm1": np.expm1, "exp2": np.exp2, "cbrt": np.cbrt}
    for name, ufunc in pairs.items():
        assert registry.find_ufunc(getattr(sc, name)) is registry.UFUNCS[ufunc]
    assert ad.grad(sc.round)(2.6) == 0.0
    assert ad.grad(sc.gammasgn)(2.5) == 0.0
    for name in ("erf", "erfc", "exp10"):
        primitive = registry.find_ufunc(getattr(sc, name))
        assert isinstance(primitive, Elementwise)
        assert primitive.name == name
    assert ad.grad(sc.expit)(-1000.0) == 0.0


def test_aliases_and_strangers() -> None:
    assert registry.find_ufunc(sc.jn) is registry.find_ufunc(sc.jv)
    assert registry.find_ufunc(sc.digamma) is registry.find_ufunc(sc.psi)
    stranger = np.frompyfunc(lambda x: x, 1, 1)
    assert registry.find_ufunc(stranger) is None
    with pytest.raises(UntraceableFunctionError, match="_beta_pdf has no rule"):
        ad.grad(lambda x: sc._ufuncs._beta_pdf(x, 2.0, 3.0))(0.5)


@pytest.mark.parametrize(
    "f",
    [sc.erf, sc.erfc, sc.expit, sc.log1p, sc.gammaln, lambda x: sc.gammainc(x, 2.0),
     lambda x: sc.xlogy(x, 1 + x), lambda x: sc.airy(x)[1], lambda x: sc.jn(2, x),
     lambda x: sc.mathieu_a(1, x)],
)  # fmt: skip
def test_compiled_is_evaluated(f: Callable[..., Any]) -> None:
    x = np.linspace(0.2, 3.0, 7)
    np.testing.assert_allclose(ad.compile(lambda v: f(v) + 1.0)(x), f(x) + 1.0, rtol=3e-15)


def test_compiled_gradient() -> None:
    x = np.linspace(0.2, 3.0, 7)

    def loss(v: Any) -> Any:
        return np.sum(sc.erf(v) * sc.gammaln(v) + sc.betainc(v, 2.0, 0.3))

    np.testing.assert_allclose(ad.compile(ad.grad(loss))(x), ad.grad(loss)(x), rtol=1e-13)


def test_orders_stay_whole_numbers() -> None:
    assert np.isclose(ad.grad(lambda x: sc.jn(2, x))(1.5), sc.jvp(2, 1.5))
    orders = np.array([0, 1, 2])
    got = ad.jacobian(lambda x: sc.kn(orders, x))(1.5)
    np.testing.assert_allclose(got, sc.kvp(orders, 1.5), rtol=1e-13)
    with pytest.raises(MissingRuleError, match="the order n is a whole number"):
        ad.grad(lambda n: sc.kn(n, 1.5))(2.0)


def test_single_precision_stays_single() -> None:
    x = np.array([0.5, 1.5], np.float32)
    for f in (sc.erf, sc.gammaln, sc.expit, lambda v: sc.gammainc(v, np.float32(2.0))):
        gradient = ad.grad(lambda v, f=f: np.sum(f(v)))(x)
        assert gradient.dtype == np.float32
    wide = ad.grad(lambda v: np.sum(sc.gammainc(v, 2.0)))(x.astype(np.float64))
    np.testing.assert_allclose(ad.grad(lambda v: np.sum(sc.gammainc(v, 2.0)))(x), wide, rtol=1e-5)


def test_complex_operands() -> None:
    z = 0.7 + 0.4j
    for f, slope in (
        (sc.gamma, sc.gamma(z) * sc.psi(z)),
        (sc.erf, 2 / np.sqrt(np.pi) * np.exp(-z * z)),
    ):
        _, got = ad.jvp(f, (z,), (1.0 + 0.0j,))
        assert np.isclose(got, slope, rtol=1e-13)
    with pytest.raises(
        MissingRuleError, match=r"ive has no derivative at complex.*not holomorphic"
    ):
        ad.jvp(lambda w: sc.ive(1.0, w), (z,), (1.0 + 0.0j,))
    with pytest.raises(DtypeError, match=r"expit needs real operands; it got complex128"):
        ad.jvp(sc.expit, (z,), (1.0 + 0.0j,))


def test_the_ufunc_protocol() -> None:
    x = np.array([0.0, 0.5, 2.0])

    def masked(v: Any) -> Any:
        return np.sum(sc.gammaln(v, where=v > 0, out=np.zeros(3, like=v)))

    np.testing.assert_allclose(ad.grad(masked)(x), [0.0, sc.psi(0.5), sc.psi(2.0)])


def test_how_functions_print() -> None:
    assert template("", 2) == ""
    jv = registry.find_ufunc(sc.jv)
    assert isinstance(jv, Elementwise)
    assert jv.latex.format(r"\nu", "x") == r"J(\nu, x)"
    exp10 = registry.find_ufunc(sc.exp10)
    assert isinstance(exp10, Elementwise)
    assert exp10.latex.format("x") == "10^{x}"
    for entry in ENTRIES.values():
        primitive = entry.primitive
        shown = primitive.latex.format(*(f"<{k}>" for k in range(len(entry.domain))))
        assert all(f"<{k}>" in shown for k in range(len(entry.domain))), (entry.name, shown)
        assert shown.count("{") == shown.count("}")


def test_threads_that_meet_a_kernel_together() -> None:
    from adjoint.primitives.special.numerics.quotients import spherical_j

    made: list[Any] = []
    together = threading.Barrier(4)

    def meet() -> None:
        together.wait()
        made.append(spherical_j(17).primitive)

    threads = [threading.Thread(target=meet) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert all(m is made[0] for m in made)


def test_numpy_alone_does_not_import_scipy() -> None:
    program = (
        "import sys, numpy as np, adjoint as ad\n"
        "ad.grad(lambda x: np.sum(np.exp(x) / (1 + x**2)))(np.ones(3))\n"
        "try: ad.grad(lambda x: np.frompyfunc(float, 1, 1)(x))(1.0)\n"
        "except ad.errors.UntraceableFunctionError: pass\n"
        "import adjoint.scipy.special\n"
        "assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)

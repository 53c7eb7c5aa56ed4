"""The rows of scipy.special against outside witnesses: differences, mpmath, a tiny forward mode.

The forward mode here is independent of the package's own: dual numbers that meet every partial
through __array_ufunc__, as a traced value would, so a partial that leaves the ufuncs is found out.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy
from scipy import special as sc

from adjoint.errors import ArgumentValueError, DtypeError
from adjoint.primitives.special import WITHOUT_DERIVATIVE, load_kernels, load_rows
from adjoint.primitives.special import row as row_module
from adjoint.primitives.special.row import Kernel, SpecialRow
from tests.primitives.special_witness import (
    Entry,
    assert_agrees,
    function_of,
    moved,
    ridders,
    sample,
)

ROWS, KERNELS = load_rows(), load_kernels()
SCALAR_ROWS = {name: row for name, row in ROWS.items() if not row.components}
ENTRIES: dict[str, Entry] = {**SCALAR_ROWS, **{"kernel " + k: v for k, v in KERNELS.items()}}
CASES = [
    pytest.param(entry, index, id=f"{name}-{index}")
    for name, entry in ENTRIES.items()
    for index, partial in enumerate(entry.partials)
    if not isinstance(partial, str)
]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    # The tracer evaluates partials without floating-point warnings: an infinite slope is a value.
    with np.errstate(all="ignore"):
        yield


def first_order(entry: Entry, index: int, tolerance: float = 1e-8) -> None:
    f, points = function_of(entry), sample(entry, entry.name)
    partial = entry.partials[index]
    assert callable(partial)
    got = np.broadcast_to(partial(*points, f(*points)), np.shape(f(*points)))
    assert_agrees(entry, index, got, moved(f, points, index), points, tolerance)


# Differences ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entry", "index"), CASES)
def test_partial_agrees_with_differences(entry: Entry, index: int) -> None:
    first_order(entry, index)


@pytest.mark.parametrize("name", ["gammainc", "jv", "erf", "ellipk", "hyp2f1", "expi", "expit",
                                  "stdtr", "eval_jacobi"])  # fmt: skip
def test_planted_wrong_partial_is_caught(name: str) -> None:
    row = ROWS[name]
    index = len(row.partials) - 1
    right = row.partials[index]
    assert callable(right)
    wrong = replace(row, partials=(*row.partials[:index], lambda *z: right(*z) * (1 + 1e-6)))
    first_order(row, index)
    with pytest.raises(AssertionError, match="differences give"):
        first_order(wrong, index)


# Second order, by dual numbers ------------------------------------------------------------------


class Dual:
    """A value with one tangent; ufuncs are differentiated by this module's rows."""

    def __init__(self, value: Any, tangent: Any) -> None:
        self.value, self.tangent = value, tangent

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
        assert method == "__call__"
        operands = tuple(x for x in operands if x is not None)
        return lift(ufunc, operands)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        assert function is np.where, f"a partial called {function.__name__}"
        condition, a, b = args
        choose = value_of(condition)
        return Dual(np.where(choose, value_of(a), value_of(b)),
                    np.where(choose, tangent_of(a), tangent_of(b)))  # fmt: skip

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a partial coerced a traced value to an array")


for _symbol, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power
}.items():  # fmt: skip
    setattr(Dual, f"__{_symbol}__", lambda s, o, u=_ufunc: lift(u, (s, o)))
    setattr(Dual, f"__r{_symbol}__", lambda s, o, u=_ufunc: lift(u, (o, s)))
for _symbol, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal
}.items():  # fmt: skip
    setattr(Dual, f"__{_symbol}__", lambda s, o, u=_ufunc: lift(u, (s, o)))
Dual.__neg__ = lambda s: lift(np.negative, (s,))  # type: ignore[attr-defined]


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def tangent_of(x: Any) -> Any:
    return x.tangent if isinstance(x, Dual) else 0.0


NUMPY_PARTIALS: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.add: (lambda a, b, y: 1.0, lambda a, b, y: 1.0),
    np.subtract: (lambda a, b, y: 1.0, lambda a, b, y: -1.0),
    np.multiply: (lambda a, b, y: b, lambda a, b, y: a),
    np.divide: (lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
    np.power: (lambda a, b, y: b * a ** (b - 1.0), lambda a, b, y: sc.xlogy(y, a)),
    np.hypot: (lambda a, b, y: a / y, lambda a, b, y: b / y),
    np.maximum: (lambda a, b, y: 1.0 * (a >= b), lambda a, b, y: 1.0 * (a < b)),
    np.negative: (lambda a, y: -1.0,), np.absolute: (lambda a, y: np.sign(a),),
    np.sign: (lambda a, y: 0.0,), np.rint: (lambda a, y: 0.0,), np.floor: (lambda a, y: 0.0,),
    np.exp: (lambda a, y: y,), np.log: (lambda a, y: 1 / a,), np.sqrt: (lambda a, y: 0.5 / y,),
    np.log1p: (lambda a, y: 1 / (1 + a),), np.expm1: (lambda a, y: y + 1,),
    np.sin: (lambda a, y: np.cos(a),), np.cos: (lambda a, y: -np.sin(a),),
    np.cosh: (lambda a, y: np.sinh(a),), np.sinh: (lambda a, y: np.cosh(a),),
    np.square: (lambda a, y: 2 * a,),
}  # fmt: skip
PREDICATES = {
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.equal,
    np.logical_and,
    np.logical_or,
}


def push(partials: Any, operands: tuple[Any, ...], value: Any) -> Dual:
    plain = [value_of(x) for x in operands]
    tangent: Any = 0.0
    for partial, x in zip(partials, operands, strict=True):
        if isinstance(x, Dual) and np.any(x.tangent):
            assert callable(partial), partial
            tangent = tangent + partial(*plain, value) * x.tangent
    return Dual(value, tangent)


def lift(ufunc: np.ufunc, operands: tuple[Any, ...]) -> Any:
    plain = [value_of(x) for x in operands]
    if ufunc in PREDICATES:
        return ufunc(*plain)
    if ufunc in NUMPY_PARTIALS:
        return push(NUMPY_PARTIALS[ufunc], operands, ufunc(*plain))
    row = ROWS[ufunc.__name__]
    if row.components:
        return tuple(apply_to_duals(kernel, operands) for kernel in row.components)
    return push(row.partials, operands, ufunc(*plain))


def apply_to_duals(kernel: Kernel, operands: tuple[Any, ...]) -> Any:
    value = kernel.evaluate(*(value_of(x) for x in operands))
    if not any(isinstance(x, Dual) for x in operands):
        return value
    return push(kernel.partials, operands, value)


SINGLE = {"smirnov", "smirnovi", "_smirnovp"}


@pytest.mark.parametrize(("entry", "index"), CASES)
def test_second_derivative(entry: Entry, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if entry.name in SINGLE:
        pytest.skip("the second derivative has a written reason instead")
    f, points = function_of(entry), sample(entry, entry.name, count=2)
    partial = entry.partials[index]
    assert callable(partial)

    def first(*z: Any) -> Any:
        return np.broadcast_to(partial(*z, f(*z)), np.shape(f(*z)))

    plain_first = {j: moved(first, points, j) for j in range(len(points))}
    for j, other in enumerate(entry.partials):
        if isinstance(other, str):
            continue
        with monkeypatch.context() as patch:
            patch.setattr(row_module, "apply_kernel", apply_to_duals)
            duals = [Dual(p, 1.0) if k == j else p for k, p in enumerate(points)]
            value = push(entry.partials, tuple(duals), f(*points))
            got = tangent_of(partial(*duals, value))
        got = np.broadcast_to(got, np.shape(f(*points)))
        assert_agrees(entry, j, got, plain_first[j], points, 1e-7)


# mpmath ---

P = lambda a, x: mp.gammainc(a, 0, x, regularized=True)  # noqa: E731
I = lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True)  # noqa: E731
REFERENCES: dict[str, Callable[..., Any]] = {
    "gamma": mp.gamma, "gammaln": lambda x: mp.log(abs(mp.gamma(x))), "loggamma": mp.loggamma,
    "rgamma": mp.rgamma, "psi": mp.digamma, "beta": mp.beta,
    "betaln": lambda a, b: mp.log(mp.beta(a, b)), "binom": mp.binomial, "poch": mp.rf,
    "gammainc": P, "gammaincc": lambda a, x: 1 - P(a, x), "betainc": I,
    "betaincc": lambda a, b, x: 1 - I(a, b, x), "_zeta": mp.zeta, "_riemann_zeta": mp.zeta,
    "chdtr": lambda v, x: P(v / 2, x / 2), "gdtr": lambda a, b, x: P(b, a * x),
    "fdtr": lambda m, n, x: I(m / 2, n / 2, m * x / (n + m * x)),
    "stdtr": lambda v, t: 1 - I(v / 2, mp.mpf(1) / 2, v / (v + t * t)) / 2,
    "erf": mp.erf, "erfc": mp.erfc, "erfi": mp.erfi, "erfinv": mp.erfinv, "ndtr": mp.ncdf,
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x), "log_ndtr": lambda x: mp.log(mp.ncdf(x)),
    "dawsn": lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
    "jv": mp.besselj, "yv": mp.bessely, "iv": mp.besseli, "kv": mp.besselk,
    "ive": lambda v, x: mp.exp(-x) * mp.besseli(v, x),
    "kve": lambda v, x: mp.exp(x) * mp.besselk(v, x),
    "struve": mp.struveh, "modstruve": mp.struvel, "ellipk": mp.ellipk, "ellipe": mp.ellipe,
    "ellipkinc": mp.ellipf, "ellipeinc": mp.ellipe, "elliprc": mp.elliprc, "elliprf": mp.elliprf,
    "elliprd": mp.elliprd, "elliprg": mp.elliprg, "elliprj": mp.elliprj, "agm": mp.agm,
    "hyp0f1": mp.hyp0f1, "hyp1f1": mp.hyp1f1, "hyp2f1": mp.hyp2f1, "hyperu": mp.hyperu,
    "expi": mp.ei, "exp1": mp.e1, "expn": mp.expint, "spence": lambda x: mp.polylog(2, 1 - x),
    "kernel sici_0": mp.si, "kernel sici_1": mp.ci, "kernel shichi_0": mp.shi,
    "kernel shichi_1": mp.chi, "kernel fresnel_0": mp.fresnels, "kernel fresnel_1": mp.fresnelc,
    "kernel airy_0": mp.airyai, "kernel airy_2": mp.airybi,
    "berp": lambda x: mp.diff(lambda t: mp.ber(0, t), x),
    "keip": lambda x: mp.diff(lambda t: mp.kei(0, t), x),
    "kernel ellipj_0": lambda u, m: mp.ellipfun("sn", u, m=m),
    "kernel ellipj_2": lambda u, m: mp.ellipfun("dn", u, m=m),
    "expit": mp.sigmoid if hasattr(mp, "sigmoid") else lambda x: 1 / (1 + mp.exp(-x)),
    "exprel": lambda x: mp.expm1(x) / x, "boxcox": lambda x, v: (x**v - 1) / v,
    "inv_boxcox": lambda y, v: mp.exp(mp.log1p(v * y) / v),
    "pseudo_huber": lambda d, r: d**2 * (mp.sqrt(1 + (r / d) ** 2) - 1),
    "_lambertw": lambda z, k, tol: mp.lambertw(z, k), "eval_legendre": mp.legendre,
    "eval_jacobi": mp.jacobi, "eval_gegenbauer": mp.gegenbauer, "eval_genlaguerre": mp.laguerre,
    "eval_hermite": mp.hermite, "eval_chebyt": mp.chebyt,
}  # fmt: skip


@pytest.mark.parametrize("name", REFERENCES)
def test_partials_agree_with_mpmath(name: str) -> None:
    entry, reference = ENTRIES[name], REFERENCES[name]
    points = sample(entry, name, count=2)
    value = function_of(entry)(*points)
    for index, partial in enumerate(entry.partials):
        if isinstance(partial, str):
            continue
        got = np.broadcast_to(partial(*points, value), value.shape)
        for k, at in enumerate(zip(*np.broadcast_arrays(*points, value), strict=True)):
            exact = [p if isinstance(p, int) else mp.mpf(float(x))
                     for p, x in zip(points, at, strict=False)]  # fmt: skip
            orders = tuple(int(j == index) for j in range(len(exact)))
            with mp.workdps(25):
                where = exact[0] if len(exact) == 1 else tuple(exact)
                want = mp.diff(reference, where, orders[0] if len(exact) == 1 else orders)
            want = complex(want) if np.iscomplexobj(got) else float(want)
            size = abs(want) + 1e-3 * abs(at[-1])
            assert abs(got[k] - want) <= 1e-10 * size, (name, index, exact, got[k], want)


# Edges ------------------------------------------------------------------------------------------

EDGES = [
    ("xlogy", 0, (0.0, 0.0), -np.inf), ("xlogy", 1, (0.0, 0.0), 0.0), ("xlogy", 1, (0.0, 2.0), 0.0),
    ("entr", 0, (0.0,), np.inf), ("rel_entr", 0, (0.0, 1.0), -np.inf),
    ("kl_div", 1, (0.0, 0.0), 1.0), ("rgamma", 0, (-3.0,), -6.0), ("rgamma", 0, (0.0,), 1.0),
    ("binom", 1, (3.0, 5.0), 0.05), ("poch", 0, (-3.0, 2.0), -5.0), ("poch", 0, (0.0, 3.0), 2.0),
    ("gammainc", 0, (2.0, 0.0), 0.0), ("gammainc", 1, (1.0, 0.0), 1.0),
    ("gammainc", 1, (0.5, 0.0), np.inf), ("gammainc", 1, (2.0, 0.0), 0.0),
    ("betainc", 2, (1.0, 3.0, 0.0), 3.0), ("betainc", 0, (2.0, 3.0, 1.0), 0.0),
    ("ellipk", 0, (0.0,), np.pi / 8), ("ellipe", 0, (0.0,), -np.pi / 8),
    ("ellipkinc", 1, (np.pi / 2, 0.0), np.pi / 8), ("ellipe", 0, (1.0,), -np.inf),
    ("exprel", 0, (0.0,), 0.5), ("exprel", 0, (-np.inf,), 0.0), ("spence", 0, (1.0,), -1.0),
    ("boxcox", 1, (3.0, 0.0), np.log(3) ** 2 / 2), ("boxcox", 1, (0.0, 2.0), 0.25),
    ("inv_boxcox", 1, (2.0, 0.0), -2 * np.exp(2)), ("powm1", 1, (0.0, 2.0), 0.0),
    ("j1", 0, (0.0,), 0.5), ("i1", 0, (0.0,), 0.5), ("i0e", 0, (0.0,), 0.0),
    ("jv", 0, (0.0, 0.0), -np.inf), ("jv", 0, (1.0, 0.0), 0.0), ("kv", 0, (0.0, 2.0), 0.0),
    ("expit", 0, (-1000.0,), 0.0), ("log_ndtr", 0, (-1e8,), 1e8), ("log_ndtr", 0, (1e3,), 0.0),
    ("erfcx", 0, (1e6,), -1 / np.sqrt(np.pi) * 1e-12), ("huber", 1, (1.0, 1.0), 1.0),
    ("erfinv", 0, (1.0,), np.inf), ("eval_legendre", 1, (4, 1.0), 10.0),
    ("eval_chebyt", 1, (3, -1.0), 9.0), ("eval_legendre", 1, (0, 0.3), 0.0),
    ("eval_hermite", 1, (0, 0.3), 0.0), ("berp", 0, (0.0,), 0.0), ("beip", 0, (0.0,), 0.5),
    ("_lambertw", 0, (0.0, 0, 1e-8), 1.0), ("struve", 1, (0.0, 0.0), 2 / np.pi),
    ("stdtr", 1, (4.0, 0.0), 0.375), ("expn", 1, (0, 1.0), -2 / np.e),
]  # fmt: skip


@pytest.mark.parametrize(("name", "index", "at", "want"), EDGES)
def test_edges(name: str, index: int, at: tuple[float, ...], want: float) -> None:
    row = ROWS[name]
    partial = row.partials[index]
    assert callable(partial)
    got = partial(*at, row.ufunc()(*at))
    assert np.isclose(got, want, rtol=1e-10, atol=3e-16), got


COMPLEX = ["gamma", "loggamma", "rgamma", "psi", "erf", "erfc", "erfcx", "erfi", "dawsn", "wofz",
           "jv", "iv", "kv", "kve", "hankel1", "hankel1e", "hankel2e", "exp1", "expi", "hyp1f1",
           "hyp2f1", "_lambertw", "wrightomega", "ndtr", "log_ndtr", "kernel sici_0", "elliprf",
           "kernel shichi_1", "kernel fresnel_0", "kernel airy_3", "eval_jacobi",
           "xlogy"]  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX)
def test_holomorphic_partial_along_the_imaginary_axis(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.holomorphic
    index = {"_lambertw": 0, "elliprf": 0, "xlogy": 0}.get(name, len(entry.partials) - 1)
    points = [p if isinstance(p, int) else p[:4] if np.ndim(p) else p for p in sample(entry, name)]
    points[index] = points[index] + 0.4j
    f, partial = function_of(entry), entry.partials[index]
    assert callable(partial)
    want, error = ridders(lambda t: moved(f, points, index)(points[index] + 1j * t) / 1j, 0.0, 0.2)
    got = partial(*points, f(*points))
    assert np.all(abs(got - want) <= 1e-8 * (1e-3 + abs(want)) + 10 * error), (got, want, error)


# The tables -------------------------------------------------------------------------------------


def test_every_ufunc_has_a_row_or_a_reason() -> None:
    ufuncs = {u.__name__ for u in vars(sc).values() if isinstance(u, np.ufunc)}
    assert ufuncs - set(ROWS) - set(WITHOUT_DERIVATIVE) == set()
    assert set(ROWS) & set(WITHOUT_DERIVATIVE) == set()
    for name, reason in WITHOUT_DERIVATIVE.items():
        assert name in ufuncs
        assert len(reason.split()) >= 5


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row_fits_its_ufunc(row: SpecialRow) -> None:
    ufunc = row.ufunc()
    assert isinstance(ufunc, np.ufunc)
    assert ufunc.__name__ == row.name
    assert len(row.domain) == ufunc.nin
    assert len(row.components) == (ufunc.nout if ufunc.nout > 1 else 0)
    for part in row.components or (row,):
        assert len(part.partials) == ufunc.nin
        assert all(callable(p) or len(p.split()) >= 5 for p in part.partials)
        assert any(callable(p) for p in part.partials) or row.name == "_smirnovp"
    for index, component in enumerate(row.components):
        points = sample(component, row.name)
        assert np.array_equal(component(*points), ufunc(*points)[index], equal_nan=True)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_kernel_keeps_shape_and_type(kernel: Kernel) -> None:
    points = sample(kernel, kernel.name)
    wide = kernel(*points)
    assert wide.shape == (6,)
    assert wide.dtype in (np.float64, np.complex128)
    if kernel.accuracy < 1e-9:  # SciPy's spheroidal functions loop for ever on some float32
        narrow = kernel(*(np.float32(p) if isinstance(p, np.ndarray) else p for p in points))
        assert narrow.dtype.itemsize * 2 == wide.dtype.itemsize
    one = kernel(*(p[0] if isinstance(p, np.ndarray) else p for p in points))
    assert np.shape(one) == ()
    assert np.allclose(one, wide[0], rtol=1e-12)
    if kernel.source:
        pasted = kernel.source.format(*(f"points[{k}]" for k in range(len(points))))
        assert np.allclose(eval(pasted, {"scipy": scipy, "points": points}), wide, rtol=1e-12)


def test_kernel_of_a_real_parameter_refuses_complex_operands() -> None:
    partial = ROWS["jv"].partials[0]
    assert callable(partial)
    with pytest.raises(DtypeError, match=r"Bessel function J in its order needs real.*complex128"):
        partial(1.0, 2.0 + 1j, 0.0)


def test_hypergeometric_kernel_refuses_where_digits_are_lost() -> None:
    partial = ROWS["hyp0f1"].partials[0]
    assert callable(partial)
    with pytest.raises(ArgumentValueError, match=r"ten digits; at z = -900\.0 it does not"):
        partial(1.5, -900.0, 0.0)


def test_the_tables_do_not_import_scipy() -> None:
    program = (
        "import sys, adjoint.primitives.special as s; assert 'scipy' not in sys.modules;"
        "s.load_rows(); assert 'scipy.special' in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)

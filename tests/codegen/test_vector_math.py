"""Vector mathematics: within 2 units in the last place everywhere, vectorised, and checked so."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest
from llvmlite import ir
from numpy.typing import NDArray

from adjoint.codegen.vector_math import (
    LIBM_FUNCTIONS,
    SCALAR_FUNCTIONS,
    Emitter,
    coefficients,
    entropy,
    error_function,
    exponential,
    gamma,
    hyperbolic,
    inverse_trigonometric,
    logarithm,
    power,
    prepare,
    scalar_function,
    support_module,
    trigonometric,
)
from benchmarks import vector_math_references as by_mpmath
from benchmarks.vector_math_accuracy import (
    EXTENDED,
    NOT_MEASURED,
    Loop,
    compiled,
    floor_of,
    points,
    reference,
    ulp_errors,
    worst_error,
)

Array = NDArray[Any]
DTYPES = (np.float64, np.float32)
BOUND = 2.0
MEASURED = sorted(set(SCALAR_FUNCTIONS) - NOT_MEASURED)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

_wide = platform.machine() in ("x86_64", "AMD64", "arm64", "aarch64")


@functools.cache
def loop(name: str, dtype: Any) -> Loop:
    return Loop(SCALAR_FUNCTIONS[name], dtype)


@pytest.mark.skipif(not EXTENDED, reason="long double is no wider than float64 here")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MEASURED)
def test_errors_stay_below_two_last_places(name: str, dtype: Any) -> None:
    error, place = worst_error(name, dtype, 20_000, loop(name, dtype))
    assert error <= BOUND, f"{name} is {error} units off at {place}"


def _logistic(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


EXACT: dict[str, Callable[..., Any]] = {
    "arccos": mpmath.acos,
    "arccosh": mpmath.acosh,
    "arcsin": mpmath.asin,
    "arcsinh": mpmath.asinh,
    "arctan": mpmath.atan,
    "arctan2": mpmath.atan2,
    "arctanh": mpmath.atanh,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "cos": mpmath.cos,
    "cosh": mpmath.cosh,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "exp": mpmath.exp,
    "exp10": lambda x: mpmath.power(10, x),
    "exp2": lambda x: mpmath.power(2, x),
    "expit": _logistic,
    "expm1": mpmath.expm1,
    "hypot": mpmath.hypot,
    "log": mpmath.log,
    "log10": mpmath.log10,
    "log1p": mpmath.log1p,
    "log2": lambda x: mpmath.log(x, 2),
    "logaddexp": lambda a, b: mpmath.log(mpmath.exp(a) + mpmath.exp(b)),
    "power": mpmath.power,
    "sin": mpmath.sin,
    "sinc": lambda x: mpmath.sinpi(x) / (mpmath.pi * x),
    "sinh": mpmath.sinh,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sqrt": mpmath.sqrt,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
}


def _exact_errors(name: str, dtype: Any, count: int) -> list[tuple[float, tuple[float, ...]]]:
    """Errors against mpmath at `count` points with a real, ordinary result."""
    operands = points(name, loop(name, dtype).arity, dtype, 4000)
    got = loop(name, dtype)(*operands)
    smallest = float(np.finfo(dtype).smallest_normal)
    usable = np.isfinite(got) & (np.abs(got) >= smallest)
    for operand in operands:
        usable &= np.isfinite(operand) & (operand != 0)
    places = np.flatnonzero(usable)
    places = places[:: max(1, len(places) // count)]
    floor = floor_of("logaddexp", operands) if name == "logaddexp" else np.abs(got)
    assert floor is not None
    errors = []
    for i in places:
        where = tuple(float(operand[i]) for operand in operands)
        exact = EXACT[name](*(mpmath.mpf(x) for x in where))
        unit = float(np.spacing(np.asarray(max(floor[i], abs(got[i])), dtype=dtype)))
        errors.append((float(abs(mpmath.mpf(float(got[i])) - exact) / unit), where))
    return errors


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(EXACT))
def test_errors_against_mpmath(name: str, dtype: Any) -> None:
    with mpmath.workdps(50):
        errors = _exact_errors(name, dtype, 60)
    assert len(errors) >= 50
    # A result just below a power of two has half the unit of the exact value just above it.
    assert max(errors)[0] <= BOUND


def test_huge_trigonometric_arguments() -> None:
    # The second is the float64 nearest to a multiple of π/2 (Muller et al. 2018, table 11.1).
    hard = [1e22, 6381956970095103.0 * 2.0**797, 1.7976931348623157e308, 2.0**40, 2.0**41 + 1.0]
    x = np.resize(np.array(hard + [-value for value in hard] + [0.5, -0.25, 3.0]), 1003)
    with mpmath.workdps(400):
        for name in ("sin", "cos", "tan"):
            got = loop(name, np.float64)(x)
            for value in set(x.tolist()):
                exact = float(EXACT[name](mpmath.mpf(value)))
                assert np.all(np.abs(got[x == value] - exact) <= 2 * np.spacing(abs(exact)))
    assert np.all(np.isnan(loop("sin", np.float64)(np.array([np.inf, -np.inf, np.nan]))))


PLANTED: dict[str, tuple[str, Callable[..., Any]]] = {
    "EXP_F64": ("exp", exponential.exp),
    "LOG_F64": ("log", logarithm.log),
    "SIN_F64": ("sin", trigonometric.sin),
    "COS_F64": ("cos", trigonometric.cos),
    "SINH_F64": ("sinh", hyperbolic.sinh),
    "ARCSIN_F64": ("arcsin", inverse_trigonometric.arcsin),
    "ARCTAN_F64": ("arctan", inverse_trigonometric.arctan),
    "ERF_F64": ("erf", error_function.erf),
    "ERFC_F64": ("erfc", error_function.erfc),
    "CBRT_F64": ("cbrt", power.cbrt),
    "POW_F64": ("power", power.pow),
    "EXP_F32": ("exp", exponential.exp),
    "SIN_F32": ("sin", trigonometric.sin),
    "POW_F32": ("power", power.pow),
    "GAMMALN_F64": ("gammaln", gamma.gammaln),
    "STIRLING_F64": ("gammaln", gamma.gammaln),
    "PSI_F64": ("psi", gamma.psi),
    "PSI_FAR_F64": ("psi", gamma.psi),
    "LOG_WIDE_F64": ("kl_div", entropy.kl_div),
}


@pytest.mark.skipif(not EXTENDED, reason="long double is no wider than float64 here")
@pytest.mark.parametrize("table", sorted(PLANTED))
def test_a_wrong_coefficient_is_caught(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(coefficients, table)
    # The start value of the cube root is refined twice and forgives small errors.
    wrong = 1e-4 if table.endswith("F32") else 1e-9
    wrong = {"CBRT_F64": 0.5, "POW_F32": 0.01}.get(table, wrong)
    name, body = PLANTED[table]
    emitter = Emitter(name, body, SCALAR_FUNCTIONS[name].arity)
    dtype = np.float32 if table.endswith("F32") else np.float64
    loop(name, dtype)  # functions that are compiled once per process are to be the right ones
    monkeypatch.setattr(coefficients, table, (right[0], right[1] * (1 + wrong), *right[2:]))
    error, _ = worst_error(name, dtype, 20_000, Loop(emitter, dtype))
    assert error > BOUND


@pytest.mark.skipif(not _wide, reason="no vector instructions are expected on this processor")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(set(SCALAR_FUNCTIONS) - {"positive"}))
def test_loops_are_vectorised(name: str, dtype: Any) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        assert f"{'2d' if dtype is np.float64 else '4s'}" in loop(name, dtype).assembly
        return
    features = llvm.get_host_cpu_features()
    widest = "zmm" if features.get("avx512f") else "ymm" if features.get("avx2") else "xmm"
    assert loop(name, dtype).widest == widest


def test_the_check_of_errors_can_fail() -> None:
    exact = np.array([1.0, 0.0, 1e400, np.nan, 2.0, 4.9e-324, np.inf], dtype=np.longdouble)
    exact[2] = np.longdouble(2) ** 2000
    right = np.array([1.0, 0.0, np.inf, np.nan, 2.0, 5e-324, np.inf])
    assert ulp_errors(right, exact).max() < 0.51
    for place, wrong in enumerate([1 + 2**-50, -0.0, 1e308, 1.0, np.nan, 2e-323, 1e308]):
        got = right.copy()
        got[place] = wrong
        assert ulp_errors(got, exact)[place] > BOUND, place


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("bits", [(), (128,), (512, 256, 128)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tan", "fmod"])
def test_repairs_in_every_lane(
    name: str, dtype: Any, bits: tuple[int, ...], finished: bool
) -> None:
    emitter = SCALAR_FUNCTIONS[name]
    ours = Loop(emitter, dtype, lambda module: prepare(module, bits), finished)
    random = np.random.default_rng(5)
    operands = [random.normal(size=77).astype(dtype) for _ in range(emitter.arity)]
    huge = random.random(77) < 0.2
    operands[0][huge] *= dtype(1e30)
    errors = ulp_errors(ours(*operands), reference(name, *operands))
    assert errors.max() <= (BOUND if EXTENDED else 3.0)


def test_shared_repairs_are_bound_when_linked() -> None:
    module, names = support_module()
    engine, _, _ = compiled(str(module))
    for name in names:
        llvm.add_symbol(name, engine.get_function_address(name))
    x = np.array([0.5, 1e30, 2.0, -1e300] * 10)
    shared = Loop(SCALAR_FUNCTIONS["cos"], np.float64, lambda module: prepare(module, shared=True))
    assert "adjoint.cos.slow.f64:" not in shared.assembly
    np.testing.assert_array_equal(shared(x), loop("cos", np.float64)(x))


def _edges(name: str, dtype: Any) -> list[tuple[tuple[float, ...], float]]:
    inf, nan = float("inf"), float("nan")
    one: dict[str, list[tuple[float, float]]] = {
        "gammaln": [(0.0, inf), (-0.0, inf), (1.0, 0.0), (2.0, 0.0), (-1.0, inf), (-1e300, inf),
                    (inf, inf), (-inf, -inf), (nan, nan), (1e306, inf)],
        "psi": [(0.0, -inf), (-0.0, inf), (-1.0, nan), (-1e300, nan), (inf, inf), (-inf, nan),
                (5e-324, -inf), (-5e-324, inf), (nan, nan)],
        "erfcx": [(inf, 0.0), (-inf, inf), (0.0, 1.0), (-27.0, inf), (nan, nan)],
        "ndtr": [(inf, 1.0), (-inf, 0.0), (0.0, 0.5), (-40.0, 0.0), (nan, nan)],
        "log_ndtr": [(inf, -0.0), (-inf, -inf), (-1e200, -inf), (40.0, -0.0), (nan, nan)],
        "entr": [(0.0, 0.0), (-0.0, 0.0), (-1.0, -inf), (-inf, -inf), (inf, -inf), (1.0, -0.0),
                 (nan, nan)],
        "logit": [(0.0, -inf), (1.0, inf), (0.5, 0.0), (-0.1, nan), (1.1, nan), (nan, nan)],
        "log_expit": [(inf, -0.0), (-inf, -inf), (nan, nan)],
        "sinpi": [(0.0, 0.0), (-0.0, -0.0), (1e300, 0.0), (inf, nan), (nan, nan), (0.5, 1.0)],
        "cospi": [(0.5, 0.0), (1.5, 0.0), (1e300, 1.0), (inf, nan), (nan, nan), (3.0, -1.0)],
        "spacing": [(0.0, 5e-324), (-1.0, -(2.0**-52)), (inf, nan), (nan, nan),
                    (1.7976931348623157e308, 2.0**971)],
    }  # fmt: skip
    two: dict[str, list[tuple[float, float, float]]] = {
        "xlogy": [(0.0, 0.0, 0.0), (0.0, nan, nan), (nan, 0.0, nan), (2.0, 0.0, -inf),
                  (0.0, inf, 0.0), (1.0, inf, inf), (inf, 0.5, -inf), (1.0, -1.0, nan)],
        "xlog1py": [(0.0, -1.0, 0.0), (0.0, nan, nan), (2.0, -1.0, -inf), (1.0, inf, inf),
                    (inf, 0.25, inf), (1.0, -2.0, nan)],
        "rel_entr": [(0.0, 0.0, 0.0), (0.0, inf, 0.0), (1.0, 0.0, inf), (-1.0, 1.0, inf),
                     (2.0, 2.0, 0.0), (inf, 1.0, inf), (1.0, inf, -inf), (nan, 1.0, nan)],
        "kl_div": [(0.0, 3.0, 3.0), (1.0, 0.0, inf), (-1.0, 1.0, inf), (2.0, 2.0, 0.0),
                   (inf, 1.0, nan), (1.0, nan, nan)],
        "huber": [(-1.0, 1.0, inf), (1.0, inf, inf), (0.0, 0.0, 0.0), (1.0, nan, nan)],
        "pseudo_huber": [(-1.0, 1.0, inf), (0.0, 5.0, 0.0), (2.0, 0.0, 0.0), (1.0, inf, inf),
                         (1.0, nan, nan)],
        "logaddexp2": [(inf, inf, inf), (-inf, -inf, -inf), (inf, -inf, inf), (1.0, nan, nan)],
        "xdivy": [(0.0, 0.0, 0.0), (1.0, 0.0, inf), (nan, 0.0, nan)],
    }  # fmt: skip
    cases = [(tuple(case[:-1]), case[-1]) for case in (*one.get(name, ()), *two.get(name, ()))]
    exact = [np.array(a).astype(dtype).astype(float).tolist() == list(a) for a, _ in cases]
    same = [k or any(v != v for v in a) for k, (a, _) in zip(exact, cases, strict=True)]
    return [case for case, kept in zip(cases, same, strict=True) if kept]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted({*by_mpmath.EXACT, "spacing"}))
def test_special_values(name: str, dtype: Any) -> None:
    if dtype is np.float32 and name == "spacing":
        pytest.skip("its values are those of float64")
    cases = _edges(name, dtype)
    assert len(cases) >= 3
    operands = [np.array(column, dtype) for column in zip(*(a for a, _ in cases), strict=True)]
    got = loop(name, dtype)(*operands)
    for (place, wanted), value in zip(cases, got.tolist(), strict=True):
        same = np.isnan(value) if np.isnan(wanted) else value == wanted
        assert same, (name, place, value, wanted)
        assert np.isnan(wanted) or np.signbit(value) == np.signbit(wanted), (name, place, value)


def test_poles_and_reflections() -> None:
    x = -np.concatenate([np.linspace(0.51, 39.77, 300), 10.0 ** np.linspace(2, 15, 50) + 0.25])
    for name, exact in (("gammaln", by_mpmath.EXACT["gammaln"]), ("psi", mpmath.digamma)):
        got = loop(name, np.float64)(x)
        with mpmath.workdps(60):
            for place, value in zip(x.tolist(), got.tolist(), strict=True):
                slope = 1.0 if name == "gammaln" else abs(1 / np.sin(np.pi * place))
                error = abs(mpmath.mpf(value) - exact(mpmath.mpf(place)))
                scale = abs(value) + slope + np.log(-place)
                assert error <= 2.0**-51 * scale, (name, place, value)


def _function(kinds: list[ir.Type], result: ir.Type) -> tuple[ir.IRBuilder, Any]:
    function = ir.Function(ir.Module(), ir.FunctionType(result, kinds), "f")
    return ir.IRBuilder(function.append_basic_block()), function


def test_a_function_is_defined_once_per_module() -> None:
    kind = ir.DoubleType()
    builder, function = _function([kind], kind)
    once = SCALAR_FUNCTIONS["sin"](builder, function.args[0])
    builder.ret(SCALAR_FUNCTIONS["sin"](builder, once))
    text = str(function.module)
    assert text.count('define private double @"adjoint.sin.f64"') == 1
    llvm.parse_assembly(text).verify()


def test_operands_of_other_types_are_refused() -> None:
    builder, function = _function([ir.IntType(64), ir.DoubleType(), ir.FloatType()], ir.VoidType())
    integer, double, single = function.args
    with pytest.raises(TypeError, match="needs float64 or float32 values, got i64"):
        SCALAR_FUNCTIONS["exp"](builder, integer)
    with pytest.raises(TypeError, match="power takes operands of one type, got double, float"):
        SCALAR_FUNCTIONS["power"](builder, double, single)
    with pytest.raises(TypeError, match="hypot takes 2 operands, got 1"):
        SCALAR_FUNCTIONS["hypot"](builder, double)


def test_the_c_library_is_the_way_out() -> None:
    assert scalar_function("nextafter") is LIBM_FUNCTIONS["nextafter"]
    assert scalar_function("sin") is SCALAR_FUNCTIONS["sin"]
    assert scalar_function("no such function") is None
    x = np.array([1.0, -0.0, np.inf])
    y = np.array([2.0, 1.0, 0.0])
    for dtype in DTYPES:
        a, b = x.astype(dtype), y.astype(dtype)
        got = Loop(LIBM_FUNCTIONS["nextafter"], dtype)(a, b)
        np.testing.assert_array_equal(got, np.nextafter(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_heaviside(dtype: Any) -> None:
    x = np.array([-1.0, -0.0, 0.0, 2.0, np.nan, -np.inf, np.inf, 0.0], dtype=dtype)
    y = np.array([5.0, 0.5, 0.25, 5.0, 5.0, 5.0, 5.0, np.nan], dtype=dtype)
    np.testing.assert_array_equal(loop("heaviside", dtype)(x, y), np.heaviside(x, y))

"""NumPy's array functions on traced values: numbers, derivatives, batches, and what is left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.char
import numpy.lib.recfunctions
import numpy.polynomial.polynomial
import numpy.strings
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions

import adjoint as ad
from adjoint.errors import TracedConversionError, UnknownNameError, UntraceableFunctionError
from adjoint.graph import registry
from adjoint.graph.tracer import qualified_name
from adjoint.primitives.sinc import sinc_derivative
from adjoint.primitives.untraceable import FUNCTIONS, MODULES

Function = Callable[[Any], Any]

RNG = np.random.default_rng(20240229)
VECTOR = RNG.normal(size=6)
MATRIX = RNG.normal(size=(3, 4))
TENSOR = RNG.normal(size=(2, 3, 4))
KNOTS = np.array([-1.4, -0.6, 0.1, 0.8, 2.0])
HEIGHTS = np.array([0.3, -1.0, 2.0, 0.5, 0.7])

JOINING: dict[str, Function] = {
    "vstack": lambda x: np.vstack([x, x * 2, np.ones(6)]),
    "hstack": lambda x: np.hstack([x, x**2]),
    "dstack": lambda x: np.dstack([x, x**2]),
    "column_stack": lambda x: np.column_stack([x, x**2, np.ones((6, 2))]),
    "block": lambda x: np.block([[x[:2], x[2:4]], [x[1:3], np.ones(2)]]),
    "append": lambda x: np.append(x, 3.0),
    "insert several": lambda x: np.insert(x, [4, 1], [7.0, 8.0]),
    "insert a run": lambda x: np.insert(x, 2, x[:3]),
    "insert a run, list": lambda x: np.insert(x, [1], x[:3]),
    "insert into plain": lambda x: np.insert(np.ones(4), [0, 3], x[:2]),
    "insert slice": lambda x: np.insert(x, slice(1, 4), x[0]),
    "delete": lambda x: np.delete(x, [1, -1]),
    "delete slice": lambda x: np.delete(x, slice(0, 4, 2)),
    "atleast_2d": lambda x: np.atleast_2d(x) @ x,
    "atleast_3d": np.atleast_3d,
}

REARRANGING: dict[str, Function] = {
    "roll": lambda x: np.roll(x, 2),
    "roll back": lambda x: np.roll(x, -8),
    "repeat": lambda x: np.repeat(x, 2),
    "repeat each": lambda x: np.repeat(x, [0, 1, 2, 3, 0, 1]),
    "tile": lambda x: np.tile(x, (2, 3)),
    "tile once": lambda x: np.tile(x, 1),
    "resize": lambda x: np.resize(x, (3, 5)),
    "split": lambda x: np.split(x, 3)[1],
    "array_split": lambda x: np.array_split(x, 4)[1],
    "array_split at": lambda x: np.concatenate(np.array_split(x, [4, 2, 9])),
    "hsplit": lambda x: np.hsplit(x, 2)[1],
    "meshgrid": lambda x: np.stack(np.meshgrid(x, x[:3])),
    "meshgrid sparse": lambda x: np.meshgrid(x, x[:3], sparse=True, indexing="ij")[1],
    "sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 3),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, np.ones((2, 1)))[0],
    "ix_": lambda x: np.outer(x, x)[np.ix_([0, 2], [1, 3])],
}

TAKING: dict[str, Function] = {
    "take": lambda x: np.take(x, [[1, 2], [0, -1]]),
    "take wrap": lambda x: np.take(x, [7, -9], mode="wrap"),
    "take clip": lambda x: np.take(x, [7, -9], mode="clip"),
    "choose": lambda x: np.choose([0, 1, 2, 1, 0, 2], [x, x**2, 1.0]),
    "select": lambda x: np.select([x > 0.5, x < -0.2], [x**2, -(x**3)], x * 3),
    "select, branches not taken": lambda x: np.select([x > 0], [np.sqrt(np.abs(x) * (x > 0))], x),
    "compress": lambda x: np.compress([1, 0, 1], x),
    "extract": lambda x: np.extract(np.arange(6) % 2, x),
    "piecewise": lambda x: np.piecewise(x, x < 0, [lambda t: t**2, np.sin]),
}

LAYING_OUT: dict[str, Function] = {
    "diag": np.diag,
    "diag off": lambda x: np.diag(x, 2) + np.diag(x, -2),
    "diagflat": lambda x: np.diagflat(x, 1),
    "vander": lambda x: np.vander(x, 4),
    "vander increasing": lambda x: np.vander(x, increasing=True),
    "kron": lambda x: np.kron(x[:3], x),
    "kron ranks": lambda x: np.kron(x.reshape(2, 3), x[:2]),
    "cross": lambda x: np.cross(x[:3], x[3:]),
    "linspace": lambda x: np.linspace(x[0], x[1], 5),
    "linspace open": lambda x: np.linspace(0, x, 7, endpoint=False),
    "linspace step": lambda x: np.linspace(x, 1.0, 3, retstep=True)[1],
    "linspace one": lambda x: np.linspace(x[0], 2, 1),
    "linspace axis": lambda x: np.linspace(x[:2], x[2:4], 4, axis=-1),
    "logspace": lambda x: np.logspace(x[0], x[1], 4),
    "logspace base": lambda x: np.logspace(x[0], x[1], 4, base=x[2] ** 2 + 1),
}

ROUNDING: dict[str, Function] = {
    "clip": lambda x: np.clip(x, -0.3, 0.4),
    "clip above": lambda x: np.clip(x, None, x[0]),
    "clip min": lambda x: np.clip(x, min=0.1),
    "clip method": lambda x: x.clip(max=0.3),
    "round": lambda x: np.round(x, 1) + x,
    "round method": lambda x: x.round(2) * x,
    "fix": lambda x: np.fix(x) + x,
    "nan_to_num": lambda x: np.nan_to_num(np.where(np.arange(6) > 3, np.nan, x)),
    "angle": lambda x: np.angle(x[:3] + 1j * x[3:]),
    "angle deg": lambda x: np.angle(x[:3] + 1j * x[3:], deg=True) / 50,
    "real": lambda x: np.real(x * (1 + 2j)),
    "imag": lambda x: np.imag(x * (1 + 2j)),
    "sinc": np.sinc,
    "sinc at 0": lambda x: np.sinc(x * 0),
    "i0": np.i0,
    "isclose": lambda x: np.where(np.isclose(x, x[2]), x, 2 * x),
    "isin": lambda x: np.where(np.isin(x, x[2:3]), x, 2 * x),
}

SAMPLING: dict[str, Function] = {
    "convolve self": lambda x: np.convolve(x, x[:3] * x[1]),
    "interp": lambda x: np.interp(x, KNOTS, HEIGHTS),
    "interp heights": lambda x: np.interp([-5, -0.3, 0.2, 0.8, 2.0, 9], KNOTS, x[:5]),
    "interp knots": lambda x: np.interp([-0.3, 0.2, 0.5], KNOTS + 0.1 * np.sin(x[:5]), HEIGHTS),
    "interp ends": lambda x: np.interp(x * 3, KNOTS, HEIGHTS, left=x[0], right=7),
    "interp period": lambda x: np.interp(x, KNOTS, HEIGHTS, period=1.7),
    "interp number": lambda x: np.interp(x[1], KNOTS, HEIGHTS),
    "gradient": np.gradient,
    "gradient step": lambda x: np.gradient(x, x[0] ** 2 + 1, edge_order=2),
    "gradient grid": lambda x: np.gradient(np.arange(6.0) ** 2, np.cumsum(x**2 + 0.1)),
    "gradient grid 2": lambda x: np.gradient(x, np.array([0.0, 1, 3, 4, 7, 7.5]), edge_order=2),
    "gradient of two": lambda x: np.gradient(x[:2], np.array([0.0, 1.5])),
    "trapezoid": lambda x: np.trapezoid(x, dx=x[1]),
    "trapezoid grid": lambda x: np.trapezoid(x**2, x),
    "unwrap": lambda x: np.unwrap(x * 10),
    "unwrap period": lambda x: np.unwrap(x * 10, period=5.0, discont=3.0),
    "polyval": lambda x: np.polyval(x, [0.5, 2.0]),
    "polyval at": lambda x: np.polyval([1, 2, 3.0], x),
    "polyadd": lambda x: np.polyadd(x, x[:3]),
    "polysub": lambda x: np.polysub([1, 2], x),
    "polyder": lambda x: np.polyder(x, 2),
    "polyint": lambda x: np.polyint(x, 2, [1.0, 2.0]),
    "poly": np.poly,
    "apply_along_axis": lambda x: np.apply_along_axis(
        lambda t: np.outer(t, t), 1, x.reshape(3, 2)
    ),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x.reshape(1, 3, 2), [0, 2]),
}  # fmt: skip

# What a value decides: no batch.
DECIDING: dict[str, Function] = {
    "geomspace": lambda x: np.geomspace(x[0] ** 2 + 1, x[1] ** 2 + 3, 5),
    "polymul": lambda x: np.polymul(x, [0, 1, 2.0]),
    "polydiv": lambda x: np.concatenate(np.polydiv(x, [1.0, 2, 0.5])),
    "polydiv by": lambda x: np.polydiv([1.0, 2, 3, 4], x[:2])[0],
    "roots": lambda x: np.abs(np.roots(x)),
    "polyfit": lambda x: np.polyfit(np.arange(6), x, 2),
    "polyfit weights": lambda x: np.polyfit(x, np.arange(6.0), 1, w=x),
    "piecewise guarded": lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda t: t**2, np.sqrt]),
    "trim_zeros": lambda x: np.trim_zeros(np.concatenate((np.zeros(2), x, np.zeros(1)))),
    "real_if_close": lambda x: np.real_if_close(x + 0j),
    "emath.sqrt": lambda x: np.abs(np.emath.sqrt(x)),
    "emath.log": lambda x: np.emath.log(x**2),
    "emath.logn": lambda x: np.emath.logn(3, x**2 + 1),
    "emath.power": lambda x: np.imag(np.emath.power(x, 1.5)),
}

PADDING: dict[str, Function] = {
    f"{mode} {options}": lambda x, m=mode, o=options: np.pad(x, (3, 8), m, **o)  # type: ignore[misc]
    for mode, options in [
        ("constant", {}), ("constant", {"constant_values": ((1.0, 2.0),)}), ("edge", {}),
        ("reflect", {}), ("reflect", {"reflect_type": "odd"}), ("symmetric", {}),
        ("symmetric", {"reflect_type": "odd"}), ("wrap", {}), ("linear_ramp", {"end_values": 2.5}),
        ("maximum", {}), ("minimum", {"stat_length": 2}), ("mean", {"stat_length": ((1, 2),)}),
        ("median", {}),
    ]
}  # fmt: skip


def convolving(function: Any, mode: str, n: int, m: int, plain_first: bool) -> Function:
    weights = np.cos(np.arange(m))
    if plain_first:
        return lambda x: function(weights, x[:n], mode)
    return lambda x: function(x[:n], weights, mode)


CONVOLVING: dict[str, Function] = {
    f"{name} {mode} {n} {m}{' plain first' * first}": convolving(function, mode, n, m, first)
    for name, function in (("convolve", np.convolve), ("correlate", np.correlate))
    for mode in ("full", "same", "valid")
    for n, m in ((6, 3), (6, 4), (3, 6), (4, 6), (1, 5))
    for first in (False, True)
}

MATRICES: dict[str, Function] = {
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "flip": np.flip,
    "rot90": np.rot90,
    "rot90 twice": lambda x: np.rot90(x, 2),
    "rot90 back": lambda x: np.rot90(x, -1),
    "roll axes": lambda x: np.roll(x, (1, 2), (0, 1)),
    "roll flat": lambda x: np.roll(x, 5),
    "repeat axis": lambda x: np.repeat(x, 3, 1),
    "tile": lambda x: np.tile(x, (2, 1, 2)),
    "delete axis": lambda x: np.delete(x, 1, 1),
    "insert column": lambda x: np.insert(x, 1, x[:, 0], axis=1),
    "insert columns": lambda x: np.insert(x, [1, 3], x[:, :2], axis=1),
    "tril": np.tril,
    "triu": lambda x: np.triu(x, 1),
    "diag of matrix": lambda x: np.diag(x, 1),
    "tril_indices_from": lambda x: x[np.tril_indices_from(x)],
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[2], [1], [0]]), 1),
    "pad mean": lambda x: np.pad(x, ((1, 2), (0, 3)), "mean"),
    "pad dict": lambda x: np.pad(x, {1: (1, 2)}, "linear_ramp", end_values=1.0),
    "pad values": lambda x: np.pad(x, ((1, 1), (2, 0)), constant_values=((1, 2), (3, 4))),
    "pad function": lambda x: np.pad(
        x, 1, lambda v, w, axis, options: v.__setitem__(slice(0, w[0]), v[w[0]] * 2.0)
    ),
    "vsplit": lambda x: np.vsplit(x, [1])[1],
    "matrix_transpose": np.matrix_transpose,
    "kron": lambda x: np.kron(x, np.arange(6.0).reshape(3, 2)),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "block": lambda x: np.block([[x, x[:, :1]], [np.ones((2, 5))]]),
    "compress axis": lambda x: np.compress([True, False, True], x, axis=0),
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)),
    "gradient both": lambda x: np.stack(np.gradient(x, 0.5, np.array([0.0, 1, 3, 3.5]))),
    "trapezoid axis": lambda x: np.trapezoid(x, np.array([0.0, 1, 4]), axis=0),
    "unwrap axis": lambda x: np.unwrap(x * 9, axis=0),
    "cross axis": lambda x: np.cross(x, np.ones((3, 1)), axis=0),
}

TENSORS: dict[str, Function] = {
    "dsplit": lambda x: np.dsplit(x, 2)[1],
    "rollaxis": lambda x: np.rollaxis(x, 2, 1),
    "cross": lambda x: np.cross(x, np.ones((2, 3, 1)), axis=1),
    "rot90": lambda x: np.rot90(x, 1, (1, 2)),
}

VECTORS = JOINING | REARRANGING | TAKING | LAYING_OUT | ROUNDING | SAMPLING | PADDING | CONVOLVING
CASES = (
    [pytest.param(f, VECTOR, id=name) for name, f in VECTORS.items()]
    + [pytest.param(f, MATRIX, id=f"{name} (matrix)") for name, f in MATRICES.items()]
    + [pytest.param(f, TENSOR, id=f"{name} (tensor)") for name, f in TENSORS.items()]
)
SINGLE = CASES + [pytest.param(f, VECTOR, id=name) for name, f in DECIDING.items()]


def differences(f: Function, x: Any, step: float = 1e-6) -> Any:
    columns = []
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        e = e.reshape(x.shape)
        columns.append((np.asarray(f(x + e)) - np.asarray(f(x - e))) / (2 * step))
    return np.stack(columns, -1).reshape(np.shape(f(x)) + x.shape)


@pytest.mark.parametrize(("f", "x"), SINGLE)
def test_value_and_derivatives(f: Function, x: Any) -> None:
    expected = np.asarray(f(x))
    value = np.asarray(ad.vjp(f, x)[0])
    assert value.dtype == expected.dtype
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-13)
    slopes = differences(f, x)
    assert np.isfinite(slopes).all()
    for mode in ("forward", "reverse"):
        got = ad.jacobian(f, mode=mode)(x)  # type: ignore[arg-type]
        np.testing.assert_allclose(got, slopes, rtol=1e-5, atol=1e-6, err_msg=mode)


@pytest.mark.parametrize(("f", "x"), CASES)
def test_batch_is_a_loop(f: Function, x: Any) -> None:
    batch = np.stack([x, x * 1.1, x + 0.05])
    expected = np.stack([f(example) for example in batch])
    np.testing.assert_allclose(ad.vmap(f)(batch), expected, rtol=1e-12, atol=1e-12)


NONLINEAR = ["sinc", "i0", "kron", "vander", "interp knots", "gradient grid", "convolve self",
             "poly", "logspace base", "linspace open", "piecewise", "select"]  # fmt: skip


@pytest.mark.parametrize("name", NONLINEAR)
def test_second_order(name: str) -> None:
    f = VECTORS[name]
    weights = np.cos(np.arange(np.size(f(VECTOR)))).reshape(np.shape(f(VECTOR)))

    def total(x: Any) -> Any:
        return np.sum(weights * f(x))

    got = ad.hessian(total)(VECTOR)
    np.testing.assert_allclose(got, differences(ad.grad(total), VECTOR), rtol=1e-5, atol=1e-5)


# -- single facts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(9))
def test_sinc_at_zero_is_exact_in_every_order(n: int) -> None:
    """The series of sin(πx)/(πx): its n-th derivative at 0 is ±πⁿ/(n + 1), or 0 for odd n."""
    expected = 0.0 if n % 2 else (-1) ** (n // 2) * np.pi**n / (n + 1)
    got = ad.derivative(np.sinc, n)(0.0) if n else np.sinc(0.0)
    assert got == pytest.approx(expected, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("x", [1e-9, 0.1, 0.9, 2.0, -3.3, 11.7])
def test_sinc_derivatives_against_quadrature(n: int, x: float) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(80)
    t = (nodes + 1) / 2
    integrand = t**n * np.cos(np.pi * x * t + n * np.pi / 2)
    expected = np.pi**n * np.sum(weights / 2 * integrand)
    scale = np.pi**n / (n + 1)
    assert sinc_derivative(n, x) == pytest.approx(expected, abs=1e-13 * scale)


def test_clip_at_its_edges_has_the_slope_of_x() -> None:
    edges = np.array([-1.0, 0.0, 1.0, 2.0])
    got = ad.grad(lambda x: np.sum(np.clip(x, -1, 1)))(edges)
    np.testing.assert_array_equal(got, [1, 1, 1, 0])
    got = ad.grad(lambda x: np.sum(np.clip(x, -1, None)))(edges)
    np.testing.assert_array_equal(got, [1, 1, 1, 1])


def test_a_branch_not_taken_contributes_nothing() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.select([x > 0], [np.sqrt(x)], 0.0)) + np.sum(
            np.choose(np.where(x > 0, 1, 0), [0.0, np.sqrt(x)])
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(ad.grad(f)(np.array([0.0, -1.0, 4.0])), [0, 0, 0.5])


def test_writing_functions_agree_with_numpy() -> None:
    def write(x: Any, out: Any) -> Any:
        np.put(out, [0, -1, 0], x[:3])
        np.place(out, np.arange(12).reshape(3, 4) % 5 == 1, x[3:5])
        np.putmask(out, np.arange(12).reshape(3, 4) % 5 == 2, x)
        np.copyto(out[1:], x[0] * out[:-1], where=np.array([True, False, True, False]))
        np.fill_diagonal(out[:, 1:], x[5])
        np.put_along_axis(out, np.array([[3], [0], [1]]), x[:3, None] ** 2, 1)
        return out

    expected = write(VECTOR, np.ones((3, 4)))
    value, _ = ad.vjp(lambda x: write(x, np.ones((3, 4), like=x)), VECTOR)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    got = ad.jacobian(lambda x: write(x, np.ones((3, 4), like=x)))(VECTOR)
    slopes = differences(lambda x: write(x, np.ones((3, 4))), VECTOR)
    np.testing.assert_allclose(got, slopes, rtol=1e-6, atol=1e-7)


def test_questions_have_plain_answers() -> None:
    def f(x: Any) -> Any:
        y = x.copy()
        assert np.result_type(x, np.float32) == np.float64 and np.can_cast(x, complex)
        assert not np.iscomplexobj(x) and np.isrealobj(x) and np.isreal(x).all()
        assert np.allclose(x, x) and np.array_equal(x, x) and not np.array_equal(x, x[:2])
        assert not np.array_equiv(x, x + 1) and not np.isposinf(x).any()
        assert np.shares_memory(y[::2], y[2:]) and not np.shares_memory(y[::2], y[1::2])
        assert not np.shares_memory(x, y)
        assert np.array_repr(x).startswith("array([") and np.einsum_path("i,i", x, x)[0]
        return np.sum(x)

    np.testing.assert_array_equal(ad.grad(f)(VECTOR), np.ones(6))


def test_writing_into_a_plain_array_says_what_to_do() -> None:
    with pytest.raises(TracedConversionError, match=r"np.put needs a traced array .* f64\[3\]"):
        ad.grad(lambda x: np.put(np.zeros(3), [0], x))(1.0)


def test_an_unknown_mode_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="mode='reflect'"):
        ad.grad(lambda x: np.sum(np.pad(x, 1, "reflct")))(VECTOR)  # type: ignore[call-overload]
    with pytest.raises(UnknownNameError, match="mode='valid'"):
        ad.grad(lambda x: np.sum(np.convolve(x, x, "valit")))(VECTOR)  # type: ignore[call-overload]


# -- nothing is forgotten -------------------------------------------------------------------------


def has_reason(name: str) -> bool:
    return name in FUNCTIONS or name.rpartition(".")[0] in MODULES


def test_every_dispatched_function_has_a_rule_or_a_reason() -> None:
    ruled = {qualified_name(f) for f in registry.FUNCTIONS}
    dispatched = {qualified_name(f) for f in get_overridable_numpy_array_functions()}
    forgotten = {name for name in dispatched - ruled if not has_reason(name)}
    assert not forgotten, f"neither a rule nor a reason in untraceable.py: {sorted(forgotten)}"


def test_no_function_has_a_rule_and_a_reason() -> None:
    ruled = {qualified_name(f) for f in registry.FUNCTIONS}
    assert not ruled & set(FUNCTIONS)


def test_every_reason_is_about_a_function_that_exists() -> None:
    dispatched = {qualified_name(f) for f in get_overridable_numpy_array_functions()}
    assert not set(FUNCTIONS) - dispatched
    assert set(MODULES) <= {name.rpartition(".")[0] for name in dispatched}


def test_the_error_quotes_the_reason() -> None:
    with pytest.raises(UntraceableFunctionError, match=r"np.packbits has no rule.*bits of"):
        ad.grad(lambda x: np.packbits(x))(VECTOR)  # type: ignore[arg-type]


@pytest.mark.parametrize("mask", [True, False, np.True_, np.array(False)])
def test_a_boolean_without_axes_is_a_new_axis_of_length_one_or_zero(mask: Any) -> None:
    assert ad.vjp(lambda x: x[mask], VECTOR)[0].shape == VECTOR[mask].shape
    assert ad.vjp(lambda x: x[:, mask], MATRIX)[0].shape == MATRIX[:, mask].shape

    def write(x: Any, out: Any) -> Any:
        out[mask] = 2 * x
        return out

    got = ad.jacobian(lambda x: write(x, np.zeros_like(x)))(VECTOR)
    np.testing.assert_array_equal(got, 2 * np.eye(6) * bool(mask))

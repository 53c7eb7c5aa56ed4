"""Every scalar function has native code or a written reason, and SciPy's kernels are SciPy's."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

import adjoint as ad
from adjoint.codegen.blas_symbols import blas
from adjoint.codegen.by_numpy import REASONS, reason_for_numpy
from adjoint.codegen.patterns import classify
from adjoint.codegen.program import Op
from adjoint.codegen.special_symbols import register_special, special_call, special_name
from adjoint.codegen.vector_math import scalar_function
from adjoint.errors import InternalError
from adjoint.extend import row
from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.primitives.scalar import Elementwise
from adjoint.primitives.special import WITHOUT_DERIVATIVE, load_kernels, load_rows
from adjoint.primitives.special.function import SpecialFunction
from adjoint.primitives.special.loader import find_special
from benchmarks.likelihoods import LOSSES

FLOATS = ("f8", "f4")


@functools.cache
def functions() -> dict[str, Elementwise]:
    """The elementwise primitives of the package, those of the tables included."""
    for entry in load_rows().values():
        for part in entry.components or (entry,):
            assert part.primitive
    assert all(kernel.primitive for kernel in load_kernels().values())
    for name in WITHOUT_DERIVATIVE:
        find_special(getattr(special, name))
    return {
        name: p for name, p in registry.PRIMITIVES.items()
        if isinstance(p, Elementwise) and _is_of_the_package(p)
    }  # fmt: skip


def _is_of_the_package(primitive: Elementwise) -> bool:
    if isinstance(primitive.ufunc, np.ufunc):
        return True
    return (primitive.ufunc.__module__ or "").startswith("adjoint.")


def is_native(primitive: Elementwise, dtypes: tuple[str, ...]) -> bool:
    """Whether loops compute the function for operands of these dtypes; TypeError for no loop."""
    shape = (5,)
    out = primitive.infer(*(ArrayType(shape, np.dtype(d)) for d in dtypes))
    inputs = tuple(
        Op("input", (), {"index": i}, shape, np.dtype(d), i, None, False)
        for i, d in enumerate(dtypes)
    )
    op = Op(primitive.name, inputs, {}, shape, out.dtype, len(inputs), primitive)
    return classify(op) == "element"


def test_every_function_has_native_code_or_a_reason() -> None:
    wrong, used = [], set()
    for name, primitive in functions().items():
        reason = reason_for_numpy(primitive)
        used.add(name.removeprefix("scipy."))
        for dtype in FLOATS:
            try:
                native = is_native(primitive, (dtype,) * len(primitive.partials))
            except TypeError:
                continue  # integers only, or an integer among the operands
            if native == bool(reason):
                wrong.append((name, dtype, reason))
    assert not wrong
    assert set(REASONS) <= used


@pytest.mark.parametrize("name", ["kn", "yn", "expn", "smirnov", "pdtri", "eval_hermite", "bdtr"])
def test_integer_orders_are_native(name: str) -> None:
    primitive = load_rows()[name].primitive
    dtypes = ("f8", "i8", "f8") if name == "bdtr" else ("i8", "f8")
    assert is_native(primitive, dtypes)


def _exported() -> list[str]:
    names = []
    for name, primitive in functions().items():
        if isinstance(primitive, SpecialFunction) and special_name(primitive)[0]:
            own = scalar_function(name.removeprefix("scipy.")) is not None
            doubles = (np.dtype(float),) * len(primitive.partials)
            if not own and special_call(primitive, doubles) is not None:
                names.append(name)
    return sorted(names)


@pytest.mark.parametrize("batch", range(8))
def test_kernels_of_scipy_are_those_of_its_ufuncs(batch: int) -> None:
    names = _exported()
    assert len(names) > 170
    random = np.random.default_rng(batch)
    for name in names[batch::8]:
        primitive = functions()[name]
        # In float32 some of SciPy's spheroidal functions never return.
        for dtype in FLOATS[: 1 if name.startswith(("obl_", "pro_")) else 2]:
            operands = [
                random.uniform(low, high, 17).astype(dtype) for low, high in primitive.domain
            ]
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wanted = np.asarray(primitive.evaluate(*operands))
                got = ad.compile(primitive.__call__)(*operands)
            assert got.dtype == wanted.dtype
            if dtype == "f8":
                np.testing.assert_array_equal(got, wanted, err_msg=name)
            else:  # a few are computed in float32 by SciPy and in float64 here
                np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=1e-5, err_msg=name)


def test_the_state_of_errors_is_respected() -> None:
    x = np.array([0.2, 0.5])
    bad = np.array([0.2, -0.5])
    mixed = lambda x: special.betainc(1.5, 2.5, x) + special.wofz(x).real  # noqa: E731
    for f in (lambda x: special.betainc(1.5, 2.5, x), mixed):
        compiled = ad.compile(f)
        np.testing.assert_array_equal(compiled(x), f(x))
        with (
            special.errstate(all="raise"),
            pytest.raises(special.SpecialFunctionError, match=r"special/betainc: domain error"),
        ):
            compiled(bad)
        with (
            special.errstate(all="warn"),
            pytest.warns(special.SpecialFunctionWarning, match=r"special/betainc: domain error"),
        ):
            compiled(bad)
        assert np.isnan(compiled(bad)[1])


def test_unknown_functions_are_named() -> None:
    with pytest.raises(InternalError, match="SciPy exports no special function gamow"):
        register_special("scipy.special.gamow")
    with pytest.raises(InternalError, match="SciPy exports no BLAS routine dgamow"):
        blas("dgamow")


def test_a_row_of_the_user_keeps_its_meaning_under_another_functions_name() -> None:
    present = dict(registry.PRIMITIVES)
    try:
        for name in ("erf", "xlogy", "betaln"):
            registry.PRIMITIVES.pop(name, None)
        odd = row(lambda x: x**4, lambda x, y: 4 * x**3, name="erf")
        pair = row(lambda x, z: x + 10 * z, 1, lambda x, z, y: 10.0, name="xlogy")
        assert ad.compile(lambda x: odd(x) + 1)(2.0) == 17.0
        assert ad.compile(lambda x: pair(x, x))(2.0) == 22.0
    finally:
        registry.PRIMITIVES.clear()
        registry.PRIMITIVES.update(present)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("decimals", [0, 1, 3, -1, -2])
def test_rounding_to_decimals(decimals: int, dtype: str) -> None:
    x = np.append(np.random.default_rng(0).normal(size=40) * 300, [0.5, 2.5, -0.0, np.inf, np.nan])
    compiled = ad.compile(lambda x: np.round(x, decimals))
    got, wanted = compiled(x.astype(dtype)), np.round(x.astype(dtype), decimals)
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype == wanted.dtype
    assert "by NumPy" not in compiled.explain()


def test_integers_and_powers_of_two() -> None:
    n = np.array([0, 3, -5, 2000, -2000, 70, 2**40, -(2**40)])
    y = np.array([1.0, -0.0, 3.0, 1e-300, 1e300, np.inf, 1.0, 1.0])
    with np.errstate(all="ignore"):
        for x in (y, y.astype("f4")):
            got = ad.compile(lambda a, b: np.ldexp(a, b))(x, n)
            np.testing.assert_array_equal(got, np.ldexp(x, n))
    for shift in (np.left_shift, np.right_shift):
        for dtype in ("i8", "i4", "i1"):
            a = np.array([1, -5, 7, 100, -100, 3], dtype)
            b = np.array([0, 3, 70, 2, -1, 5], dtype)
            got = ad.compile(lambda a, b, shift=shift: shift(a, b))(a, b)
            np.testing.assert_array_equal(got, shift(a, b))


# -- statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_statistics_are_one_kernel(loss: Any) -> None:
    p, x = np.array([0.3, 0.2]), np.random.default_rng(3).uniform(0.1, 8, 300)
    evaluated, compiled = ad.value_and_grad(loss), ad.compile(ad.value_and_grad(loss))
    value, slope = compiled(p, x)
    wanted, direction = evaluated(p, x)
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    np.testing.assert_allclose(slope, direction, rtol=1e-11)
    report = compiled.explain()
    assert "loop over" in report
    assert "by NumPy" not in report


def test_calls_are_kept_apart_from_loops_that_become_simd() -> None:
    def f(x: Any) -> Any:
        return np.sin(x) * special.j0(np.exp(-x)) + np.cos(x)

    for size, loops in ((1000, 3), (10, 1)):
        x = np.linspace(0.1, 8, size)
        compiled = ad.compile(f, parallel=False)
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-14, atol=1e-15)
        assert compiled.explain().count("loop over") == loops
        assert ("arena of 0 bytes" in compiled.explain()) == (loops == 1)


# -- the cache ------------------------------------------------------------------------------------

PROGRAM = """
import numpy as np, adjoint as ad
from scipy import special
from adjoint.codegen import llvm_session
import adjoint.codegen.entry.build as build
made, plain = [], llvm_session.compile_ir
build.compile_ir = lambda *a, **k: made.append(1) or plain(*a, **k)
def f(x):
    return special.gammainc(2.5, x) + special.j0(x) + special.airy(x)[2] + special.gammaln(x - 9)
x = np.linspace(0.1, 8, 50)
got = ad.compile(f)(x)
print(len(made), np.allclose(got, f(x), rtol=1e-13), got.sum())
"""


@pytest.mark.skipif(os.name != "posix", reason="the cache is for POSIX systems")
def test_another_process_links_the_functions_again(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    env = {**os.environ, "ADJOINT_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    lines = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        lines.append(done.stdout.split())
    assert lines[0] == ["1", *lines[1][1:]]
    assert lines[1][:2] == ["0", "True"]

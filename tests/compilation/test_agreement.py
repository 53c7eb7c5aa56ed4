"""Compiled = evaluated: ordinary functions, and every transform of them."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import AdjointError
from adjoint.graph.containers import flatten, unflatten
from tests.compilation.functions import PLAIN, SMOOTH, Case, worked
from tests.compilation.random_programs import random_program


def assert_same(got: Any, expected: Any, eps: float = 0.0) -> None:
    """The same containers of the same types, equal to rounding (of ``eps``, if that is more)."""
    leaves, structure = flatten(got)
    wanted, other = flatten(expected)
    assert structure == other
    for a, b in zip(leaves, wanted, strict=True):
        if not isinstance(b, np.ndarray | np.generic | int | float | complex):
            assert a == b
            continue
        a, b = _numpy(a), _numpy(b)  # a number has NumPy's type after compiling
        assert isinstance(a, np.ndarray) == isinstance(b, np.ndarray), (type(a), type(b))
        if isinstance(b, np.ndarray | np.generic):
            assert a.dtype == b.dtype
            assert a.shape == b.shape
        if np.asarray(b).dtype.hasobject:
            continue
        if np.asarray(b).dtype.kind in "fc":
            tolerance = 300 * max(float(np.finfo(np.asarray(b).dtype).eps), eps)
            finite = np.abs(b)[np.isfinite(b)]
            scale = float(np.max(finite, initial=0.0))
            with np.errstate(all="ignore"):
                np.testing.assert_allclose(
                    a, b, rtol=tolerance, atol=min(tolerance * scale, 1e290), equal_nan=True
                )
        else:
            np.testing.assert_array_equal(a, b)


def _numpy(value: Any) -> Any:
    return np.asarray(value)[()]


def assert_compiled(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Compiled and evaluated agree at the first call, at later ones, and on other numbers."""
    fast = ad.compile(function)
    with np.errstate(all="ignore"):
        expected = function(*copy.deepcopy(args))
        for _ in range(3):
            given = copy.deepcopy(args)
            assert_same(fast(*given), expected)
            assert_same(given, args)
        other = perturbed(args)
        assert_same(fast(*other), function(*other))


def perturbed(args: Any) -> Any:
    """Other numbers of the same kinds, along the same branches."""
    leaves, structure = flatten(args)
    return unflatten(structure, [_scaled(leaf) for leaf in leaves])


def _scaled(leaf: Any) -> Any:
    if type(leaf) is float:
        return leaf * 1.001
    kind = getattr(getattr(leaf, "dtype", None), "kind", "")
    return leaf * leaf.dtype.type(1.001) if kind in ("f", "c") else leaf


@pytest.mark.parametrize("name", PLAIN)
def test_functions(name: str) -> None:
    assert_compiled(*PLAIN[name])


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "value_and_grad": ad.value_and_grad,
    "hessian": ad.hessian,
    "jacobian forward": lambda f: ad.jacobian(f, mode="forward"),
    "gradient of gradient": lambda f: ad.grad(lambda x: np.sum(ad.grad(f)(x) ** 2)),
    "jvp": lambda f: lambda x: ad.jvp(f, (x,), (np.ones_like(x),)),
    "vmap": lambda f: lambda x: ad.vmap(f)(np.stack([x, x * 1.5])),
    "vmap of grad": lambda f: lambda x: ad.vmap(ad.grad(f))(np.stack([x, x * 1.5])),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms(transform: str, name: str) -> None:
    function, args = SMOOTH[name]
    case: Case = TRANSFORMS[transform](function), args
    with np.errstate(all="ignore"):
        try:
            case[0](*args)
        except AdjointError as error:
            pytest.skip(f"not defined without compiling: {error}")
    assert_compiled(*case)


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed: int) -> None:
    function, args = random_program(seed)
    eps = 1e-6 if any(a.dtype.itemsize < 8 for a in args) else 0.0
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of NaN in a cast
        expected = function(*args)
        fast = ad.compile(function)
        for _ in range(2):
            assert_same(fast(*args), expected, eps)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_derivatives_of_one_variable(n: int) -> None:
    assert_compiled(ad.derivative(worked, n), (0.7,))
    assert_compiled(ad.derivative(worked, n), (np.linspace(0.1, 1, 7),))

"""np.fft: values are NumPy's, and transposes satisfy their law."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.primitives.fft import RFFT

REAL_ONLY = ("rfft", "ihfft", "rfft2", "rfftn")
ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY_AXES = ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "irfft2", "rfftn", "irfftn")
OPTIONS_ONE: list[dict[str, Any]] = [
    {}, {"norm": "ortho"}, {"norm": "forward", "axis": 0}, {"n": 5}, {"n": 9, "axis": 0},
    {"n": 8, "norm": "ortho"}, {"n": 1},
]  # fmt: skip
OPTIONS_MANY: list[dict[str, Any]] = [
    {}, {"norm": "ortho"}, {"axes": (1, 0), "norm": "forward"}, {"s": (3, 7), "axes": (0, 1)},
    {"s": (-1, 4), "axes": (0, 1)},
]  # fmt: skip
CASES = [(name, o) for name in ONE_AXIS for o in OPTIONS_ONE]
CASES += [(name, o) for name in MANY_AXES for o in OPTIONS_MANY]
CASES += [
    (name, o) for name in ("fftshift", "ifftshift") for o in ({}, {"axes": 1}, {"axes": (0,)})
]


def function(name: str, options: dict[str, Any]) -> Callable[[Any], Any]:
    numpys = getattr(np.fft, name)
    return lambda x: numpys(x, **options)


def samples(name: str, rng: np.random.Generator) -> list[Any]:
    x = rng.normal(size=(4, 7))
    return [x] if name in REAL_ONLY else [x, x + 1j * rng.normal(size=x.shape)]


def like(y: Any, rng: np.random.Generator) -> Any:
    c = rng.normal(size=y.shape)
    return c + 1j * rng.normal(size=y.shape) if y.dtype.kind == "c" else c


@pytest.mark.parametrize(("name", "options"), CASES)
def test_forward_is_the_function_itself(
    name: str, options: dict[str, Any], rng: np.random.Generator
) -> None:
    f = function(name, options)
    for x in samples(name, rng):
        direction = like(x, rng)
        y, y_dot = ad.jvp(f, (x,), (direction,))
        assert y.dtype == f(x).dtype and np.array_equal(y, f(x))
        assert np.array_equal(y_dot, f(direction))


def assert_transposes(f: Callable[[Any], Any], x: Any, rng: np.random.Generator) -> None:
    """⟨ȳ, f(ẋ)⟩ = ⟨fᵀȳ, ẋ⟩ for the real inner product Re(conj(a)·b)."""
    direction = like(x, rng)
    y, pull = ad.vjp(f, x)
    ct = like(y, rng)
    left = np.real(np.vdot(ct, f(direction)))
    right = np.real(np.vdot(pull(ct)[0], direction))
    np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_reverse_is_the_transpose(
    name: str, options: dict[str, Any], rng: np.random.Generator
) -> None:
    for x in samples(name, rng):
        assert_transposes(function(name, options), x, rng)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_transpose_of_the_transpose(
    name: str, options: dict[str, Any], rng: np.random.Generator
) -> None:
    f = function(name, options)
    x = samples(name, rng)[-1]
    ct = like(f(x), rng)
    assert_transposes(lambda c: ad.vjp(f, x)[1](c)[0], ct, rng)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_batches(name: str, options: dict[str, Any], rng: np.random.Generator) -> None:
    f = function(name, options)
    x = samples(name, rng)[-1]
    stacked = np.stack([x, 2.0 * x, x * x], axis=1)
    expected = np.stack([f(x), f(2.0 * x), f(x * x)])
    np.testing.assert_allclose(ad.vmap(f, in_axes=1)(stacked), expected, rtol=1e-13, atol=1e-13)


def test_second_derivatives_of_a_spectrum(rng: np.random.Generator) -> None:
    x = rng.normal(size=6)

    def power(x: Any) -> Any:
        return np.sum(np.abs(np.fft.rfft(np.sin(x))) ** 4)

    def explicit(x: Any) -> Any:
        k, j = np.arange(4)[:, None], np.arange(6)
        s = np.sin(x)
        re, im = np.cos(2 * np.pi * k * j / 6) @ s, np.sin(2 * np.pi * k * j / 6) @ s
        return np.sum((re**2 + im**2) ** 2)

    np.testing.assert_allclose(ad.grad(power)(x), ad.grad(explicit)(x), rtol=1e-11)
    np.testing.assert_allclose(ad.hessian(power)(x), ad.hessian(explicit)(x), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_stays_single(dtype: Any) -> None:
    x = np.ones((2, 4), dtype)
    y = ad.jvp(np.fft.fft, (x,), (x,))[1]
    assert y.dtype == np.fft.fft(x).dtype == np.complex64
    assert ad.vmap(np.fft.fft)(x).dtype == np.complex64
    assert ad.vjp(np.fft.irfft, x)[1](np.ones((2, 6), np.float32))[0].dtype == dtype


def test_out_receives_the_result() -> None:
    def f(x: Any) -> Any:
        buffer = np.zeros(4, complex, like=x)
        assert np.fft.fft(x, out=buffer) is buffer
        return np.sum(np.real(buffer) ** 2)

    def g(x: Any) -> Any:
        return np.sum(np.real(np.fft.fft(x)) ** 2)

    x = np.arange(4.0)
    assert np.array_equal(ad.grad(f)(x), ad.grad(g)(x))


def test_frequencies_of_a_traced_spacing() -> None:
    found = ad.jacobian(lambda d: np.fft.fftfreq(4, d))(0.5)
    np.testing.assert_allclose(found, -np.fft.fftfreq(4, 0.5) / 0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: np.fft.fft(x, 0), ValueError, r"data points \(0\)"),
        (lambda x: np.fft.fft(x, norm="x"), ValueError, "Invalid norm value x"),
        (lambda x: np.fft.fft(x, axis=3), IndexError, "axis 3 is out of bounds"),
        (lambda x: np.fft.rfft(x + 1j), TypeError, "needs a real array"),
        (lambda x: np.fft.fftn(x, s=(2, 2), axes=(0,)), ValueError, "different lengths"),
    ],
)
def test_mistakes_are_numpys(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error):
        call(np.ones((2, 4)))
    with pytest.raises(error, match=message):
        ad.jvp(call, (np.ones((2, 4)),), (np.ones((2, 4)),))


def test_a_planted_wrong_rule_is_seen(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = type(RFFT).transpose

    def undoubled(self: Any, ct: Any, operands: Any, position: int, **params: Any) -> Any:
        wrong = np.concatenate([ct[..., :1], 2.0 * ct[..., 1:-1], ct[..., -1:]], axis=-1)
        return right(self, wrong, operands, position, **params)

    monkeypatch.setattr(type(RFFT), "transpose", undoubled)
    with pytest.raises(AssertionError):
        assert_transposes(np.fft.rfft, rng.normal(size=(2, 6)), rng)

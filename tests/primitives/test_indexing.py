"""Index arrays in several places: NumPy puts their axes first where something stands between."""

from typing import Any

import numpy as np
import pytest

import adjoint as ad

I, J = np.array([0, 1, 1]), np.array([2, 0, 1])
APART = {
    "[0, :, I]": (0, slice(None), I),
    "[I, :, J]": (I, slice(None), J),
    "[I, :, 0]": (I, slice(None), 0),
    "[0, None, I]": (0, None, I),
    "[..., I]": (..., I),
    "[:, I, J]": (slice(None), I, J),
    "[1, I]": (1, I),
}
RNG = np.random.default_rng(0)
BATCH = RNG.normal(size=(3, 3, 3, 3))  # all lengths alike: a wrong order has the right shape


@pytest.mark.parametrize("name", APART)
def test_a_batch_is_read_as_a_loop_reads_it(name: str) -> None:
    def f(x: Any) -> Any:
        return np.sin(x[APART[name]])

    np.testing.assert_array_equal(ad.vmap(f)(BATCH), np.stack([f(x) for x in BATCH]))


@pytest.mark.parametrize("name", APART)
def test_a_batch_is_written_as_a_loop_writes_it(name: str) -> None:
    def f(x: Any) -> Any:
        y = x.copy()
        y[APART[name]] = np.sin(x[APART[name]])
        return y

    np.testing.assert_array_equal(ad.vmap(f)(BATCH), np.stack([f(x) for x in BATCH]))


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_jacobian_of_a_part(name: str, mode: Any) -> None:
    x, t = BATCH[0], BATCH[1]
    found = ad.jacobian(lambda x: x[APART[name]] ** 2, mode=mode)(x)
    expected = 2 * x[APART[name]] * t[APART[name]]
    np.testing.assert_allclose(np.tensordot(found, t, 3), expected, rtol=1e-12, atol=1e-12)

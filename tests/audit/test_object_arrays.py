"""``np.array([3.0, t])`` is an array of objects: it works, or the error says what to write."""

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import StructureError, TracedConversionError

WORKS: dict[str, tuple[Any, Any]] = {
    "product": (lambda t: np.array([3.0, t]) * t, [3.0, 4.0]),
    "norm": (lambda t: np.linalg.norm(np.array([0.0, t])), 1.0),
    "maximum": (lambda t: np.max(np.array([1.0, t])), 1.0),
    "cumsum": (lambda t: np.cumsum(np.array([t, t])), [1.0, 2.0]),
    "sort": (lambda t: np.sort(np.array([3.0, t])), [1.0, 0.0]),
    "all traced": (lambda t: np.sqrt(np.array([t, 2 * t])), [8**-0.5, 0.5]),
    "stack": (lambda t: np.exp(np.stack([3.0, t])), [0.0, np.exp(2.0)]),
}


@pytest.mark.parametrize("name", WORKS)
def test_what_works(name: str) -> None:
    f, expected = WORKS[name]
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(ad.jacobian(f, mode=mode)(2.0), expected, 1e-13)


@pytest.mark.parametrize(
    "f",
    [
        lambda t: np.exp(np.array([3.0, t])),
        lambda t: np.tanh(np.array([t, -3])),
        lambda t: np.mean(np.array([3.0, t])),
        lambda t: np.std(np.array([3.0, t])),
        lambda t: np.linalg.det(np.array([[3.0, t], [t, 1.0]])),
        lambda t: np.linalg.solve(np.array([[3.0, t], [0.0, 1.0]]), np.ones(2)),
        lambda t: np.fft.fft(np.array([3.0, t])),
        lambda t: np.isnan(np.array([t, 3.0])),
        lambda t: np.interp(0.5, [0.0, 1.0], np.array([t, 3.0])),
    ],
)
def test_what_does_not_says_what_to_write(f: Any) -> None:
    for transform in (ad.grad, ad.jacobian, ad.vmap, lambda f: ad.grad(ad.grad(f))):
        at = np.ones(2) if transform is ad.vmap else 2.0
        with pytest.raises(TypeError) as caught:
            transform(f)(at)
        text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
        assert text.count("use np.stack([u, v])") == 1


def test_a_conversion_names_the_ways_out() -> None:
    with pytest.raises(TracedConversionError) as caught:
        ad.grad(lambda x: float(x))(1.0)
    assert "stop_gradient" not in str(caught.value)  # it gives a traced value again
    assert "has_aux=True" in str(caught.value)


def test_structures_print_plainly() -> None:
    with pytest.raises(StructureError) as caught:
        ad.jvp(lambda p: p["a"] * p["b"], ({"a": 1.0, "b": 2.0},), ({"a": 1.0, "b": (1.0, [2.0])},))
    assert "primal 0: {'a': *, 'b': *}" in str(caught.value)
    assert "tangent 0: {'a': *, 'b': (*, [*])}" in str(caught.value)
    assert "PyTreeSpec" not in str(caught.value)

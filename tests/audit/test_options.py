"""Options of NumPy's functions are followed or refused, never ignored."""

from typing import Any

import numpy as np
import pytest

import adjoint as ad

X = np.array([1.0, 2.0])

REFUSED: dict[str, Any] = {
    "concatenate": lambda x: np.concatenate([x, x], dtype=np.float32, casting="no"),
    "concatenate to integers": lambda x: np.concatenate([x, x], dtype=int),
    "no such rule": lambda x: np.concatenate([x, x], casting="bogus"),  # type: ignore[call-overload]
    "stack": lambda x: np.stack([x, x], dtype=np.float32, casting="safe"),
    "hstack": lambda x: np.hstack([x, x], dtype=np.float32, casting="equiv"),
    "vstack": lambda x: np.vstack([x, x], dtype=int),
    "einsum": lambda x: np.einsum("i,i->i", x, x, dtype=np.float32),
    "einsum option": lambda x: np.einsum("i,i->i", x, x, bogus=1),  # type: ignore[call-overload]
    "astype": lambda x: x.astype(int, casting="safe"),
    "add": lambda x: np.add(x, x, dtype=np.float32, casting="no"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_refuses_is_refused(name: str) -> None:
    f = REFUSED[name]
    with pytest.raises((TypeError, ValueError)):
        f(X)
    with pytest.raises((TypeError, ValueError)):
        ad.jacobian(f)(X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.concatenate([x, x], dtype=np.float32),
        lambda x: np.concatenate([x, [1]], dtype=np.complex128).real,
        lambda x: np.stack([x, np.ones(2, int)], dtype=np.float32, casting="same_kind"),
        lambda x: np.einsum("i,i->i", x, x, dtype=np.float32, casting="same_kind"),
        lambda x: np.einsum("i,i->i", x, np.ones(2, int), dtype=np.float64),
    ],
)
def test_what_numpy_follows_is_followed(f: Any) -> None:
    value, _ = ad.jvp(f, (X,), (X,))
    assert value.dtype == f(X).dtype
    np.testing.assert_array_equal(value, f(X))


def test_a_traced_number_says_what_to_write_for_an_index() -> None:
    with pytest.raises(TypeError) as caught:
        ad.grad(lambda x: x[None])(1.0)
    assert "np.expand_dims(x, 0)" in "".join(caught.value.__notes__)
    assert ad.grad(lambda x: np.sum(np.expand_dims(x, 0) * np.reshape(x, (1,))))(3.0) == 6.0

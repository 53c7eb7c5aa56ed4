"""What an index does not read, or a write replaces, contributes nothing: not even 0·∞."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

AT = np.array([0.0, 4.0])
MATRIX = np.diag([1.0, 4.0])


def overwritten(x: Any) -> Any:
    y = np.sqrt(x)
    y[0] = 0
    return np.sum(y)


def overwritten_where_zero(x: Any) -> Any:
    y = np.log(x)
    y[np.array([True, False])] = x[0] * 3
    return np.sum(y)


def put(x: Any) -> Any:
    y = np.sqrt(x)
    np.put(y, [0], 0.0)
    return np.sum(y)


def copied_to(x: Any) -> Any:
    y = np.sqrt(x)
    np.copyto(y, 0.0, where=np.array([True, False]))
    return np.sum(y)


def read_in_a_loop(x: Any) -> Any:
    y = np.sqrt(x)
    total = 0.0
    for i in range(1, 2):
        total = total + y[i] * y[i] + y[i]
    return total


LEFT_OUT: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "read": (lambda x: np.sqrt(x)[1], [0, 0.25]),
    "slice": (lambda x: np.sum(np.sqrt(x)[1:]), [0, 0.25]),
    "square of a read": (lambda x: np.sqrt(x)[1] ** 2, [0, 1]),
    "loop": (read_in_a_loop, [0, 1.25]),
    "write": (overwritten, [0, 0.25]),
    "masked write": (overwritten_where_zero, [3, 0.25]),
    "put": (put, [0, 0.25]),
    "copyto": (copied_to, [0, 0.25]),
    "take": (lambda x: np.take(np.sqrt(x), 1), [0, 0.25]),
    "compress": (lambda x: np.sum(np.compress([False, True], np.sqrt(x))), [0, 0.25]),
    "split": (lambda x: np.sum(np.split(np.sqrt(x), 2)[1]), [0, 0.25]),
    "sort": (lambda x: np.sort(np.sqrt(x))[1], [0, 0.25]),
    "stack": (lambda x: np.stack([np.sqrt(x), x])[0, 1], [0, 0.25]),
    "roll": (lambda x: np.roll(np.sqrt(x), 1)[0], [0, 0.25]),
    "several steps": (lambda x: (x * np.sqrt(x) + 1 / x)[1], [0, 3 - 0.0625]),
    "checkpoint": (lambda x: ad.checkpoint(np.sqrt)(x)[1], [0, 0.25]),
    "cond": (lambda x: ad.cond(True, np.sqrt, np.sin, x)[1], [0, 0.25]),
    "scan": (lambda x: ad.scan(lambda c, e: (c, np.sqrt(e)), 0.0, x)[1][1], [0, 0.25]),
    "x log x": (lambda x: np.sum((x * np.log(x))[1:]), [0, np.log(4) + 1]),
}

DIAGONALS: dict[str, Callable[[Any], Any]] = {
    "trace": lambda a: np.trace(np.sqrt(a)),
    "diag": lambda a: np.sum(np.diag(np.sqrt(a))),
    "einsum": lambda a: np.einsum("ii", np.sqrt(a)),
    "fancy": lambda a: np.sum(np.sqrt(a)[np.arange(2), np.arange(2)]),
}


def assert_all_agree(f: Callable[[Any], Any], x: Any, expected: Any) -> None:
    ways: dict[str, Callable[[Any], Any]] = {
        "forward": ad.jacobian(f, mode="forward"),
        "reverse": ad.jacobian(f, mode="reverse"),
        "grad": ad.grad(f),
        "vmap": lambda x: ad.vmap(ad.grad(f))(x[None])[0],
        "compile": ad.compile(ad.grad(f)),
    }
    with np.errstate(all="ignore"):
        for name, way in ways.items():
            np.testing.assert_allclose(way(x), expected, 1e-13, 1e-14, err_msg=name)
        second = ad.jacobian(ad.jacobian(f, mode="forward"), mode="forward")(x)
        assert np.all(np.isfinite(second))
        for inner in ("forward", "reverse"):
            for outer in ("forward", "reverse"):
                found = ad.jacobian(ad.jacobian(f, mode=inner), mode=outer)(x)
                np.testing.assert_allclose(found, second, 1e-13, 1e-14, err_msg=outer + inner)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_contributes_nothing(name: str) -> None:
    f, expected = LEFT_OUT[name]
    assert_all_agree(f, AT, expected)


@pytest.mark.parametrize("name", DIAGONALS)
def test_what_is_beside_the_diagonal_contributes_nothing(name: str) -> None:
    assert_all_agree(DIAGONALS[name], MATRIX, np.diag([0.5, 0.25]))


def test_what_is_read_keeps_its_infinite_derivative() -> None:
    with np.errstate(all="ignore"):
        assert ad.grad(lambda x: np.sqrt(x)[0])(AT).tolist() == [np.inf, 0.0]
        # 0·∞ of an element that was read has no value: d(√x)² is 1 for x > 0, and 0 would be wrong.
        for square in (lambda x: np.sqrt(x)[0] ** 2, lambda x: np.sum(np.sqrt(x)[:1] ** 2)):
            assert np.isnan(ad.grad(square)(AT)[0])
        layer = ad.checkpoint(np.sqrt)
        assert np.isnan(ad.grad(lambda x: np.sum(layer(x)[:1] ** 2))(AT)[0])
        np.testing.assert_array_equal(ad.grad(lambda x: layer(x)[1])(AT), [0.0, 0.25])


def test_a_loop_over_elements_with_masks_costs_no_more() -> None:
    def f(x: Any) -> Any:
        y = np.sqrt(x)
        return sum(y[i] for i in range(1, len(y)))

    x = np.arange(3000.0)
    with np.errstate(all="ignore"):
        found = ad.grad(f)(x)
    np.testing.assert_allclose(found[1:], 0.5 / np.sqrt(x[1:]), 1e-13)
    assert found[0] == 0


def random_program(seed: int) -> Callable[[Any], Any]:
    """Reads and writes at random places among functions that are singular at 0."""
    rng = np.random.default_rng(seed)
    steps = [
        (
            int(rng.integers(0, 9)), int(rng.integers(0, 4)), int(rng.integers(0, 4)),
            slice(int(rng.integers(0, 2)), int(rng.integers(2, 5))), rng.integers(0, 4, 3),
            rng.random(4) > 0.5,
        )
        for _ in range(rng.integers(2, 7))
    ]  # fmt: skip

    def f(x: Any) -> Any:
        y, z = x * 1.0, x + 0.0
        for kind, i, j, part, places, mask in steps:
            if kind == 0:
                y = np.sqrt(y)
            elif kind == 1:
                y[i] = z[j]
            elif kind == 2:
                y[part] = z[part] * y[part]
            elif kind == 3:
                y = np.where(mask, y, np.abs(z) + 0.5)
            elif kind == 4:
                y = y[np.concatenate([places, [i]])]
            elif kind == 5:
                z = np.log(z)
            elif kind == 6:
                y[mask] = 2.0
            elif kind == 7:
                z = np.roll(z, i) ** 1.5
            else:
                z[places] = np.abs(y[places])
        return y[1] * 2 + np.sum(y[2:])

    return f


@pytest.mark.parametrize("block", range(4))
def test_reverse_is_finite_wherever_forward_is(block: int) -> None:
    x = np.array([0.0, 1.3, 0.0, 2.1])
    with np.errstate(all="ignore"):
        for seed in range(20 * block, 20 * block + 20):
            f = random_program(seed)
            first = ad.jacobian(f, mode="forward")(x)
            known = np.isfinite(first)
            for way in (ad.grad(f), ad.jacobian(f, mode="reverse")):
                np.testing.assert_allclose(way(x)[known], first[known], 1e-13, err_msg=str(seed))
            second = ad.jacobian(ad.jacobian(f, mode="forward"), mode="forward")(x)
            known = np.isfinite(second)
            for way in (ad.hessian(f), ad.jacobian(ad.grad(f), mode="reverse")):
                np.testing.assert_allclose(way(x)[known], second[known], 1e-13, err_msg=str(seed))


def test_compiled_masks_are_guards() -> None:
    def f(x: Any) -> Any:
        y = np.sqrt(x)
        y[x == 0] = 0
        return np.sum(y) + np.sum(x[np.nonzero(x)])

    with np.errstate(all="ignore"):
        gradient = ad.compile(ad.grad(f))
        for x in (AT, AT[::-1], AT + 1, AT):
            np.testing.assert_allclose(gradient(x), ad.grad(f)(x), 1e-14)

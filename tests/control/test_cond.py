"""cond against Python's if, and against where under vmap."""

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from tests.control.agreement import assert_agree, assert_batches, assert_close, assert_left_out


def root_or_cube(x: Any, c: Any) -> Any:
    return ad.cond(x > 0, lambda x: np.sqrt(x) * c, lambda x: x**3 + c, x)


def python_root_or_cube(x: Any, c: Any) -> Any:
    return np.sqrt(x) * c if x > 0 else x**3 + c


@pytest.mark.parametrize("x", [4.0, -3.0])
def test_a_branch_is_pythons(x: float) -> None:
    assert_agree(root_or_cube, python_root_or_cube, x, 2.0)


def test_examples_take_different_branches() -> None:
    assert_batches(
        root_or_cube, python_root_or_cube, np.array([4.0, -3.0, 9.0]), np.array([2.0, 3.0, -1.0])
    )


def test_the_branch_not_taken_puts_nothing_into_a_derivative() -> None:
    x = np.array([4.0, 0.0])
    assert_close(ad.vmap(ad.grad(root_or_cube), in_axes=(0, None))(x, 2.0), [0.5, 0.0])
    found = ad.grad(lambda x: np.sum(ad.vmap(lambda t: root_or_cube(t, 2.0))(x)))(x)
    assert_close(found, [0.5, 0.0])


def test_only_the_branch_taken_is_evaluated() -> None:
    ran = []

    @ad.custom_derivative
    def left(x: Any) -> Any:
        ran.append("left")
        return x * 2.0

    left.defjvp(lambda primals, tangents: (primals[0] * 2.0, tangents[0] * 2.0))

    def f(x: Any) -> Any:
        return ad.cond(x > 0, left, lambda x: x * 3.0, x)

    assert f(-1.0) == -3.0
    traced = len(ran)
    assert f(-1.0) == -3.0 and len(ran) == 2 * traced, "a branch is traced, whatever is taken"
    assert f(1.0) == 2.0 and len(ran) == 3 * traced + 1


def test_a_plain_predicate_and_no_operands() -> None:
    def f(x: Any) -> Any:
        return ad.cond(True, lambda: x * 2.0, lambda: 0.0)

    assert f(3.0) == 6.0 and ad.grad(f)(3.0) == 2.0
    assert ad.cond(False, lambda a: a, lambda a: a + 1, 1.0) == 2.0


def test_numbers_take_on_the_type_of_the_other_branch() -> None:
    x = np.float32(3.0)
    found = ad.cond(x > 5, lambda x: x, lambda x: 0, x)
    assert found.dtype == np.float32 and found == 0.0


def test_containers_and_a_shared_predicate_under_vmap() -> None:
    def f(x: Any, up: bool) -> Any:
        return ad.cond(
            up,
            lambda d: {"y": d["x"] * 2.0, "n": 1},
            lambda d: {"y": d["x"] ** 2, "n": 2},
            {"x": x},
        )

    x = np.array([1.0, 2.0, 3.0])
    for up in (True, False):
        found = ad.vmap(lambda t, up=up: f(t, up))(x)
        assert_close(found["y"], x * 2.0 if up else x**2)
        assert found["n"].tolist() == [1 if up else 2] * 3


def test_inside_scan_a_branch_follows_the_carry() -> None:
    def f(x: Any) -> Any:
        step = lambda c, _: (ad.cond(c > 1.0, lambda c: c / x, lambda c: c * 3.0, c), c)  # noqa: E731
        last, seen = ad.scan(step, x, length=6)
        return last + np.sum(seen**2)

    def g(x: Any) -> Any:
        c, total = x, 0.0
        for _ in range(6):
            total = total + c**2
            c = c / x if c > 1.0 else c * 3.0
        return c + total

    assert_agree(f, g, 1.4)
    assert_batches(f, g, np.array([1.4, 0.7, 2.2]))


def test_where_leaves_out_what_a_branch_has_no_derivative_of() -> None:
    assert_left_out(lambda x: ad.cond(True, np.sqrt, np.negative, x))

"""Loops in loops, in derivatives, in batches; decisions that cannot be taken; exceptions."""

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    AbstractValueError,
    ArgumentError,
    ArgumentValueError,
    DtypeError,
    EscapedTracerError,
    ShapeMismatchError,
    StructureError,
)
from tests.control.agreement import assert_agree, assert_batches, assert_close


def nested(x: Any) -> Any:
    def step(c: Any, t: Any) -> Any:
        c = ad.while_loop(lambda s: s < 10.0, lambda s: s * 1.5 + x * t, c)
        c = ad.cond(c > 11.0, lambda c: c / 4.0, lambda c: np.sin(c) * x, c)
        return c, c * t

    last, ys = ad.scan(step, x, np.array([1.0, 2.0, 0.5]))
    return last + np.sum(ys**2)


def python_nested(x: Any) -> Any:
    c, total = x, 0.0
    for t in (1.0, 2.0, 0.5):
        while c < 10.0:
            c = c * 1.5 + x * t
        c = c / 4.0 if c > 11.0 else np.sin(c) * x
        total = total + (c * t) ** 2
    return c + total


def test_while_and_cond_in_scan() -> None:
    assert_agree(nested, python_nested, 2.3)


def test_scan_in_vmap_in_grad() -> None:
    x = np.array([0.5, 1.0, 2.3])
    assert_batches(nested, python_nested, x)
    found = ad.grad(lambda x: np.sum(ad.vmap(nested)(x)))(x)
    assert_close(found, [ad.grad(python_nested)(t) for t in x])


def test_grad_of_scan_of_grad_of_scan() -> None:
    def inner(c: Any, x: Any) -> Any:
        return ad.scan(lambda s, _: (np.sin(s) * x, None), c, length=3)[0]

    def f(c: Any) -> Any:
        step = lambda s, x: (s + ad.grad(inner)(s, x), None)  # noqa: E731
        return ad.scan(step, c, np.arange(1.0, 4.0))[0]

    def python_inner(c: Any, x: Any) -> Any:
        for _ in range(3):
            c = np.sin(c) * x
        return c

    def g(c: Any) -> Any:
        for x in (1.0, 2.0, 3.0):
            c = c + ad.grad(python_inner)(c, x)
        return c

    assert_agree(f, g, 0.7)


def test_vmap_and_jacobian_inside_a_body() -> None:
    def f(x: Any) -> Any:
        def step(c: Any, t: Any) -> Any:
            rows = ad.vmap(lambda a: np.sin(a * c))(np.array([1.0, 2.0]))
            slope = ad.jacobian(lambda c: c * c * t)(c)
            return np.sum(rows, axis=0) + slope @ x, None

        return np.sum(ad.scan(step, x, np.array([0.3, 0.4]))[0])

    def g(x: Any) -> Any:
        c = x
        for t in (0.3, 0.4):
            c = np.sin(c) + np.sin(2.0 * c) + 2.0 * c * t * x
        return np.sum(c)

    assert_agree(f, g, np.array([0.2, -0.5]))


def test_checkpoint_inside_scan() -> None:
    def f(x: Any) -> Any:
        layer = ad.checkpoint(lambda c: np.sin(np.exp(c)) * x)
        return ad.scan(lambda c, _: (layer(c), None), x, length=2)[0]

    def g(x: Any) -> Any:
        return np.sin(np.exp(np.sin(np.exp(x)) * x)) * x

    assert_agree(f, g, 0.4)


def test_bodies_may_write_to_their_arguments() -> None:
    def write(c: Any, t: Any) -> Any:
        c[0] = c[1] * t
        c += 0.1 * c[0]
        return c

    def scanned(x: Any) -> Any:
        last, ys = ad.scan(lambda c, t: (write(c, t), c[0]), x, np.array([1.0, 2.0]))
        return np.sum(last) + np.sum(ys)

    def looped(x: Any) -> Any:
        c, total = x.copy(), 0.0
        for t in (1.0, 2.0):
            c = write(c, t)
            total = total + c[0]
        return np.sum(c) + total

    x = np.array([0.5, 1.0])
    assert_agree(scanned, looped, x)
    once = lambda x: np.sum(write(x.copy(), 3.0))  # noqa: E731
    assert_agree(lambda x: np.sum(ad.checkpoint(write)(x, 3.0)), once, x)
    assert_agree(lambda x: np.sum(ad.cond(True, write, lambda c, t: c, x, 3.0)), once, x)
    stop = lambda c: np.sum(c) < 5.0  # noqa: E731
    assert_agree(
        lambda x: np.sum(ad.while_loop(stop, lambda c: write(c, 3.0), x)),
        lambda x: np.sum(write(write(x.copy(), 3.0), 3.0)),
        x,
    )
    custom = ad.custom_derivative(
        lambda x: write(x, 3.0), jvp=lambda p, t: (write(p[0], 3.0), write(t[0], 3.0))
    )
    assert_agree(lambda x: np.sum(custom(x) * x), lambda x: np.sum(write(x.copy(), 3.0) * x), x)
    assert_close(x, [0.5, 1.0])


def test_perturbations_are_not_confused() -> None:
    def f(x: Any) -> Any:
        slope = ad.grad(lambda y: ad.scan(lambda c, _: (c + x + y, None), 0.0, length=1)[0])(x)
        return x * slope

    assert ad.grad(f)(3.0) == 1.0


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: ad.scan(lambda c, x: (c, c) if c > 0 else (c, x), 1.0, np.ones(2)), "scan traces"),
        (lambda: ad.scan(lambda c, x: (c, np.zeros(3)[int(x)]), 1.0, np.arange(2)), "scan traces"),
        (lambda: ad.while_loop(lambda c: c < 3, lambda c: c + bool(c), 1), "while_loop traces"),
        (lambda: ad.while_loop(lambda c: c < 3 and c > 0, lambda c: c, 1), "while_loop traces"),
        (lambda: ad.cond(True, lambda x: x if x > 0 else -x, lambda x: x, 1.0), "cond traces"),
        (lambda: ad.vmap(lambda x: ad.scan(lambda c, _: (c * (x > 0 or 2), None), x, length=1)[0])(
            np.ones(2)), "vmap computes"),
    ],
)  # fmt: skip
def test_a_decision_on_a_value_that_is_mapped_over_is_an_error(call: Any, reason: str) -> None:
    with pytest.raises(AbstractValueError, match=reason) as caught:
        call()
    assert "ad.cond" in str(caught.value) and "test_nesting.py" in str(caught.value)


class Boom(Exception):
    pass


def boom(*_: Any) -> Any:
    raise Boom


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ad.scan(boom, x, length=2)[0],
        lambda x: ad.while_loop(lambda c: c < 9, boom, x),
        lambda x: ad.while_loop(boom, lambda c: c * 2, x),
        lambda x: ad.cond(x > 0, lambda x: x, boom, x),
    ],
)
def test_an_exception_in_a_body_leaves_nothing_broken(call: Any) -> None:
    with pytest.raises(Boom):
        ad.grad(call)(1.0)
    with pytest.raises(Boom):
        ad.vmap(call)(np.ones(2))
    assert_agree(nested, python_nested, 2.3)


def test_a_value_that_escapes_a_body_is_named() -> None:
    kept = []
    ad.scan(lambda c, x: (kept.append(c) or c, None), 1.0, length=1)
    with pytest.raises(EscapedTracerError, match=r"scan\(f, init, xs\) has returned"):
        kept[0] + 1.0


IDENTITY = lambda c, x: (c, x)  # noqa: E731


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ad.scan(3, 1.0, length=1), ArgumentError, "scan.* needs a function; got 3"),
        (lambda: ad.scan(IDENTITY, 1.0), ArgumentError, "needs xs or a length; got neither"),
        (lambda: ad.scan(IDENTITY, 1.0, length=-1), ArgumentError, "whole number; got -1"),
        (lambda: ad.scan(IDENTITY, 1.0, length=True), ArgumentError, "whole number; got True"),
        (lambda: ad.scan(IDENTITY, 1.0, [1, 2]), ShapeMismatchError, r"but xs\[0\] is i64"),
        (
            lambda: ad.scan(IDENTITY, 1.0, (np.ones(2), np.ones(3))),
            ShapeMismatchError,
            r"makes 2 steps, but xs\[1\] is f64\[3\]",
        ),
        (
            lambda: ad.scan(IDENTITY, 1.0, np.ones(2), length=3),
            ShapeMismatchError,
            r"makes 3 steps, but xs is f64\[2\]",
        ),
        (lambda: ad.scan(IDENTITY, "a", length=2), ArgumentError, "needs init to be a number"),
        (
            lambda: ad.scan(IDENTITY, 1.0, length=2, checkpoint_every=0),
            ArgumentValueError,
            "checkpoint_every to be at least 1; got 0",
        ),
        (
            lambda: ad.scan(IDENTITY, 1.0, length=2, checkpoint_every=1.5),
            ArgumentError,
            "checkpoint_every to be an integer; got 1.5",
        ),
        (lambda: ad.scan(lambda c, x: c, 1.0, length=2), ArgumentError, r"return \(carry, y\)"),
        (lambda: ad.scan(lambda c, x: ({"a": c}, x), 1.0, length=2), StructureError, "nested like"),
        (
            lambda: ad.scan(lambda c, x: ({"W": np.append(c["W"], 1.0)}, x),
                            {"W": np.ones(3)}, length=2),
            ShapeMismatchError,
            r"init\['W'\] is f64\[3\] going in and f64\[4\] coming out",
        ),
        (
            lambda: ad.scan(lambda c, x: (c * 1j, x), np.ones(2), length=2),
            DtypeError,
            r"init is f64\[2\] going in and c128\[2\] coming out",
        ),
        (
            lambda: ad.scan(lambda c, x: (c * np.float64(2), x), np.ones(2, np.float32), length=2),
            DtypeError,
            r"init is f32\[2\] going in and f64\[2\] coming out",
        ),
        (
            lambda: ad.while_loop(lambda c: c > 0, lambda c: np.stack([c, c]), 1.0),
            ShapeMismatchError,
            r"body to return the types it is given; init is f64 going in and f64\[2\]",
        ),
        (lambda: ad.while_loop(lambda c: c, lambda c: c, 1.0), ArgumentError, "one boolean; got"),
        (lambda: ad.while_loop(1, lambda c: c, 1.0), ArgumentError, "needs a function; got 1"),
        (lambda: ad.cond(np.ones(2) > 0, abs, abs, 1.0), ArgumentError, r"got bool\[2\]"),
        (lambda: ad.cond([True], abs, abs, 1.0), ArgumentError, "one boolean; got list"),
        (lambda: ad.cond(True, abs, 3, 1.0), ArgumentError, "needs a function; got 3"),
        (
            lambda: ad.cond(True, lambda x: x, lambda x: (x,), 1.0),
            StructureError,
            "both functions to return results nested alike",
        ),
        (
            lambda: ad.cond(True, lambda x: {"y": x}, lambda x: {"y": np.stack([x, x])}, 1.0),
            ShapeMismatchError,
            r"at \['y'\], true_fun returns f64 and false_fun f64\[2\]",
        ),
        (lambda: ad.checkpoint(2), ArgumentError, "needs a function; got 2"),
        (lambda: ad.stop_gradient("a"), ArgumentError, "needs x to be a number"),
    ],
)  # fmt: skip
def test_messages_name_what_was_needed_and_what_was_got(
    call: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        call()

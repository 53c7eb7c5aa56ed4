"""What is wrong is named: by the public call, with what it needs and what it got."""

import json
import math
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    AbstractValueError,
    AdjointError,
    ArgumentError,
    EscapedTracerError,
    StructureError,
    TracedConversionError,
)

X = np.array([1.0, 2.0])


def f(x: Any) -> Any:
    return np.sum(x * x)


WRONG: dict[str, tuple[Any, str]] = {
    "no function": (lambda: ad.grad(None), r"grad\(f\) needs a function; got None"),  # type: ignore[arg-type]
    "text": (lambda: ad.grad(f)("a"), "needs argument 0 to be a number.*got 'a'"),
    "a set": (lambda: ad.grad(f)({1.0}), "got set"),
    "dates": (lambda: ad.grad(f)(np.array(["2020-01-01"], "M8[D]")), "got datetime64"),
    "masked": (lambda: ad.grad(f)(np.ma.array([1.0])), "got a MaskedArray"),
    "not scalar": (lambda: ad.grad(lambda x: x)(X), r"one real number; it returned f64\[2\]"),
    "nothing returned": (lambda: ad.grad(lambda x: None)(X), "it returned None"),
    "argnums": (lambda: ad.grad(f, 3)(X), "argument 3, but it was called with 1"),
    "name": (lambda: ad.partial(lambda a, b: a, "c")(1.0, 2.0), "f has a, b"),
    "mode": (lambda: ad.jacobian(f, mode="back"), "forward, reverse; got 'back'"),  # type: ignore[arg-type]
    "tangent shape": (lambda: ad.jvp(f, (X,), (np.ones(3),)), r"f64\[2\]; got f64\[3\]"),
    "tangent text": (lambda: ad.jvp(f, (X,), ("a",)), "tangent 0 to be a number.*got 'a'"),
    "complex tangent": (lambda: ad.jvp(f, (X,), (X * 1j,)), r"got c128\[2\]"),
    "cotangent": (lambda: ad.vjp(f, X)[1](X), r"type f64; got f64\[2\]"),
    "no cotangent": (lambda: ad.vjp(f, X)[1](None), "nested like the result"),
    "batch sizes": (lambda: ad.vmap(lambda a, b: a)(X, np.ones(3)), "one batch size"),
    "holomorphic": (lambda: ad.jacobian(np.conj)(np.array([1 + 1j])), "holomorphic"),
    "math": (lambda: ad.grad(math.sin)(1.0), "needs a plain number; it got a traced f64"),
    "no rule": (lambda: ad.grad(lambda x: np.packbits(x))(X), "packbits has no rule"),
    "shapes": (lambda: ad.grad(lambda x: np.sum(x + np.ones(3)))(X), r"f64\[2\], f64\[3\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_message_names_what_is_wrong(name: str) -> None:
    call, message = WRONG[name]
    with pytest.raises(AdjointError, match=message):
        call()


ABSTRACT: dict[str, Any] = {
    "branch": lambda a: a if a > 0 else -a,
    "index of a list": lambda a: [1.0, 2.0][int(a)],
    "count": lambda a: sum(range(int(a))),
    "while": lambda a: next(a for _ in iter(lambda: a < 1, True)),
    "conversion": lambda a: float(a),
    "mask": lambda a: np.ones(2)[np.stack([a, a]) > 0],
}


@pytest.mark.parametrize("name", ABSTRACT)
def test_a_decision_on_what_is_mapped_over_is_an_error_that_says_why(name: str) -> None:
    g = ABSTRACT[name]
    for run in (
        lambda: ad.vmap(g)(X),
        lambda: ad.vmap(ad.jacobian(g))(X),
        lambda: ad.scan(lambda c, x: (c, g(x)), 0.0, X),
    ):
        with pytest.raises((AbstractValueError, TracedConversionError)):
            run()


def test_an_index_into_a_plain_array_says_what_to_write() -> None:
    table = np.arange(3.0)
    with pytest.raises(IndexError) as caught:
        ad.vmap(lambda i: table[i])(np.array([0, 2]))
    assert "np.asarray(table, like=i)[i]" in "".join(caught.value.__notes__)
    np.testing.assert_array_equal(
        ad.vmap(lambda i: np.asarray(table, like=i)[i])(np.array([0, 2])), [0.0, 2.0]
    )


def test_a_structure_is_not_a_wrong_leaf() -> None:
    with pytest.raises(StructureError, match="nested like"):
        ad.jvp(f, (X,), ([X],))
    with pytest.raises(ArgumentError, match="got object"):
        ad.vjp(f, X)[1](object())


def test_values_that_escape_are_found_in_every_way_of_use() -> None:
    kept: list[Any] = []

    def leaky(x: Any) -> Any:
        kept.append(x * 2)
        return np.sum(x)

    for transform in (ad.grad, ad.vmap, ad.jacobian, lambda g: ad.jacobian(g, mode="forward")):
        kept.clear()
        transform(leaky)(X)
        for use in (lambda v: v + 1, np.sum, lambda v: np.ones(2) * v, lambda v: ad.grad(f)(v)):
            with pytest.raises((EscapedTracerError, TracedConversionError)):
                use(kept[0])


def test_what_python_refuses_stays_python() -> None:
    with pytest.raises(TypeError, match="JSON"):
        ad.grad(lambda x: json.dumps(x))(1.0)
    with pytest.raises(TypeError, match="unhashable"):
        ad.grad(lambda x: {x: 1})(1.0)

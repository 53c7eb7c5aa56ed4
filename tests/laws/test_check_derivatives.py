"""The check that is shipped: it passes what is right, and names the rule that is wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentError, ArgumentValueError, DerivativeCheckError
from adjoint.graph import registry
from adjoint.graph.primitive import Primitive
from adjoint.primitives.scalar import Elementwise


@dataclass
class Layer:
    weights: Any
    bias: Any


def loss(x: Any) -> Any:
    return np.sum(np.exp(np.tanh(x)) * x[::-1] + np.concatenate([x[1:], x[:1]]) ** 2)


def test_right_functions_pass_at_any_order() -> None:
    x = np.array([0.3, 0.4])
    report = ad.check_derivatives(loss, x, order=3)
    assert report.worst < 1e-9
    assert {c.order for c in report.comparisons} == {1, 2, 3}
    assert "complex step" in str(report) and "D²f[u, v]" in str(report)


def test_containers_several_arguments_and_complex_numbers() -> None:
    layer = Layer(np.ones((2, 3)) / 3, np.zeros(2))

    def forward(layer: Layer, inputs: dict[str, Any]) -> Any:
        return {"y": np.tanh(layer.weights @ inputs["x"] + layer.bias), "n": 3}

    ad.check_derivatives(forward, (layer, {"x": np.arange(3.0)}))
    ad.check_derivatives(lambda z: np.abs(z) ** 2 * np.exp(1j * z), 1 + 2j)
    ad.check_derivatives(lambda x: np.sin(x) * x, np.float32(1.0))
    ad.check_derivatives(lambda x: np.sin(x) * x, 1)


def test_a_kink_is_noted_and_not_an_error() -> None:
    report = ad.check_derivatives(lambda x: np.maximum(x, 0.0), 0.0)
    assert "lies on a kink" in str(report)
    assert not ad.check_derivatives(lambda x: np.maximum(x, 0.0), 0.5).notes


def planted_partial(name: str, partial: Any) -> Any:
    def plant(patch: pytest.MonkeyPatch) -> None:
        row = registry.PRIMITIVES[name]
        assert isinstance(row, Elementwise)
        patch.setattr(row, "partials", (partial, *row.partials[1:]))

    return plant


def planted_rule(name: str, rule: str, change: Any) -> Any:
    def plant(patch: pytest.MonkeyPatch) -> None:
        primitive: Primitive = registry.PRIMITIVES[name]
        right = getattr(primitive, rule)
        patch.setattr(primitive, rule, lambda *args, **kwargs: change(right(*args, **kwargs)))

    return plant


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        (planted_partial("tanh", lambda x, y: 1 - y), "the forward rule of tanh"),
        (planted_partial("exp", lambda x, y: np.nan * y), "the forward rule of exp"),
        (planted_partial("square", 0), "the (forward|transposed) rule of square"),
        (planted_rule("getitem", "transpose", lambda c: 2 * c), "the transposed rule of getitem"),
        (planted_rule("concatenate", "transpose", np.negative), "transposed rule of concatenate"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line(
    plant: Any, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(DerivativeCheckError, match=named) as caught:
        ad.check_derivatives(lambda x: loss(x), np.array([0.3, 0.4]))
    message = str(caught.value)
    assert "is off by" in message
    assert "test_check_derivatives.py" in message and "return np.sum(np.exp(np.tanh" in message


def test_a_rule_wrong_in_second_order_only_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Right numbers whose own derivative is lost: the classical silent zero.
    planted_partial("tanh", lambda x, y: 1 - ad.stop_gradient(y) ** 2)(monkeypatch)
    ad.check_derivatives(loss, np.array([0.3, 0.4]), order=1)
    with pytest.raises(DerivativeCheckError, match="order 2"):
        ad.check_derivatives(loss, np.array([0.3, 0.4]), order=2)


def test_a_function_that_changes_is_not_blamed_on_a_rule() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DerivativeCheckError, match="each step of f is right on its own"):
        ad.check_derivatives(lambda x: x * rng.uniform(1.0, 2.0), 1.0)


def test_bad_input() -> None:
    with pytest.raises(ArgumentError, match=r"check_derivatives\(f, x\) needs a function; got 3"):
        ad.check_derivatives(3, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"integer order; got 1\.5"):
        ad.check_derivatives(np.sin, 1.0, order=1.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="at least 1; got 0"):
        ad.check_derivatives(np.sin, 1.0, order=0)
    with pytest.raises(ArgumentError, match="to contain a number; got list"):
        ad.check_derivatives(np.sin, [])
    with pytest.raises(ArgumentValueError, match="x to be finite"):
        ad.check_derivatives(np.sin, np.inf)

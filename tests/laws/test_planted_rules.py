"""The laws can fail: a wrong rule planted in each family is caught by the law that is about it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tests.laws.sample_programs  # noqa: F401  (fills SAMPLES)
from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.primitives.scalar import Elementwise
from adjoint.testing import laws
from adjoint.testing.laws import Case

Plant = Callable[[pytest.MonkeyPatch], None]


def case_of(name: str) -> Case:
    primitive = registry.PRIMITIVES[name]
    if isinstance(primitive, Elementwise):
        return laws.elementwise_case(primitive, np.random.default_rng(0))
    family = {"getitem": "indexing", "setitem": "writing", "einsum": "contraction",
              "concatenate": "joining", "where": "selection", "conjugate": "complex",
              "det": "determinant", "inv": "inverse", "cumprod": "cumulative",
              "fft": "fourier", "scan": "scan"}[name]  # fmt: skip
    return laws.harvest([family])[name][0]


def partial(name: str, position: int, wrong: Any) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        row = registry.PRIMITIVES[name]
        assert isinstance(row, Elementwise)
        rules = list(row.partials)
        rules[position] = wrong
        patch.setattr(row, "partials", tuple(rules))

    return plant


def changed(name: str, rule: str, change: Callable[[Any], Any]) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        primitive = registry.PRIMITIVES[name]
        right = getattr(primitive, rule)
        patch.setattr(primitive, rule, lambda *args, **kwargs: change(right(*args, **kwargs)))

    return plant


def doubled(value: Any) -> Any:
    return 2.0 * value


def detached(value: Any) -> Any:
    """The number without its derivative: the silent zero one order higher."""
    import adjoint as ad

    return ad.stop_gradient(value)


def narrower(type_: Any) -> Any:
    return ArrayType(type_.shape, np.dtype(np.float32))


@pytest.mark.parametrize(
    ("name", "plant", "law"),
    [
        ("tanh", partial("tanh", 0, lambda x, y: 1 - y), laws.assert_derivative),
        ("sin", partial("sin", 0, 0), laws.assert_derivative),
        ("arctan2", partial("arctan2", 1, lambda a, b, y: a / (a * a + b * b)),
         laws.assert_derivative),
        ("log", partial("log", 0, lambda x, y: np.nan * x), laws.assert_derivative),
        ("tan", partial("tan", 0, lambda x, y: detached(1 + y * y)), laws.assert_second_order),
        ("exp", changed("exp", "infer", narrower), laws.assert_infer),
        ("exp", changed("exp", "batch", doubled), laws.assert_batch),
        ("getitem", changed("getitem", "transpose", doubled), laws.assert_derivative),
        ("setitem", changed("setitem", "transpose", doubled), laws.assert_derivative),
        ("einsum", changed("einsum", "transpose", doubled), laws.assert_derivative),
        ("einsum", changed("einsum", "batch", doubled), laws.assert_batch),
        ("concatenate", changed("concatenate", "transpose", np.negative), laws.assert_derivative),
        ("where", changed("where", "transpose", doubled), laws.assert_derivative),
        ("conjugate", changed("conjugate", "transpose", np.conj), laws.assert_derivative),
        ("fft", changed("fft", "transpose", doubled), laws.assert_derivative),
        ("det", changed("det", "jvp", doubled), laws.assert_derivative),
        ("inv", changed("inv", "jvp", detached), laws.assert_second_order),
        ("inv", changed("inv", "batch", doubled), laws.assert_batch),
        ("cumprod", changed("cumprod", "jvp", doubled), laws.assert_derivative),
    ],
)  # fmt: skip
def test_a_planted_rule_is_caught(
    name: str, plant: Plant, law: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(name)
    law(case)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        law(case)


def test_a_wrong_value_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # A row whose pattern recogniser answers with another function.
    row = registry.PRIMITIVES["sqrt"]
    monkeypatch.setattr(row, "recognise", lambda x: np.cbrt(x) if hasattr(x, "node") else None)
    with pytest.raises(AssertionError):
        laws.assert_value(case_of("sqrt"))

"""The type check of graphs sees a primitive that makes something other than it says."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import InternalError
from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.typecheck import checking


def worked(x: Any) -> Any:
    a = x**2
    return np.sum(np.sqrt(a + np.exp(a)) + np.cos(a + np.exp(a)) * x[::-1])


def test_right_rules_pass() -> None:
    with checking():
        ad.hessian(worked)(np.array([0.5, 1.1]))
        ad.vmap(ad.grad(worked))(np.array([[0.5, 1.1], [0.1, 0.2]]))


@pytest.mark.parametrize(
    "planted", [ArrayType((), np.dtype("float64")), ArrayType((2,), np.dtype("float32"))]
)
def test_a_wrong_type_is_found_and_named(
    planted: ArrayType, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp = registry.PRIMITIVES["exp"]
    monkeypatch.setattr(exp, "infer", lambda *types, **params: planted)
    with checking(), pytest.raises(InternalError) as caught:
        ad.grad(worked)(np.array([0.5, 1.1]))
    message = str(caught.value)
    assert f"after tracing, exp of f64[2] should give {planted}; it gave f64[2]." in message
    assert "test_typecheck.py" in message and "defect in adjoint" in message


def test_a_wrong_rule_is_found_where_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    cos = registry.PRIMITIVES["cos"]
    right = cos.infer

    def wrong(*types: ArrayType, **params: Any) -> ArrayType:
        return right(*types, **params)._replace(shape=(7,))

    monkeypatch.setattr(cos, "infer", wrong)
    with checking(), pytest.raises(InternalError, match=r"after reverse mode, cos of f64\[2\]"):
        ad.hessian(lambda x: np.sum(np.sin(x)))(np.array([0.5, 1.1]))


def test_checking_is_off_by_default_and_on_by_the_environment() -> None:
    script = "from adjoint.graph import typecheck; print(typecheck._checking)"
    for value, expected in (("", "False"), ("0", "False"), ("1", "True")):
        environment = {**os.environ, "ADJOINT_CHECK": value}
        run = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True
        )
        assert run.stdout.strip() == expected, run.stderr

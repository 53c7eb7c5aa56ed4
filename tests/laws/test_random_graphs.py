"""The laws on random graphs: forward, reverse, second order, batches and nesting agree."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint.graph import registry
from adjoint.graph.typecheck import checking
from adjoint.testing.differences import extrapolated_difference
from adjoint.testing.random_graphs import SHAPE, STEPS, Program, programs

POINT = np.array([[0.3, -0.8, 0.5], [-0.4, 0.9, 0.2]])

quick = settings(max_examples=60, suppress_health_check=list(HealthCheck))

# Programs that failed once.
FAILED: list[tuple[tuple[str, int, int], ...]] = [
    (("sin", 0, 0), ("einsum", 0, 1)),  # one ulp from np.einsum, which adds in another order
]


def assert_close(got: Any, expected: Any, tolerance: float = 1e-10) -> None:
    scale = 1.0 + np.max(np.abs(expected))
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


def directions(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=SHAPE), rng.normal(size=SHAPE)


def assert_first_order(program: Program, seed: int) -> None:
    u, w = directions(seed)
    value, dot = ad.jvp(program, (POINT,), (u,))
    assert_close(value, program(POINT), 1e-14)
    back = ad.vjp(program, POINT)[1](w)[0]
    assert_close(np.sum(back * u), np.sum(w * dot))
    assert_close(ad.linearize(program, POINT)[1](u), dot)
    witness = extrapolated_difference(lambda t: program(POINT + t * u))
    if witness.error < 1e-8:
        assert_close(dot, witness.value, 1e-6)


def assert_second_order(program: Program, seed: int) -> None:
    u, v = directions(seed)

    def along(x: Any, d: Any) -> Any:
        return ad.jvp(program.loss, (x,), (d,))[1]

    one = ad.jvp(lambda x: along(x, u), (POINT,), (v,))[1]
    other = ad.jvp(lambda x: along(x, v), (POINT,), (u,))[1]
    assert_close(one, other)
    assert_close(np.sum(ad.hvp(program.loss, POINT, u) * v), one)
    assert_close(np.sum(ad.grad(lambda x: along(x, u))(POINT) * v), one)
    reverse_twice = ad.grad(lambda x: np.sum(ad.grad(program.loss)(x) * u))(POINT)
    assert_close(np.sum(reverse_twice * v), one)


def assert_batches(program: Program, seed: int) -> None:
    u, v = directions(seed)
    examples = np.stack([POINT, POINT + 0.1 * u, POINT - 0.1 * v])
    for f in (program, ad.grad(program.loss)):
        assert_close(ad.vmap(f)(examples), np.stack([f(x) for x in examples]))


@quick
@given(programs(), st.integers(0, 100))
def test_first_order(program: Program, seed: int) -> None:
    assert_first_order(program, seed)


@quick
@given(programs(5), st.integers(0, 100))
def test_second_order(program: Program, seed: int) -> None:
    assert_second_order(program, seed)


@quick
@given(programs(5), st.integers(0, 100))
def test_batches(program: Program, seed: int) -> None:
    assert_batches(program, seed)


@quick
@given(programs(4), st.integers(0, 100))
def test_jacobians_agree_and_nest(program: Program, seed: int) -> None:
    forward = ad.jacobian(program, mode="forward")(POINT)
    assert_close(ad.jacobian(program, mode="reverse")(POINT), forward)
    u, _ = directions(seed)
    nested = ad.grad(lambda t: np.sum(ad.jacobian(program)(POINT + t * u)))(0.0)
    witness = extrapolated_difference(lambda t: np.sum(ad.jacobian(program)(POINT + t * u)))
    if witness.error < 1e-8:
        assert_close(nested, witness.value, 1e-6)


@settings(quick, max_examples=25)
@given(programs(6))
def test_graphs_of_derivatives_have_the_types_they_say(program: Program) -> None:
    with checking():
        ad.vmap(ad.grad(program.loss))(POINT[None])
        ad.hvp(program.loss, POINT, POINT)


@pytest.mark.parametrize("name", STEPS)
def test_each_step_alone(name: str) -> None:
    program = Program((("sin", 0, 0), (name, 0, 1)))
    for law in (assert_first_order, assert_second_order, assert_batches):
        law(program, 1)


def test_programs_that_failed_once() -> None:
    for steps in FAILED:
        for law in (assert_first_order, assert_second_order, assert_batches):
            law(Program(steps), 1)


@pytest.mark.parametrize(
    ("primitive", "rule"), [("setitem", "transpose"), ("getitem", "batch"), ("einsum", "transpose")]
)
def test_a_wrong_rule_is_caught(primitive: str, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(registry.PRIMITIVES[primitive], rule)
    wrong = lambda *args, **kwargs: 1.01 * right(*args, **kwargs)  # noqa: E731
    monkeypatch.setattr(registry.PRIMITIVES[primitive], rule, wrong)
    program = Program((("write rows", 0, 0), ("matrix product", 0, 1)))
    with pytest.raises(AssertionError):
        for law in (assert_first_order, assert_second_order, assert_batches):
            law(program, 1)

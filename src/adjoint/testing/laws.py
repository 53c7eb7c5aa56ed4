"""Laws that every primitive has to obey, whatever it computes.

They need a case: operands and parameters at which the primitive is smooth.  A scalar function's
case is drawn from the domain in its row.  The cases of all others are harvested: the programs in
`SAMPLES` are traced together with their derivatives, and every application of a primitive met on
the way is one.  To bring a new primitive under the laws, add a program that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adjoint.calculus.products import Traced, jvp, vjp
from adjoint.calculus.vectorize import vmap
from adjoint.graph.arraytype import ArrayType, type_of
from adjoint.graph.containers import flatten
from adjoint.graph.ir import Node, reachable
from adjoint.graph.primitive import Primitive
from adjoint.primitives.scalar import Elementwise
from adjoint.testing.localise import close, compare_rule, direction

Program = Callable[..., Any]

SYMMETRIC: dict[str, tuple[int, ...]] = {
    "cholesky": (0,),
    "eigh": (0,),
    "solve_continuous_are": (2, 3),
    "solve_discrete_are": (2, 3),
    "spectral_function": (0,),
}
"""Operands of which one triangle is read, or that have to be symmetric: they vary among symmetric
matrices."""

SAMPLES: dict[str, tuple[Program, tuple[Any, ...]]] = {}
"""Programs by name, each with the arguments at which it is smooth."""


@dataclass(frozen=True)
class Case:
    """One application of a primitive; `active` are the operands that can vary."""

    primitive: Primitive
    operands: tuple[Any, ...]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> list[int]:
        return [i for i, o in enumerate(self.operands) if np.result_type(o).kind in "fc"]

    @property
    def points(self) -> list[Any]:
        return [np.asarray(self.operands[i])[()] for i in self.active]

    def __call__(self, *values: Any) -> Any:
        operands = list(self.operands)
        for i, value in zip(self.active, values, strict=True):
            symmetric = i in SYMMETRIC.get(self.primitive.name, ())
            operands[i] = _symmetric(value) if symmetric else value
        return self.primitive(*operands, **self.params)

    @property
    def coarse(self) -> bool:
        """Whether single precision, in which differences have few digits, takes part."""
        kinds = {"f2", "f4", "c8"}
        given = [np.result_type(o).str[1:] for o in self.operands]
        return not kinds.isdisjoint([*given, np.dtype(self.params.get("dtype", float)).str[1:]])

    def __repr__(self) -> str:
        types = ", ".join(str(type_of(o)) for o in self.operands)
        return f"{self.primitive.name}({types}) {dict(self.params) or ''}"


def _symmetric(matrix: Any) -> Any:
    return (matrix + np.conj(np.swapaxes(matrix, -1, -2))) / 2


def sample(name: str, program: Program, *args: Any) -> None:
    """Adds a program whose primitives come under the laws.

    >>> import numpy as np
    >>> sample("a doctest", lambda x: np.sum(np.sin(x)), np.ones(2))
    >>> sorted(harvest(["a doctest"]))
    ['cos', 'einsum', 'multiply', 'sin']
    >>> del SAMPLES["a doctest"]
    """
    SAMPLES[name] = (program, args)


def harvest(names: Iterable[str] | None = None, limit: int = 6) -> dict[str, list[Case]]:
    """The cases by primitive name, at most ``limit`` different ones each."""
    found: dict[str, dict[str, Case]] = {}
    for name in SAMPLES if names is None else names:
        program, args = SAMPLES[name]
        for variant in (program, _tangent(program), _gradient(program)):
            for node in _traced_nodes(variant, args):
                _collect(node, found, limit)
    return {name: list(cases.values()) for name, cases in found.items()}


def _traced_nodes(program: Program, args: tuple[Any, ...]) -> list[Node]:
    with np.errstate(all="ignore"):
        traced = Traced(program, args, "harvest(SAMPLES)")
    traced.scope.close()
    return reachable(traced.outputs.nodes, traced.scope)


def _collect(node: Node, found: dict[str, dict[str, Case]], limit: int) -> None:
    if not node.inputs or node.primitive.name in ("variable", "projection"):
        return
    values = tuple(n.value for n in node.inputs)
    if node.value is None or any(v is None or isinstance(v, tuple) for v in values):
        return
    cases = found.setdefault(node.primitive.name, {})
    case = Case(node.primitive, values, node.params)
    if len(cases) < limit:
        cases.setdefault(repr(case)[:300], case)


def _tangent(program: Program) -> Program:
    def along(*args: Any) -> Any:
        rng = np.random.default_rng(5)
        return jvp(program, args, tuple(_directions(args, rng)))[1]

    return along


def _gradient(program: Program) -> Program:
    def pulled(*args: Any) -> Any:
        value, pull = vjp(program, *args)
        rng = np.random.default_rng(6)
        leaves, structure = flatten(value)
        weights = [_like(leaf, rng) for leaf in leaves]
        return pull(weights[0] if structure is None else structure.unflatten(weights))

    return pulled


def _directions(args: tuple[Any, ...], rng: np.random.Generator) -> list[Any]:
    found = []
    for arg in args:
        leaves, structure = flatten(arg)
        drawn = [_like(leaf, rng) for leaf in leaves]
        found.append(drawn[0] if structure is None else structure.unflatten(drawn))
    return found


def _like(leaf: Any, rng: np.random.Generator) -> Any:
    shape, dtype = np.shape(leaf), leaf.dtype if hasattr(leaf, "dtype") else np.result_type(leaf)
    return direction(np.zeros(shape, dtype), rng)


def elementwise_case(
    primitive: Elementwise, rng: np.random.Generator, shape: tuple[int, ...] = (3,)
) -> Case:
    """A case of a scalar function, drawn from the domain in its row."""
    drawn = [low + (high - low) * rng.uniform(0.02, 0.98, shape) for low, high in primitive.domain]
    for i, values in enumerate(drawn):
        if not _takes_floats(primitive.ufunc, i):
            drawn[i] = np.abs(np.round(values)).astype(np.int64)
    return Case(primitive, tuple(drawn))


def _takes_floats(ufunc: Any, position: int) -> bool:
    return not isinstance(ufunc, np.ufunc) or any(
        loop.split("->")[0][position] in "fd" for loop in ufunc.types
    )


# -- the laws -------------------------------------------------------------------------------------


def assert_infer(case: Case) -> None:
    """The inferred type is that of the value."""
    types = tuple(type_of(o) for o in case.operands)
    with np.errstate(all="ignore"):
        value = case.primitive.evaluate(*case.operands, **case.params)
    inferred = case.primitive.infer(*types, **case.params)
    several = isinstance(inferred, ArrayType)
    pairs = zip([inferred] if several else inferred, [value] if several else value, strict=True)
    for expected, got in pairs:
        actual = type_of(got)
        assert tuple(expected.shape) == actual.shape and expected.dtype == actual.dtype, (
            f"{case}: infer says {expected}, the value is {actual}"
        )


def assert_value(case: Case) -> None:
    """Tracing does not change a value."""
    with np.errstate(all="ignore"):
        expected = flatten(case(*case.points))[0]
        got = flatten(jvp(case, case.points, [np.zeros_like(p) for p in case.points])[0])[0]
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=repr(case))


def assert_derivative(case: Case, tolerance: float = 1e-6) -> None:
    """Forward rule = differences, and ⟨ȳ, J ẋ⟩ = ⟨Jᵀ ȳ, ẋ⟩."""
    if not case.active:
        return
    rng = np.random.default_rng(7)
    for kind, got, expected, trust in compare_rule(case, case.points, rng):
        allowed = (1e-9 if kind == "transposed" else tolerance) + min(trust, 1e-3)
        allowed = 2e-2 if case.coarse else allowed
        assert close(got, expected, allowed), f"{case}: {kind} rule gives {got}, not {expected}"


def assert_second_order(case: Case, tolerance: float = 1e-5) -> None:
    """The derivative of the forward rule obeys the first-order laws too."""
    if not case.active:
        return
    rng = np.random.default_rng(8)
    directions = [direction(p, rng) for p in case.points]

    def along(*values: Any) -> Any:
        return jvp(case, values, directions)[1]

    for kind, got, expected, trust in compare_rule(along, case.points, rng):
        allowed = (1e-8 if kind == "transposed" else tolerance) + min(trust, 1e-3)
        allowed = 2e-2 if case.coarse else allowed
        assert close(got, expected, allowed), (
            f"{case}: the {kind} rule of its derivative gives {got}, not {expected}"
        )


def assert_batch(case: Case, tolerance: float = 1e-11) -> None:
    """A batch of examples = a loop over them, with every operand batched and with each alone."""
    if not case.active:
        return
    rng = np.random.default_rng(9)
    count = len(case.points)
    choices = [(0,) * count] + [tuple(0 if i == j else None for i in range(count)) for j in
                                range(count) if count > 1]  # fmt: skip
    for axes in choices:
        stacked = [
            p if a is None else np.stack([p, p * (1 - 2.0**-10), p * (1 - rng.uniform(0, 2.0**-9))])
            for p, a in zip(case.points, axes, strict=True)
        ]
        stacked = [s.astype(p.dtype) for s, p in zip(stacked, case.points, strict=True)]
        got = flatten(vmap(case, axes)(*stacked))[0]
        for k in range(3):
            each = [s if a is None else s[k] for s, a in zip(stacked, axes, strict=True)]
            for a, b in zip(got, flatten(case(*each))[0], strict=True):
                np.testing.assert_allclose(
                    a[k], b, rtol=tolerance, atol=tolerance, err_msg=f"{case}, in_axes={axes}"
                )


LAWS: tuple[Callable[[Case], None], ...] = (
    assert_infer,
    assert_value,
    assert_derivative,
    assert_second_order,
    assert_batch,
)

__all__ = ["LAWS", "SAMPLES", "Case", "elementwise_case", "harvest", "sample", *(
    law.__name__ for law in LAWS)]  # fmt: skip

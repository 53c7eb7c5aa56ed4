"""Which rule is wrong: every node of a traced graph checked on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from adjoint.calculus.products import Traced, jvp, vjp
from adjoint.errors import AdjointError
from adjoint.graph.binding import LITERAL, PROJECTION, VARIABLE
from adjoint.graph.containers import flatten, tree_map
from adjoint.graph.ir import Node, reachable
from adjoint.graph.sites import describe_site
from adjoint.testing.differences import extrapolated_difference, kink


class Fault(NamedTuple):
    """A rule whose numbers are not those of differences."""

    rule: str
    types: str
    site: str
    got: float
    expected: float

    @property
    def off_by(self) -> float:
        return abs(self.got - self.expected)


def faulty_rules(f: Callable[..., Any], primals: Sequence[Any], tolerance: float) -> list[Fault]:
    """The nodes of f, traced at a point, whose forward or transposed rule is wrong; worst first."""
    traced = Traced(f, primals, "check_derivatives(f, x)")
    traced.scope.close()
    rng = np.random.default_rng(3)
    found: list[Fault] = []
    for node in reachable(traced.outputs.nodes, traced.scope):
        found += _faults(node, rng, tolerance)
    return sorted(found, key=lambda fault: -fault.off_by)


def _faults(node: Node, rng: np.random.Generator, tolerance: float) -> list[Fault]:
    primitive = node.primitive
    if primitive in (LITERAL, VARIABLE, PROJECTION) or primitive.flat or node.value is None:
        return []
    places = [i for i, n in enumerate(node.inputs) if _floating(n)]
    points = [np.asarray(node.inputs[i].value)[()] for i in places]
    if not points or not all(np.all(np.isfinite(p)) for p in points):
        return []

    def apply(*values: Any) -> Any:
        operands = [n.value for n in node.inputs]
        for i, value in zip(places, values, strict=True):
            operands[i] = value
        return primitive(*operands, **node.params)

    types = ", ".join(str(n.type) for n in node.inputs)
    site = describe_site(node.site)
    try:
        numbers = compare_rule(apply, points, rng)
    except AdjointError as error:
        return [Fault(f"{primitive.name} ({error.headline})", types, site, np.nan, 0.0)]
    return [
        Fault(f"the {kind} rule of {primitive.name}", types, site, got, expected)
        for kind, got, expected, trust in numbers
        if not close(got, expected, tolerance + trust)
    ]


def _floating(node: Node) -> bool:
    return not node.primitive.multiple_results and node.type.dtype.kind in "fc"


def compare_rule(
    apply: Callable[..., Any], points: Sequence[Any], rng: np.random.Generator
) -> list[tuple[str, float, float, float]]:
    """For the forward and the transposed rule: what it gave, what it should be, and how far the
    latter is trusted.  Both are numbers ⟨w, J v⟩ for random v and w."""
    directions = [direction(p, rng) for p in points]
    value, dot = jvp(apply, tuple(points), tuple(directions))
    weights = [direction(v, rng) for v in flatten(value)[0]]
    along = _pair(weights, flatten(dot)[0])

    def moved(t: float) -> float:
        with np.errstate(all="ignore"):
            at = [p + (t * v).astype(p.dtype) for p, v in zip(points, directions, strict=True)]
            return _pair(weights, flatten(apply(*at))[0])

    difference = extrapolated_difference(moved)
    slopes = kink(moved)
    if slopes is not None and slopes[0] <= along <= slopes[1]:
        expected, trust = along, 0.0  # any value between the slopes is a convention
    else:
        expected, trust = float(difference.value), difference.error
    structure = flatten(value)[1]
    seeds = [np.conj(w) for w in weights]  # the pairing of vjp is Re Σ conj(c)·t
    cotangent = seeds[0] if structure is None else structure.unflatten(seeds)
    pull = vjp(apply, *points)[1]

    def pulled(scale: Any) -> Any:
        found = pull(tree_map(lambda c: scale * c, cotangent))
        return sum(np.real(np.sum(c.conj() * v)) for c, v in zip(found, directions, strict=True))

    # With a traced cotangent the rule itself is taken, and not what may be faster on plain arrays.
    back, traced_back = float(pulled(1.0)), float(jvp(pulled, (1.0,), (1.0,))[1])
    return [
        ("forward", along, expected, trust),
        ("transposed", back, along, 0.0),
        ("transposed", traced_back, along, 0.0),
    ]


def direction(point: Any, rng: np.random.Generator) -> Any:
    """A random direction like a point; zero for what cannot vary."""
    dtype = np.result_type(point)
    shape = np.shape(point)
    if dtype.kind not in "fc":
        return np.zeros(shape, dtype)[()]
    drawn = rng.uniform(0.5, 1.0, shape) * rng.choice([-1.0, 1.0], shape)
    if dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(-1.0, 1.0, shape)
    return np.asarray(drawn).astype(dtype)[()]


def _pair(weights: Sequence[Any], values: Sequence[Any]) -> float:
    """Re Σ w·v over all leaves."""
    return float(sum(np.real(np.sum(w * v)) for w, v in zip(weights, values, strict=True)))


def close(got: float, expected: float, tolerance: float) -> bool:
    """Whether two numbers agree; what is not finite never does."""
    if not (np.isfinite(got) and np.isfinite(expected)):
        return False
    return abs(got - expected) <= tolerance * max(1.0, abs(expected))


__all__ = ["Fault", "close", "compare_rule", "direction", "faulty_rules"]

"""Rules of functions whose derivative the user gives, in one direction or in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.errors import (
    AbstractValueError,
    AdjointError,
    MissingRuleError,
    TracedConversionError,
    UntraceableFunctionError,
)
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import variable
from adjoint.graph.primitive import Hole
from adjoint.graph.scope import Scope
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.body import apply, as_node
from adjoint.primitives.control.custom import CUSTOM, Rules, is_plain
from adjoint.transforms.control_rules.bodies import (
    Flags,
    batched_results,
    floating,
    known,
    type_of_operand,
)
from adjoint.transforms.reverse import pullback

_UNKNOWN = "a rule is transposed, and it has to be linear"


# -- forward --------------------------------------------------------------------------------------


def jvp(
    self: Any, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
) -> Any:
    """The user's jvp rule, or the transpose of the vjp rule's pullback."""
    rules: Rules = params["rules"]
    operands = known(primals)
    types = rules.types(tuple(map(type_of_operand, operands)))
    if rules.jvp is not None:
        return tuple(_traced_or_opaque(rules, "jvp", operands, _full(operands, tangents), types))
    _require_a_rule(rules)
    return _transposed_pull(rules, operands, tangents, types)


def _full(operands: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Tangents with zeros where there is none."""
    full = []
    for operand, tangent in zip(operands, tangents, strict=True):
        if tangent is None:
            type_ = type_of_operand(operand)
            tangent = zeros_for(type_ if floating(type_) else type_._replace(dtype=_FLOAT))
        full.append(tangent)
    return full


_FLOAT = np.dtype(np.float64)


def _transposed_pull(
    rules: Rules, operands: list[Any], tangents: Sequence[Any], types: tuple[ArrayType, ...]
) -> tuple[Any, ...]:
    smooth = [floating(t) for t in types]

    def pull(seeds: list[Any]) -> list[Any]:
        assert rules.pull is not None
        remaining = iter(seeds)
        cts = [next(remaining) if s else zeros_for(t._replace(dtype=_FLOAT)) for t, s in
               zip(types, smooth, strict=True)]  # fmt: skip
        return rules.pull(operands, cts)

    needed = [t for t, s in zip(types, smooth, strict=True) if s]
    try:
        found = iter(_transpose(pull, needed, tangents))
    except Exception as error:
        raise _not_transposable(rules, "vjp", "pullback", "forward mode", "jvp", error) from None
    return tuple(next(found) if s else None for s in smooth)


def _transpose(
    linear: Callable[[list[Any]], Sequence[Any]],
    types: Sequence[ArrayType],
    cotangents: Sequence[Any | None],
) -> list[Any]:
    """The transpose of a linear function of operands of these types, applied to cotangents."""
    with Scope("a user's rule", abstract=_UNKNOWN, internal=True) as scope:
        unknown = [variable(scope, None, t._replace(weak=False)) for t in types]
        targets = [u.node for u in unknown]
        results = linear(list(unknown))
        seeds = [
            (r.node, c)
            for r, c in zip(results, cotangents, strict=True)
            if c is not None and isinstance(r, Tracer)
        ]
        found = pullback(seeds, targets, scope)
        return [zeros_for(t) if f is None else f for f, t in zip(found, types, strict=True)]


def _not_transposable(
    rules: Rules, kind: str, part: str, mode: str, other: str, error: Exception
) -> Exception:
    if isinstance(error, AdjointError) and not isinstance(error, (*_OPAQUE, MissingRuleError)):
        return error
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if Hole.__name__ in reason:
        reason = "it is not linear."
    return MissingRuleError(
        f"{rules.name} has only a {kind} rule, and {mode} has to transpose its {part}, which does "
        f"not work: {reason}",
        where=here(),
        hint=f"write the {part} in NumPy functions, linear in its argument, or give a {other} rule "
        f"as well: f.def{other}(rule).",
    )


# -- rules that cannot be traced -------------------------------------------------------------------

_OPAQUE = (TracedConversionError, AbstractValueError, UntraceableFunctionError)


def _traced_or_opaque(
    rules: Rules, kind: str, operands: Sequence[Any], vectors: Sequence[Any],
    types: Sequence[ArrayType],
) -> Sequence[Any]:  # fmt: skip
    """A rule's result; where the rule is not plain NumPy, as a function without a derivative.

    It is then still called with plain arrays where there are some in the end, as under vmap.
    """
    rule = rules.jvp if kind == "jvp" else rules.pull
    assert rule is not None
    values = [*operands, *vectors]
    try:
        return rule(operands, vectors)
    except Exception as error:
        foreign = not isinstance(error, AdjointError) or isinstance(error, _OPAQUE)
        if is_plain(values) or not foreign:
            raise
    count = len(operands)

    def call(*values: Any) -> list[Any]:
        found = rule(values[:count], values[count:])
        return [zeros_for(t) if f is None else f for f, t in zip(found, types, strict=True)]

    opaque = Rules(f"the {kind} rule of {rules.name}", call, None, None)
    opaque.known[tuple(map(type_of_operand, values))] = tuple(types)
    return apply(CUSTOM, values, rules=opaque)


def _require_a_rule(rules: Rules) -> None:
    if rules.jvp is None and rules.pull is None:
        raise MissingRuleError(
            f"{rules.name} cannot be differentiated: it is not written in NumPy functions that "
            "can be traced.",
            where=here(),
            hint="write the rule in NumPy functions, or have it call another function with a "
            "custom derivative.",
        )


# -- reverse --------------------------------------------------------------------------------------


def pull_back(
    self: Any,
    primals: tuple[Any, ...],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    **params: Any,
) -> list[Any]:
    """The user's vjp rule, or the transpose of the jvp rule."""
    rules: Rules = params["rules"]
    operands = known(primals)
    if rules.pull is not None:
        types = rules.types(tuple(map(type_of_operand, operands)))
        full = [
            zeros_for(t if floating(t) else t._replace(dtype=_FLOAT)) if c is None else c
            for c, t in zip(cts, types, strict=True)
        ]
        smooth = [t if floating(t) else t._replace(dtype=_FLOAT) for t in
                  map(type_of_operand, operands)]  # fmt: skip
        terms = _traced_or_opaque(rules, "vjp", operands, full, smooth)
        return [t if w else None for t, w in zip(terms, wanted, strict=True)]
    _require_a_rule(rules)

    def push(unknown: list[Any]) -> list[Any]:
        assert rules.jvp is not None
        remaining = iter(unknown)
        dots = [next(remaining) if w else None for w in wanted]
        return rules.jvp(operands, _full(operands, dots))

    types = tuple(type_of_operand(o) for o, w in zip(operands, wanted, strict=True) if w)
    try:
        found = iter(_transpose(push, types, cts))
    except Exception as error:
        raise _not_transposable(rules, "jvp", "rule", "reverse mode", "vjp", error) from None
    return [next(found) if w else None for w in wanted]


# -- batches --------------------------------------------------------------------------------------


def batch(self: Any, operands: tuple[Any, ...], batched: Flags, size: int, **params: Any) -> Any:
    """The function and its rules for all examples."""
    rules: Rules = params["rules"]
    flags = list(batched)

    def call(*values: Any) -> list[Any]:
        found = _for_all(rules.call, values, flags, size)
        # Of plain operands it is a value, although compiling has recorded what it closes over.
        return [as_node(r).value for r in found] if is_plain(values) else found

    every = Rules(
        rules.name,
        call,
        None if rules.jvp is None else _batched_jvp(rules, flags, size),
        None if rules.pull is None else _batched_pull(rules, flags, size),
    )
    inner = [_example_type(type_of_operand(o), b) for o, b in zip(operands, flags, strict=True)]
    types = rules.types(tuple(inner))
    outer = tuple(ArrayType((size, *t.shape), t.dtype) for t in types)
    every.known[tuple(map(type_of_operand, operands))] = outer
    return tuple(apply(CUSTOM, operands, rules=every))


def _example_type(type_: ArrayType, batched: bool) -> ArrayType:
    return ArrayType(type_.shape[1:], type_.dtype) if batched else type_


def _for_all(
    function: Callable[..., list[Any]], values: Sequence[Any], flags: Sequence[bool], size: int
) -> list[Any]:
    """A function of one example for all: traced once and batched, or else called for each."""
    try:
        with np.errstate(all="ignore"):
            found, vary = batched_results(lambda inner: function(*inner), values, flags, size)
    except Exception:
        rows = [
            function(*(v[i] if f else v for v, f in zip(values, flags, strict=True)))
            for i in range(size)
        ]
        return [np.stack(column) for column in zip(*rows, strict=True)]
    return [
        r if v else np.broadcast_to(r, (size, *np.shape(r)))
        for r, v in zip(found, vary, strict=True)
    ]


def _batched_jvp(rules: Rules, flags: list[bool], size: int) -> Callable[..., list[Any]]:
    def every(operands: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        def one(*values: Any) -> list[Any]:
            assert rules.jvp is not None
            return rules.jvp(values[: len(operands)], values[len(operands) :])

        return _for_all(one, [*operands, *tangents], [*flags, *flags], size)

    return every


def _batched_pull(rules: Rules, flags: list[bool], size: int) -> Callable[..., list[Any]]:
    def every(operands: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        def one(*values: Any) -> list[Any]:
            assert rules.pull is not None
            terms = rules.pull(values[: len(operands)], values[len(operands) :])
            return [
                zeros_for(type_of_operand(v)) if t is None else t
                for t, v in zip(terms, values, strict=False)
            ]

        found = _for_all(one, [*operands, *cts], [*flags, *[True] * len(cts)], size)
        # What all examples share gets the cotangents of all of them.
        return [t if f else np.sum(t, axis=0) for t, f in zip(found, flags, strict=True)]

    return every

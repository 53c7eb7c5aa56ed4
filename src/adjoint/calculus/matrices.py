"""Derivatives as arrays: Jacobians, Hessians, and tensors of any order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from adjoint.calculus.gradients import ArgNums, outward_leaf, positions_of, select
from adjoint.errors import (
    ArgumentError,
    ArgumentValueError,
    NotHolomorphicError,
    UnknownNameError,
    nearest,
)
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import VARIABLE, as_tracer, constant, variable
from adjoint.graph.containers import unflatten
from adjoint.graph.frozen import frozen
from adjoint.graph.ir import NO_PARAMS, Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer, wrap
from adjoint.graph.tracing import Outputs, Variables, require_callable
from adjoint.primitives.contraction import LETTERS, contract
from adjoint.transforms.batching import batch, replay
from adjoint.transforms.forward import pushforward
from adjoint.transforms.reverse import pullback

Mode = Literal["auto", "forward", "reverse"]
_MODES = ("auto", "forward", "reverse")


def jacobian(
    f: Callable[..., Any],
    argnums: ArgNums = 0,
    mode: Mode = "auto",
    layout: Literal["row"] | None = None,
) -> Callable[..., Any]:
    """The Jacobian of f: all first derivatives, of shape ``f.shape + x.shape``.

    Parameters
    ----------
    f: a function of arrays or containers; its result may be a container too.
    argnums: the argument, or the tuple of arguments, to differentiate.
    mode: ``"forward"`` pushes one tangent per input, ``"reverse"`` pulls one cotangent per output;
        ``"auto"`` takes the smaller number.
    layout: ``"row"`` gives the (1, n) row of numerator layout for a scalar f of a vector.

    Returns
    -------
    A function of the same arguments.  J[i, j] = ∂fᵢ/∂xⱼ; for containers, the container of the
    result, and in each place the container of the argument.

    Notes
    -----
    All tangents (cotangents) go through the graph together as one batch, so the cost is one
    batched pass of size min(n, m).

    >>> import numpy as np, adjoint as ad
    >>> ad.jacobian(lambda x: np.array([x[0] * x[1], x[0] ** 2]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [4., 0.]])
    """
    require_callable(f, "jacobian(f)")
    if mode not in _MODES:
        raise UnknownNameError(
            f"jacobian(f) knows the modes {', '.join(_MODES)}; got {mode!r}.",
            hint=f"use mode={(nearest(str(mode), _MODES) or ['auto'])[0]!r}.",
        )
    if layout not in (None, "row"):
        raise UnknownNameError(f"jacobian(f) knows layout='row' and None; got {layout!r}.")
    positions = positions_of(argnums, "jacobian(f)")

    @functools.wraps(f, updated=())
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Any:
        chosen = select(args, positions, "jacobian(f)")
        with Scope("jacobian(f)") as scope:
            groups = [Variables(scope, args[i], "jacobian(f)", f"argument {i}") for i in chosen]
            called = list(args)
            for i, v in zip(chosen, groups, strict=True):
                called[i] = v.tree
            outputs = Outputs(f(*called, **kwargs), "jacobian(f)")
            with np.errstate(all="ignore"):
                blocks = [_blocks(outputs.nodes, v.nodes, scope, mode) for v in groups]
        results = []
        for v, block in zip(groups, blocks, strict=True):
            rows = [
                unflatten(
                    v.structure,
                    [_row(outward_leaf(b), x, layout) for b, x in zip(line, v.nodes, strict=True)],
                )
                for line in block
            ]
            results.append(outputs.tree(rows))
        return tuple(results) if isinstance(argnums, tuple | list) else results[0]

    return jacobian_of_f


def _row(value: Any, x: Node, layout: str | None) -> Any:
    """With ``layout="row"`` the derivative of a scalar with respect to a vector is a row."""
    scalar = np.ndim(value) == len(x.type.shape) <= 1
    return np.reshape(value, (1, -1)) if layout == "row" and scalar else value


def _blocks(outputs: list[Node], inputs: list[Node], scope: Scope, mode: Mode) -> list[list[Any]]:
    """∂output/∂input for every pair of leaves, as a list of rows."""
    n = sum(x.type.size for x in inputs)
    m = sum(y.type.size for y in outputs)
    complex_in = any(x.type.dtype.kind == "c" for x in inputs)
    complex_out = any(y.type.dtype.kind == "c" for y in outputs)
    if complex_out:
        blocks = _forward_blocks(outputs, inputs, scope)
        if complex_in:
            _require_holomorphic(blocks, _forward_blocks(outputs, inputs, scope, 1j))
        return blocks
    if complex_in:
        # The gradient's convention, steepest ascent, for each real output.
        return [[np.conj(b) for b in row] for row in _reverse_blocks(outputs, inputs, scope)]
    if mode == "forward" or (mode == "auto" and n <= m):
        return _forward_blocks(outputs, inputs, scope)
    return _reverse_blocks(outputs, inputs, scope)


def _require_holomorphic(along: list[list[Any]], across: list[list[Any]]) -> None:
    for row, other in zip(along, across, strict=True):
        for a, b in zip(row, other, strict=True):
            if isinstance(a, Tracer) or isinstance(b, Tracer):
                continue
            if not np.allclose(1j * a, b, rtol=1e-8, atol=1e-10, equal_nan=True):
                raise NotHolomorphicError(
                    "a complex Jacobian needs a holomorphic f; here the derivative along i·v is "
                    "not i times that along v.",
                    hint="differentiate the real and imaginary parts as real functions, or use "
                    "jvp(f, (z,), (v,)) for one direction.",
                )


def _unknown(name: str) -> Scope:
    return Scope(name, abstract="all columns of a Jacobian are computed together", internal=True)


def _basis(node: Node, unit: complex = 1.0) -> Any:
    type_ = node.type
    eye = np.eye(type_.size, dtype=type_.dtype)
    if unit != 1.0:
        eye = eye * unit
    # Compiled code may rely on its being an identity.
    return frozen(eye).reshape((type_.size, *type_.shape))


def _forward_blocks(
    outputs: list[Node], inputs: list[Node], scope: Scope, unit: complex = 1.0
) -> list[list[Any]]:
    columns = []
    for x in inputs:
        with _unknown("jacobian(f)") as inner:
            tangent = variable(inner, None, x.type)
            seed = {x: tangent}
            dots = pushforward(outputs, seed, scope)
            columns.append([
                _from_front(d, tangent.node, x, y, inner, unit)
                for d, y in zip(dots, outputs, strict=True)
            ])  # fmt: skip
    return [list(row) for row in zip(*columns, strict=True)]


def _from_front(dot: Any, tangent: Node, x: Node, y: Node, inner: Scope, unit: complex) -> Any:
    shape = y.type.shape + x.type.shape
    if dot is None or not isinstance(dot, Tracer) or not x.type.size:
        return _zeros(shape, np.result_type(y.type.dtype, x.type.dtype), x)
    if _symbolic(x) and unit == 1.0:
        first, rank = over_unit_arrays(dot.node, tangent, x, inner), len(x.type.shape)
        return np.moveaxis(first, tuple(range(rank)), tuple(range(-rank, 0)))
    (columns,) = batch([dot.node], {tangent: _basis(x, unit)}, x.type.size, inner)
    return np.reshape(np.moveaxis(columns, 0, -1), shape)


def _reverse_blocks(outputs: list[Node], inputs: list[Node], scope: Scope) -> list[list[Any]]:
    rows = []
    for y in outputs:
        with _unknown("jacobian(f)") as inner:
            floating = y.type.dtype.kind == "f"
            type_ = y.type._replace(weak=False) if floating else None
            if type_ is None:
                rows.append([np.zeros(y.type.shape + x.type.shape) for x in inputs])
                continue
            ct = variable(inner, None, type_)
            found = pullback([(y, ct)], inputs, scope)
            rows.append([
                _from_back(c, ct.node, x, y, inner) for c, x in zip(found, inputs, strict=True)
            ])  # fmt: skip
    return rows


def _from_back(found: Any, ct: Node, x: Node, y: Node, inner: Scope) -> Any:
    shape = y.type.shape + x.type.shape
    if found is None or not isinstance(found, Tracer) or not y.type.size:
        return _zeros(shape, x.type.dtype, x)
    if _symbolic(y):
        return over_unit_arrays(found.node, ct, y, inner)
    (rows,) = batch([found.node], {ct: _basis(y)}, y.type.size, inner)
    return np.reshape(rows, shape)


def _symbolic(like: Node) -> bool:
    """Whether unit arrays are symbols: where values are unknown or graphs are simplified."""
    symbolic = [s for s in like.scopes.recorders if s.symbolic]
    for scope in symbolic:
        scope.has_symbols = True
    return like.value is None or bool(symbolic)


def _zeros(shape: tuple[int, ...], dtype: Any, like: Node) -> Any:
    """Zeros; where values are unknown one zero that is broadcast, and no array."""
    if like.value is not None or not shape or len(shape) > len(LETTERS):
        return np.zeros(shape, dtype)
    names = LETTERS[: len(shape)]
    zero = _unknown_number(0, dtype, like)
    return contract(f"->{names}", zero, sizes=tuple(zip(names, shape, strict=True)))


def _unknown_number(number: int, dtype: Any, like: Node) -> Any:
    """A number that is not evaluated, so that what is made of it stays a formula."""
    value, type_ = constant(np.asarray(number, dtype)[()]), ArrayType((), np.dtype(dtype))
    return wrap(Node(VARIABLE, (value,), NO_PARAMS, None, like.scopes, None, type_))


def over_unit_arrays(result: Node, unknown: Node, like: Node, scope: Scope) -> Any:
    """A linear function of one unknown for every unit array of its shape, whose axes come first.

    One axis at a time, E_ij = e_i e_jᵀ, with symbolic deltas in place of identity matrices: where
    values are unknown nothing is multiplied out, and simplification removes the deltas.
    """
    shape, dtype = like.type.shape, like.type.dtype
    for axis, n in enumerate(shape):
        with _unknown("jacobian(f)") as inner:
            rest = variable(inner, None, ArrayType(shape[axis + 1 :], dtype))
            names = LETTERS[1 : len(shape) - axis]
            unit = contract(f"{names}->aa{names}", rest, sizes=(("a", n),))
            (found,) = batch([result], {unknown: unit}, n, scope)
            result, unknown, scope = as_tracer(found).node, rest.node, inner
    unit = _unknown_number(1, dtype, like)  # the deltas stay symbols
    found = replay([result], {unknown: unit}, scope)[0]
    return np.moveaxis(found, tuple(range(len(shape))), tuple(range(len(shape)))[::-1])


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The Hessian of f: all second derivatives, of shape ``f.shape + x.shape + x.shape``.

    For a scalar f of n variables the n×n symmetric matrix ∂²f/∂xᵢ∂xⱼ; for a vector function
    m×n×n.  Computed as the forward derivative of the gradient, n tangents in one batch: about
    n times the cost of the gradient, with the vectorisation of one call.

    >>> import numpy as np, adjoint as ad
    >>> ad.hessian(lambda x: x[0] * x[1] ** 2)(np.array([1.0, 2.0]))
    array([[0., 4.],
           [4., 2.]])
    """
    return jacobian(jacobian(f, argnums, "reverse"), argnums, "forward")


def derivative_tensor(f: Callable[..., Any], k: int, argnums: int = 0) -> Callable[..., Any]:
    """The k-th derivative of f as a tensor of shape ``f.shape + x.shape * k``.

    k = 0 is f itself, k = 1 the Jacobian, k = 2 the Hessian.  The tensor has n**k entries; for
    products with vectors use `directional` or `jvp`, which do not form it.

    >>> import numpy as np, adjoint as ad
    >>> float(ad.derivative_tensor(lambda x: x[0] ** 3, 3)(np.array([5.0]))[0, 0, 0])
    6.0
    """
    require_callable(f, "derivative_tensor(f, k)")
    if isinstance(k, bool) or not isinstance(k, int):
        raise ArgumentError(f"derivative_tensor(f, k) needs an integer order k; got {k!r}.")
    if k < 0:
        raise ArgumentValueError(f"derivative_tensor(f, k) needs k of at least 0; got {k}.")
    result = f
    for level in range(k):
        result = jacobian(result, argnums, "auto" if level == 0 else "forward")
    return result

"""Applying a primitive: evaluate it, and record a node if a traced value is involved."""

from __future__ import annotations

import operator
from typing import Any, ClassVar

import numpy as np

from adjoint.errors import DtypeError, ShapeMismatchError
from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType, describe, type_of
from adjoint.graph.ir import NO_PARAMS, Constant, Node
from adjoint.graph.primitive import Primitive, install_bind
from adjoint.graph.scope import NO_SCOPES, Scope, recorder
from adjoint.graph.sites import current_site, here
from adjoint.graph.tracer import TracedArray, TracedScalar, Tracer, check_alive, wrap

PYTHON_NUMBERS = frozenset((float, int, bool, complex))


class _Literal(Primitive):
    """A constant."""

    name = "constant"


class _Variable(Primitive):
    """An input of a traced function.  Its own input, if any, is what it stands for outside."""

    name = "variable"
    linear = (0,)

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return operands[0]

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        return types[0]

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return ct

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return operands[0]


class _Projection(Primitive):
    """One of the results of a primitive with several."""

    name = "projection"
    reasons: ClassVar[dict[str, str]] = {
        "transpose": "reverse mode gathers the results of its input by itself"
    }

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return operands[0][params["index"]]

    def infer(self, *types: Any, **params: Any) -> Any:
        return types[0][params["index"]]


LITERAL = registry.register(_Literal())
VARIABLE = registry.register(_Variable())
PROJECTION = registry.register(_Projection())


def bind(primitive: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Applies a primitive to operands of any kind.

    Without a traced operand this is NumPy.  With one, the value is computed at once if it is known,
    and a node records how.
    """
    inputs: list[Any] = []
    values: list[Any] = []
    scopes = NO_SCOPES
    traced = False
    concrete = True
    for operand in operands:
        if isinstance(operand, Tracer):
            traced = True
            node = operand._node if operand._view is None else operand.node
            own = node.scopes
            if own is not scopes:
                if own.dead:
                    check_alive(operand)
                scopes = own if scopes is NO_SCOPES else scopes.union(own)
            value = node.value
            if value is None:
                concrete = False
            values.append(value)
            inputs.append(node)
        else:
            values.append(operand)
            inputs.append(None)
    if not traced:
        return primitive.evaluate(*values, **params)
    if None in inputs:
        looking = recorder()
        if looking is not None:
            for i, value in enumerate(values):
                if inputs[i] is None and is_changeable(value):
                    inputs[i] = captured(value, looking)
                    scopes = scopes.union(looking.only)
    result = _evaluate(primitive, values, params) if concrete else None
    if scopes is NO_SCOPES:
        # Nothing here depends on a variable: the result is a constant that can be written to.
        return _constants(primitive, result)
    for i, node in enumerate(inputs):
        if node is None:
            inputs[i] = constant(values[i], scopes.snapshot)
    type_ = None if concrete else _infer(primitive, inputs, params)
    out = Node(primitive, tuple(inputs), params or NO_PARAMS, result, scopes, current_site(), type_)
    if primitive.multiple_results:
        return projections(out)
    return TracedArray(out) if out.type.shape else TracedScalar(out)


install_bind(bind)


def _evaluate(primitive: Primitive, values: list[Any], params: dict[str, Any]) -> Any:
    try:
        return primitive.evaluate(*values, **params)
    except ValueError as error:
        if type(error) is ValueError and "broadcast" in str(error):
            got = ", ".join(str(type_of(v)) for v in values)
            raise ShapeMismatchError(
                f"{primitive.name} needs shapes that broadcast; it got {got}.", where=here()
            ) from None
        error.add_note(f"  in {primitive.name} of {', '.join(describe(v) for v in values)}")
        raise


def _infer(primitive: Primitive, inputs: list[Node], params: dict[str, Any]) -> Any:
    try:
        return primitive.infer(*(n.result_type for n in inputs), **params)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        got = ", ".join(str(n.result_type) for n in inputs)
        raise ShapeMismatchError(
            f"{primitive.name} needs shapes that fit; it got {got} ({error}).", where=here()
        ) from None


def _constants(primitive: Primitive, result: Any) -> Any:
    if primitive.multiple_results:
        return tuple(wrap(constant(v, False)) for v in result)
    return wrap(constant(result, False))


def projections(node: Node) -> tuple[Tracer, ...]:
    """The results of a node with several, each as a traced value."""
    found = []
    for index, type_ in enumerate(node.types):
        value = None if node.value is None else node.value[index]
        out = Node(
            PROJECTION, (node,), {"index": index}, value, node.scopes, node.site,
            None if value is not None else type_,
        )  # fmt: skip
        found.append(wrap(out))
    return tuple(found)


def constant(value: Any, snapshot: bool = False) -> Node:
    """A node for a plain value.

    An array of the user's that can change is copied, because a derivative may read it after the
    user has written to it again (a buffer that is filled in a loop).  A view that is read-only may
    still change with what it is a view of.
    """
    source = value
    if type(value) is np.ndarray and snapshot and (value.flags.writeable or value.base is not None):
        value = value.copy()
    elif type(value) not in PYTHON_NUMBERS and not isinstance(value, np.generic | np.ndarray):
        value = np.asarray(value)
    node = Constant(LITERAL, (), NO_PARAMS, value, NO_SCOPES, None)
    node.source = source
    return node


def is_changeable(value: Any) -> bool:
    """Whether a plain operand is an array that its owner may write to between two calls."""
    return type(value) is np.ndarray and (value.ndim > 0 or value.flags.writeable)


def captured(value: Any, scope: Scope) -> Node:
    """A node for an array that a function closes over while its calls are recorded: an input like
    any other, so whatever rules compute from it is recorded too."""
    node = constant(value, True)
    node.scopes = scope.only
    return node


def lifted(value: Any) -> Any:
    """A plain array as an input of the scope that records calls, if there is one."""
    scope = recorder() if is_changeable(value) else None
    return value if scope is None else wrap(captured(value, scope))


def recorded(value: Any) -> Any:
    """Any plain operand as an input of the scope that records calls, if there is one."""
    scope = None if isinstance(value, Tracer) else recorder()
    return value if scope is None else wrap(captured(value, scope))


def variable(scope: Scope, outer: Any, type_: ArrayType | None = None) -> Tracer:
    """A fresh variable of a scope, standing for an outer operand or, abstractly, for a type."""
    if type_ is not None:
        node = Node(VARIABLE, (), NO_PARAMS, None, scope.only, None, type_)
    elif isinstance(outer, Tracer):
        parent = outer.node
        check_alive(outer)
        scopes = scope.only.union(parent.scopes)
        node = Node(VARIABLE, (parent,), NO_PARAMS, parent.value, scopes, None, parent._type)
    else:
        node = Node(VARIABLE, (), NO_PARAMS, outer, scope.only, None)
    return wrap(node)


def outward(node: Node) -> Any:
    """A node as an operand for what encloses the scopes that have closed: a plain value if nothing
    alive depends on it, else a traced value that no longer depends on closed scopes."""
    scopes = node.scopes
    if scopes.dead:
        scopes = scopes.live()
        if scopes is not NO_SCOPES:
            node = Node(VARIABLE, (node,), NO_PARAMS, node.value, scopes, node.site, node._type)
    if scopes is NO_SCOPES:
        return node.value
    return wrap(node)


def adopt(value: Any) -> Any:
    """Any array-like as an operand: traced values, numbers and arrays as they are; lists, and the
    arrays of traced numbers that ``np.array([u, v])`` makes, are stacked.

    >>> from adjoint.extend import adopt
    >>> adopt([1.0, 2.0])
    array([1., 2.])
    """
    if isinstance(value, Tracer) or type(value) in PYTHON_NUMBERS:
        return value
    if isinstance(value, np.ndarray):
        if type(value) is not np.ndarray:
            value = _plain_array(value)
        if not value.dtype.hasobject and value.dtype.kind in "fciub":
            return value
        if value.dtype.hasobject:
            return adopt(value[()]) if value.ndim == 0 else _stack([adopt(v) for v in value])
    if isinstance(value, list | tuple):
        parts = [adopt(v) for v in value]
        if any(isinstance(p, Tracer) for p in parts):
            return _stack(parts)
        value = np.asarray(value)
    elif not isinstance(value, np.generic):
        if value is None:
            raise DtypeError("an array is needed here; got None.", where=here())
        value = np.asarray(value)
    if value.dtype.kind not in "fciub":
        raise DtypeError(
            f"an array of numbers is needed; got {describe(value)} of dtype {value.dtype}.",
            where=here(),
        )
    return value


def _plain_array(value: Any) -> Any:
    """An array of a subclass as a plain one, unless its class gives arithmetic another meaning."""
    cls = type(value)
    if issubclass(cls, np.matrix | np.ma.MaskedArray) or any(
        getattr(cls, name) is not getattr(np.ndarray, name)
        for name in ("__array_ufunc__", "__array_function__", "__mul__", "__add__", "__pow__")
    ):
        raise DtypeError(
            f"a plain array is needed; got a {cls.__name__}, whose operators mean something else.",
            where=here(),
            hint="use np.asarray(x); for a masked array np.where(mask, 0.0, x.data).",
        )
    return np.asarray(value)


def _stack(parts: list[Any]) -> Any:
    if not any(isinstance(p, Tracer) for p in parts):
        return np.asarray(parts)
    return registry.FUNCTIONS[np.stack](parts)


def as_tracer(value: Any) -> Tracer:
    """An operand as a traced value (a constant, if it was plain)."""
    value = adopt(value)
    return value if isinstance(value, Tracer) else TracedArray(constant(np.asarray(value), True))


def value_or_raise(tracer: Any, what: str) -> Any:
    """The concrete value of an operand that a shape or an index is made from.

    >>> import adjoint as ad
    >>> from adjoint.extend import value_or_raise
    >>> float(ad.grad(lambda x: x ** int(value_or_raise(x, "an exponent")))(3.0))
    27.0
    """
    if not isinstance(tracer, Tracer):
        return tracer
    from adjoint.graph.tracer import decide

    return decide(tracer, lambda v: v, what)


def index_of(value: Any, what: str = "an index or a count") -> int:
    """An integer argument, traced or not."""
    return operator.index(value) if not isinstance(value, Tracer) else value.__index__()

"""What can be traced, found by trying: every function of the registry on a small sample.

Each function is called on traced values, and then differentiated forward and in reverse, expanded
to third order, batched, and translated for the native back end.  Nothing here is written by hand
but the samples of those functions whose arguments cannot be guessed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.codegen.program import Program
from adjoint.graph import registry
from adjoint.graph.binding import LITERAL, PROJECTION, VARIABLE
from adjoint.graph.ir import Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs, Variables
from adjoint.primitives.scalar import Elementwise
from adjoint.primitives.special import load_rows

Sample = Callable[[Any], Any]
"""The function as one of a single vector or matrix."""

YES, NO, ZERO, PARTLY, NONE = "yes", "no", "zero", "partly", "-"

_X = np.array([0.3, 0.8, 0.55])
_Y = np.array([0.7, 0.2, 0.4])
_M = np.array([[2.0, 0.3, 0.5], [0.3, 1.5, 0.2], [0.5, 0.2, 1.8]])


@dataclass(frozen=True)
class Entry:
    """One function, and what can be done with it: yes, no, partly, zero (the derivative is 0
    wherever it exists), or - (nothing to do).  ``parts`` are the primitives it is made of."""

    name: str
    kind: str
    parts: tuple[str, ...]
    forward: str
    reverse: str
    taylor: str
    batch: str
    native: str

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "parts": list(self.parts)}


def inventory(only: str | None = None) -> list[Entry]:
    """Every function that can be traced, by name; ``only`` restricts it to one.

    >>> [e.forward for e in inventory("np.tanh")]
    ['yes']
    """
    found = {name: value for name, value in _functions() if only in (None, name)}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_entry(name, *found[name]) for name in sorted(found, key=_sorting)]


def names() -> list[str]:
    """The name of every function that can be traced."""
    return sorted({name for name, _ in _functions()}, key=_sorting)


def _sorting(name: str) -> tuple[int, str]:
    return name.count("."), name


def _functions() -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
    """Name, function and handler of all that is registered, and its row if that is elsewhere."""
    for ufunc, handler in list(registry.UFUNCS.items()):
        module = "np" if getattr(np, ufunc.__name__, None) is ufunc else "scipy.special"
        yield f"{module}.{ufunc.__name__}", (ufunc, handler, None)
    for function, handler in registry.FUNCTIONS.items():
        name = _public_name(function)
        if name:
            yield name, (function, handler, None)
    yield from _special_functions()


def _special_functions() -> Iterator[tuple[str, tuple[Any, Any, Any]]]:
    for row in load_rows().values():
        if row.name.startswith("_"):
            continue
        ufunc = row.ufunc()
        handler = registry.find_ufunc(ufunc)
        if handler is not None:
            yield f"scipy.special.{row.name}", (ufunc, handler, row)


def _public_name(function: Any) -> str:
    """``np.linalg.norm``; nothing for what has no public name in NumPy."""
    module = (getattr(function, "__module__", "") or "").replace("numpy", "np", 1)
    if not module.startswith("np"):
        return ""
    return f"{module}.{function.__name__}"


# -- samples --------------------------------------------------------------------------------------


def _in_place(change: Callable[[Any, Any], Any]) -> Sample:
    def sample(x: Any) -> Any:
        copy = x.copy()
        change(copy, x)
        return copy

    return sample


_GIVEN: dict[str, Sample] = {
    "np.apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
    "np.apply_over_axes": lambda x: np.apply_over_axes(np.sum, np.reshape(x, (1, 3)), [0]),
    "np.array_split": lambda x: np.array_split(x, 2),
    "np.astype": lambda x: np.astype(2 * x, np.float32),
    "np.bincount": lambda x: np.bincount([0, 1, 1], x),
    "np.broadcast_to": lambda x: np.broadcast_to(x, (2, 3)),
    "np.choose": lambda x: np.choose([0, 1, 0], [x, 2 * x]),
    "np.compress": lambda x: np.compress([True, False, True], x),
    "np.copyto": _in_place(lambda c, x: np.copyto(c, 2 * x)),
    "np.einsum": lambda x: np.einsum("i,ij->j", x, _M),
    "np.extract": lambda x: np.extract([True, False, True], x),
    "np.fill_diagonal": lambda x: _filled(x),
    "np.full_like": lambda x: np.full_like(x, x[0]),
    "np.geomspace": lambda x: np.geomspace(x[0], x[1], 4),
    "np.histogram": lambda x: np.histogram([0.1, 0.2, 0.3], 2, weights=x)[0],
    "np.imag": lambda x: np.imag(x * 1j),
    "np.insert": lambda x: np.insert(x, 1, x[0]),
    "np.interp": lambda x: np.interp(x, [0.0, 0.5, 1.0], _Y),
    "np.ix_": lambda x: x[np.ix_([0, 2])],
    "np.lib.stride_tricks.sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(
        x, 2
    ),
    "np.linalg.multi_dot": lambda x: np.linalg.multi_dot([x, _M, x]),
    "np.linalg.tensorinv": lambda x: np.linalg.tensorinv(_M * x, ind=1),
    "np.logspace": lambda x: np.logspace(x[0], x[1], 4),
    "np.moveaxis": lambda x: np.moveaxis(np.reshape(x, (1, 3)), 0, 1),
    "np.pad": lambda x: np.pad(x, 1),
    "np.piecewise": lambda x: np.piecewise(x, [x < 0.5], [np.sin, np.cos]),
    "np.place": _in_place(lambda c, x: np.place(c, np.array([True, False, True]), 2 * x[:2])),
    "np.polyfit": lambda x: np.polyfit(np.arange(3.0), x, 1),
    "np.put": _in_place(lambda c, x: np.put(c, [0], 2 * x[:1])),
    "np.put_along_axis": _in_place(lambda c, x: np.put_along_axis(c, np.array([0]), 2 * x[:1], 0)),
    "np.putmask": _in_place(lambda c, x: np.putmask(c, np.array([True, False, True]), 2 * x)),
    "np.select": lambda x: np.select([x > 0.5], [2 * x], x),
    "np.split": lambda x: np.split(x, 3),
    "np.swapaxes": lambda x: np.swapaxes(np.reshape(x, (1, 3)), 0, 1),
    "np.rollaxis": lambda x: np.rollaxis(np.reshape(x, (1, 3)), 1),
    "np.take": lambda x: np.take(x, [0, 2]),
    "np.take_along_axis": lambda x: np.take_along_axis(x, np.array([0, 2]), 0),
    "np.where": lambda x: np.where(x > 0.5, x, 2 * x),
}  # fmt: skip


def _filled(x: Any) -> Any:
    matrix = _M * x
    np.fill_diagonal(matrix, x)
    return matrix


def _guesses(function: Any) -> Iterator[tuple[Sample, Any]]:
    """Calls that a function might take, the likeliest first."""
    row, column, volume = _X.reshape(1, 3), _X.reshape(3, 1), 6 * _X.reshape(1, 1, 3)
    yield lambda x: function(x), _X
    yield lambda x: function(x), _M
    yield lambda x: function(x, _Y), _X
    yield lambda x: function(x, _Y), _M
    yield lambda x: function([x, _Y]), _X
    yield lambda x: function(x, 1), _X
    yield lambda x: function(x, 0.5), _X
    yield lambda x: function(x, (3, 1)), _X
    yield lambda x: function(x, 0.1, 0.6), _X
    yield lambda x: function(x, 2.0, 3), _X[0]
    yield lambda x: function(x, 2), _M
    yield lambda x: function(x), _X[0]
    yield lambda x: function(x, _Y.reshape(1, 3)), row
    yield lambda x: function(x), volume
    yield lambda x: function(x, 0, 1), column
    yield lambda x: function(x, 1), volume


def _ufunc_sample(ufunc: np.ufunc, handler: Any, row: Any) -> tuple[Sample, Any]:
    """A ufunc as one of its first operand that can vary, all operands in their domain."""
    if ufunc.signature is not None:
        point = _M if ufunc.signature.startswith("(m") or ufunc is np.matmul else _X
        rest = (_Y,) if ufunc is not np.vecmat else (_M,)
        return (lambda x: ufunc(x, *rest)), point
    about = row if row is not None else handler
    partials = getattr(about, "partials", ()) or ()
    if not partials and getattr(about, "components", None):
        partials = about.components[0].partials
    domain = getattr(about, "domain", None) or ((0.2, 0.8), (0.4, 0.8))[: ufunc.nin]
    vary = [not isinstance(p, str | int) for p in partials] or [True]
    middles = [(a + b) / 2 for a, b in domain]
    operands = [np.array([m, 1.1 * m, 0.9 * m]) for m in middles]
    counts = [isinstance(p, str) for p in partials]
    fixed = [np.rint(o) if count else o for o, count in zip(operands, counts, strict=False)]
    operands = fixed + operands[len(fixed) :]
    first = vary.index(True) if True in vary else 0
    if ufunc in _OF_INTEGERS:
        operands = [np.array([6, 4, 3])] + [np.array([1, 2, 1])] * (ufunc.nin - 1)
        return (lambda x: ufunc(*_ints(x), *operands[1:])), operands[0]
    if ufunc is np.ldexp:
        operands[1] = np.array([1, 2, 1])
    return (lambda x: ufunc(*operands[:first], x, *operands[first + 1 :])), operands[first]


_OF_INTEGERS = (np.left_shift, np.right_shift, np.gcd, np.lcm, np.invert, np.bitwise_and,
                np.bitwise_or, np.bitwise_xor, np.bitwise_count)  # fmt: skip


def _ints(x: Any) -> tuple[Any]:
    return (x.astype(np.int64),)


# -- trying ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trace:
    """What a sample did: the nodes between its argument and its result."""

    primitives: tuple[str, ...]
    passes: bool
    flat: bool
    native: str


def _entry(name: str, function: Any, handler: Any, row: Any) -> Entry:
    kind = "elementwise" if isinstance(handler, Elementwise) else ""
    for sample, point in _candidates(name, function, handler, row):
        trace = _trace(sample, point)
        if trace is not None and (trace.primitives or trace.passes):
            return _tried(name, kind or _kind(name, trace), trace, sample, point)
    if kind:
        return Entry(name, kind, (), ZERO, ZERO, ZERO, YES, NONE)
    return Entry(name, "plain", (), NONE, NONE, NONE, NONE, NONE)


def _candidates(name: str, function: Any, handler: Any, row: Any) -> Iterator[tuple[Sample, Any]]:
    if name in _GIVEN:
        yield _GIVEN[name], _X
    elif isinstance(function, np.ufunc):
        yield _ufunc_sample(function, handler, row)
    else:
        yield from _guesses(function)


def _kind(name: str, trace: _Trace) -> str:
    short = name.rpartition(".")[2]
    if not trace.primitives:
        return "identity"
    return "primitive" if trace.primitives == (short,) else "composite"


def _tried(name: str, kind: str, trace: _Trace, sample: Sample, point: Any) -> Entry:
    parts = trace.primitives if kind == "composite" else ()
    batch = _works(lambda: ad.vmap(sample)(np.stack([point, point])))
    if trace.flat:
        return Entry(name, kind, parts, ZERO, ZERO, ZERO, batch, trace.native)
    return Entry(
        name, kind, parts,
        _works(lambda: ad.jvp(sample, (point,), (np.ones_like(point),))),
        _works(lambda: _pull(sample, point)),
        _works(lambda: ad.derivative(lambda t: sample(point * (1 + t)), 3)(0.0)),
        batch, trace.native,
    )  # fmt: skip


def _pull(sample: Sample, point: Any) -> Any:
    value, pullback = ad.vjp(sample, point)
    return pullback(ad.jvp(sample, (point,), (np.ones_like(point),))[1] if value is None else value)


def _works(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except Exception:
        return NO
    return YES


def _trace(sample: Sample, point: Any) -> _Trace | None:
    """The primitives that a sample applies to its argument; None if it cannot be called so."""
    try:
        with Scope("primitives") as scope:
            variables = Variables(scope, point, "primitives", "x")
            outputs = Outputs(sample(variables.tree), "primitives")
            nodes = reachable(outputs.nodes, scope)
            own = [n for n in nodes if n.primitive not in (LITERAL, PROJECTION, VARIABLE)]
            found = tuple(dict.fromkeys(n.primitive.name for n in own))
            flat = bool(own) and all(_blocks(n) for n in outputs.nodes)
            passes = any(n in nodes for n in outputs.nodes)
            return _Trace(found, passes, flat, _native(variables.nodes, outputs.nodes))
    except Exception:
        return None


def _blocks(node: Node) -> bool:
    return node.primitive.flat or node.type.dtype.kind not in "fc"


def _native(inputs: list[Node], outputs: list[Node]) -> str:
    from adjoint.codegen.patterns import classify

    kinds = [classify(op) for op in Program(inputs, outputs, ()).ops]
    work = [kind for kind in kinds if kind != "leaf"]
    if not work:
        return NONE
    hosts = work.count("host")
    return YES if not hosts else NO if hosts == len(work) else PARTLY


__all__ = ["Entry", "inventory", "names"]

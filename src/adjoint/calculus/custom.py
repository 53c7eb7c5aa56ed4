"""custom_derivative: a function of the user's with a derivative of the user's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.errors import (
    ArgumentError,
    DtypeError,
    MissingRuleError,
    ShapeMismatchError,
    TracedConversionError,
)
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.containers import Structure, flatten, numeric_leaf, unflatten
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import require_callable
from adjoint.primitives.control.body import apply
from adjoint.primitives.control.custom import CUSTOM, Rules, is_plain
from adjoint.transforms.control_rules.bodies import floating, type_of_operand

_OPERANDS = (Tracer, np.ndarray, np.floating, np.complexfloating, float, complex)


class CustomDerivative:
    """A function with a derivative of its own; made by `custom_derivative`."""

    def __init__(
        self,
        f: Callable[..., Any],
        jvp: Callable[..., Any] | None = None,
        vjp: Callable[..., Any] | None = None,
    ) -> None:
        functools.update_wrapper(self, f)
        self._f, self._jvp, self._vjp = f, jvp, vjp

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Gives the forward rule ``rule(primals, tangents) -> (y, y_dot)``; also a decorator."""
        require_callable(rule, "defjvp(rule)")
        self._jvp = rule
        return rule

    def defvjp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Gives the reverse rule ``rule(*primals) -> (y, pullback)``; also a decorator."""
        require_callable(rule, "defvjp(rule)")
        self._vjp = rule
        return rule

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = _Call(self, _positional(self._f, args, kwargs))
        if not call.places:
            return self._f(*args, **kwargs)
        if self._jvp is None and self._vjp is None:
            raise MissingRuleError(
                f"custom_derivative({call.name}) was called before it was given a rule.",
                hint="use @f.defjvp or @f.defvjp, or custom_derivative(f, jvp=..., vjp=...).",
            )
        found = apply(CUSTOM, call.operands, rules=call.rules)
        return unflatten(call.structure, found)


def _positional(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """The arguments by position, as the rules take them."""
    if not kwargs:
        return args
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except (TypeError, ValueError):
        bound = None
    if bound is None or bound.kwargs:
        raise ArgumentError(
            "a function with a custom derivative takes its arguments by position; "
            f"got {', '.join(kwargs)} by name.",
            hint="close over options: custom_derivative(lambda x: f(x, option=...), ...).",
        )
    return bound.args


class _Call:
    """One call: what is an operand, and the rules on flat operands.

    Integers, booleans and what is not a number are passed on as they are; arrays, floats and
    complex numbers are operands.
    """

    def __init__(self, custom: CustomDerivative, args: tuple[Any, ...]) -> None:
        self.custom = custom
        self.name = getattr(custom._f, "__name__", "f")
        self.count = len(args)
        self.leaves, self.nesting = flatten(args)
        self.places = [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, _OPERANDS)]
        self.operands = [
            numeric_leaf(self.leaves[i], f"custom_derivative({self.name})", "its argument")
            for i in self.places
        ]
        self.structure: Structure = None
        self.rules = Rules(
            f"custom_derivative({self.name})",
            self._evaluate,
            None if self.custom._jvp is None else self._push,
            None if self.custom._vjp is None else self._pull,
        )
        if len(self.places) == len(self.leaves):
            self.rules.identity = custom, self.nesting

    def arguments(self, values: Sequence[Any], fill: Callable[[Any], Any] | None = None) -> Any:
        """The tuple of arguments with other operands; ``fill`` changes the other leaves."""
        leaves = [fill(leaf) for leaf in self.leaves] if fill else list(self.leaves)
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = _fresh(value)
        return unflatten(self.nesting, leaves)

    def _evaluate(self, *operands: Any) -> list[Any]:
        result = self.custom._f(*self.arguments(operands))
        leaves, self.structure = flatten(result)
        found = [numeric_leaf(x, f"custom_derivative({self.name})", "its result") for x in leaves]
        if is_plain(operands):
            if not is_plain(found):
                raise TracedConversionError(
                    f"custom_derivative({self.name}) needs a function of its arguments only; it "
                    "closes over a traced value, whose derivative no rule gives.",
                    hint="pass that value as an argument.",
                )
            found = [np.asarray(x)[()] for x in found]
            types = tuple(map(type_of_operand, operands))
            self.rules.known[types] = tuple(map(type_of_operand, found))
        return found

    # -- the user's rules ---------------------------------------------------------------------

    def _push(self, operands: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        primals, dots = self.arguments(operands), self.arguments(tangents, _no_tangent)
        called = f"the jvp rule of {self.name}"
        y, y_dot = _pair(self.custom._jvp, (primals, dots), called, "(y, y_dot)")
        types = self._result_types(y, called, operands)
        leaves, structure = flatten(y_dot)
        if structure != self.structure:
            raise _nesting(called, "y_dot", "y", structure, self.structure)
        return [_fitted(x, t, called, "y_dot", "y") for x, t in zip(leaves, types, strict=True)]

    def _result_types(self, y: Any, called: str, operands: Sequence[Any]) -> list[ArrayType]:
        leaves, structure = flatten(y)
        expected = self.rules.types(tuple(map(type_of_operand, operands)))
        if structure != self.structure:
            raise _nesting(called, "y", f"what {self.name} returns", structure, self.structure)
        for leaf, type_ in zip(leaves, expected, strict=True):
            got = type_of_operand(numeric_leaf(leaf, called, "y"))
            if got.shape != type_.shape:
                raise ShapeMismatchError(
                    f"{called} needs y to be what {self.name} returns, {type_}; it returned {got}."
                )
        return list(expected)

    def _pull(self, operands: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        called = f"the vjp rule of {self.name}"
        primals = self.arguments(operands)
        y, pullback = _pair(self.custom._vjp, primals, called, "(y, pullback)")
        self._result_types(y, called, operands)
        if not callable(pullback):
            raise ArgumentError(
                f"{called} needs to return (y, pullback) with a function pullback; got "
                f"{describe(pullback)}."
            )
        terms = pullback(unflatten(self.structure, [_conjugate(_fresh(c)) for c in cts]))
        if self.count == 1 and not (type(terms) is tuple and len(terms) == 1):
            terms = (terms,)
        if not isinstance(terms, tuple) or len(terms) != self.count:
            raise ArgumentError(
                f"the pullback of {called} needs to return one cotangent per argument, a tuple of "
                f"{self.count}; it returned {describe(terms)}"
                + (f" of {len(terms)}." if isinstance(terms, tuple | list) else ".")
            )
        return [_conjugate(t) for t in self._cotangents(terms, primals, operands, called)]

    def _cotangents(
        self, terms: tuple[Any, ...], primals: Any, operands: Sequence[Any], called: str
    ) -> list[Any]:
        """One cotangent per operand; None stands for zero, for an argument or a part of one."""
        remaining = iter(operands)
        found: list[Any] = []
        for i, (term, primal) in enumerate(zip(terms, primals, strict=True)):
            leaves, structure = flatten(primal)
            marks = [isinstance(leaf, _OPERANDS) for leaf in leaves]
            given, nesting = ([None] * len(leaves), structure) if term is None else flatten(term)
            if nesting != structure:
                raise _nesting(called, f"cotangent {i}", f"argument {i}", nesting, structure)
            for leaf, mark in zip(given, marks, strict=True):
                if mark:
                    type_ = type_of_operand(next(remaining))
                    what = f"cotangent {i}"
                    found.append(
                        None if leaf is None or not floating(type_)
                        else _fitted(leaf, type_, called, what, f"argument {i}")
                    )  # fmt: skip
        return found


def _fresh(value: Any) -> Any:
    """An argument for user code, which may write to it: the graph keeps the value itself."""
    return value.copy() if isinstance(value, Tracer | np.ndarray) else value


def _no_tangent(leaf: Any) -> Any:
    """The tangent of an argument that has none: zero for a number, None for anything else."""
    return 0.0 if isinstance(leaf, int | np.number | np.bool_) else None


def _conjugate(value: Any) -> Any:
    return np.conj(value) if value is not None and np.iscomplexobj(value) else value


def _pair(rule: Any, args: tuple[Any, ...], called: str, what: str) -> tuple[Any, Any]:
    result = rule(*args)
    if not isinstance(result, tuple) or len(result) != 2:
        got = f"{len(result)} values" if isinstance(result, tuple) else describe(result)
        raise ArgumentError(f"{called} needs to return {what}; it returned {got}.")
    return result


def _nesting(called: str, what: str, like: str, got: Structure, expected: Structure) -> Exception:
    return ArgumentError(
        f"{called} needs {what} nested like {like}.",
        where=f"{like}: {expected or 'one array'}\n{what}: {got or 'one array'}",
    )


def _fitted(value: Any, type_: ArrayType, called: str, what: str, like: str) -> Any:
    """A tangent or cotangent of exactly this type."""
    operand = numeric_leaf(value, called, what)
    operand = operand if isinstance(operand, Tracer) else np.asarray(operand)[()]
    got = type_of_operand(operand)
    if got.shape != type_.shape:
        raise ShapeMismatchError(
            f"{called} needs {what} of the type of {like}, {type_}; it returned {got}."
        )
    if got.dtype == type_.dtype or not floating(type_):
        return operand
    if got.dtype.kind == "c" and type_.dtype.kind == "f":
        raise DtypeError(
            f"{called} needs {what} of the type of {like}, {type_}; it returned {got}."
        )
    return operand.astype(type_.dtype)


def custom_derivative(
    f: Callable[..., Any] | None = None,
    *,
    jvp: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
) -> Any:
    """f with a derivative that you give; also a decorator.

    Parameters
    ----------
    f: any function of arrays, floats and containers of them: it may call SciPy or C, since it is
        called on plain arrays.  Integers and what is not a number are passed on as they are.
    jvp: ``jvp(primals, tangents) -> (y, y_dot)``, both arguments tuples with one entry per argument
        of f.  Linear in the tangents.
    vjp: ``vjp(*primals) -> (y, pullback)``; ``pullback(y_bar)`` returns a tuple with one cotangent
        per argument (None is zero), or for one argument that cotangent.

    Returns
    -------
    f, with ``f.defjvp`` and ``f.defvjp`` to give the rules later.

    Notes
    -----
    One rule is enough if it is written in NumPy functions: the other mode transposes it.  The rules
    are traced when a derivative is differentiated again, so second derivatives are right where the
    rule is; a rule may call f.  Under `vmap` f and its rules are batched, or, where they are not
    plain NumPy, called for each example.

    Raises
    ------
    MissingRuleError: the mode asked for has no rule, and the other rule cannot be transposed.
    ShapeMismatchError: a rule returns something that does not fit.

    >>> import math, numpy as np, adjoint as ad
    >>> @ad.custom_derivative
    ... def log1pexp(x):
    ...     return math.log1p(math.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (x_dot,) = primals, tangents
    ...     return log1pexp(x), x_dot / (1 + np.exp(-x))
    >>> float(ad.grad(log1pexp)(0.0)), float(ad.grad(ad.grad(log1pexp))(0.0))
    (0.5, 0.25)
    """
    if f is None:
        return functools.partial(custom_derivative, jvp=jvp, vjp=vjp)
    called = "custom_derivative(f)"
    require_callable(f, called)
    for rule in (jvp, vjp):
        if rule is not None:
            require_callable(rule, called)
    return CustomDerivative(f, jvp, vjp)

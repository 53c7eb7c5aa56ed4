"""Functions and derivatives as formulas: `formula`, `latex`, `source`."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from adjoint.errors import (
    AdjointError,
    ArgumentError,
    ArgumentValueError,
    UnknownNameError,
    nearest,
)
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, leaf_names, unflatten
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs, differentiable, require_callable
from adjoint.printing.formula import Formula
from adjoint.printing.names import ascii_name
from adjoint.simplify.cost import cost_of_graph
from adjoint.simplify.expression import Expr, Symbol, symbol
from adjoint.simplify.reading import read
from adjoint.simplify.simplification import simplify

PRIMES = (23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89)
"""Lengths that stand for named dimensions, so that 2/23 can be printed as 2/n."""

_ROWS = {"gradient", "jacobian_of_f", "partial_derivative"}


def formula(
    f: Callable[..., Any],
    *shapes: Any,
    layout: Literal["numerator", "argument"] = "numerator",
    **named: Any,
) -> Formula:
    """A function, or a derivative of one, in closed form.

    Parameters
    ----------
    f: a function; its parameters name the variables.
    shapes, named: for each parameter, by position or by name, its shape: dimensions by name or
        number, ``"n m"`` or ``(3, "n")``, ``""`` for a number; or an example value, which is
        needed where f branches on values.  A parameter that is not given is its default, if it
        has one, else a number.
    layout: the gradient of a scalar with respect to a vector is a row (``"numerator"``), or has
        the shape of its argument (``"argument"``): xᵀ(B + Bᵀ) or (B + Bᵀ)x.

    Returns
    -------
    A `Formula`: ``str`` of it is text, ``.latex()`` LaTeX, ``.source()`` NumPy code.  It holds
    where the derivative exists; values that are conventions at single points (the norm at 0) are
    not printed.

    >>> import numpy as np, adjoint as ad
    >>> print(ad.formula(ad.grad(lambda x: (2 * x**2 + 1)**4)))
    16x(2x² + 1)³
    >>> print(ad.formula(ad.grad(lambda x, B: x @ B @ x), x="n", B="n n"))
    xᵀ(B + Bᵀ)
    """
    require_callable(f, "formula(f)")
    if layout not in ("numerator", "argument"):
        raise UnknownNameError(
            f"formula(f) knows the layouts 'numerator' and 'argument'; got {layout!r}.",
            hint="use layout='argument' for a gradient in the shape of its argument.",
        )
    specs = _specifications(_parameters(f), shapes, named)
    found = _capture(f, specs, layout, _Dimensions(specs, 0))
    if not found.sizes:
        return found

    # Traced for other lengths, it has to be the same formula: else it holds for these lengths only.
    def again(lengths: dict[str, int] | None) -> Formula:
        dimensions = _Dimensions(specs, len(PRIMES) // 2)
        if lengths is not None:
            dimensions.lengths, dimensions.names = lengths, {}
        return _capture(f, specs, layout, dimensions)

    return replace(found, again=again)


def _capture(
    f: Callable[..., Any], specs: dict[inspect.Parameter, Any], layout: str, dimensions: _Dimensions
) -> Formula:
    """The formula, for named dimensions of given lengths."""
    abstract = "a formula holds for all values; give an example: formula(f, x=np.array([1.0, 2.0]))"
    with Scope("formula(f)", abstract=abstract) as scope:
        arguments = [_Argument(scope, p, s, dimensions) for p, s in specs.items()]
        positional = [a.tree for a in arguments if a.kind is not inspect.Parameter.KEYWORD_ONLY]
        keywords = {a.name: a.tree for a in arguments if a.kind is inspect.Parameter.KEYWORD_ONLY}
        with np.errstate(all="ignore"), dimensions.named_in_errors():
            outputs = Outputs(f(*positional, **keywords), "formula(f)")
        known = {n: e for a in arguments for n, e in a.symbols.items()}
        arrays = _Arrays(f)
        results = read(outputs.nodes, known, arrays.name)
        before = cost_of_graph(outputs.nodes)
    used = [*(a.name for a in arguments if a.symbols), *arrays.used]
    kind = _kind_of(f)
    row = layout == "numerator" and kind in _ROWS and _by_vector(f, kind, arguments)
    return Formula(
        _function_name(f),
        tuple(ascii_name(name) for name in used),
        tuple(simplify(results)),
        tuple(leaf_names(outputs.structure, len(results))),
        tuple(row and e.rank == 1 for e in results),
        dimensions.names,
        before,
        {s.name: s.shape for a in arguments for s in a.symbols.values()},
        _packing(outputs.structure),
        dict(arrays.constants),
        inputs=_inputs(f, kind, arguments),
    )


def latex(f: Callable[..., Any], *shapes: Any, **named: Any) -> str:
    """The LaTeX of a function or a derivative; arguments as in `formula`.

    >>> import adjoint as ad
    >>> print(ad.latex(ad.grad(lambda x, B: x @ B @ x), x="n", B="n n"))
    x^\\top \\left(B + B^\\top\\right)
    """
    return formula(f, *shapes, **named).latex()


def source(
    f: Callable[..., Any],
    *shapes: Any,
    target: Literal["numpy", "jax"] = "numpy",
    **named: Any,
) -> str:
    """A standalone function that computes f with NumPy, or JAX, alone; arguments as in `formula`.

    >>> import adjoint as ad
    >>> print(ad.source(ad.grad(lambda x, B: x @ B @ x), x="n", B="n n"))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def f(x, B):
        \"\"\"xᵀ(B + Bᵀ)\"\"\"
        return x @ (B + B.T)
    <BLANKLINE>
    """
    return formula(f, *shapes, **named).source(target)


# -- parameters ------------------------------------------------------------------------------------


def _parameters(f: Callable[..., Any]) -> list[inspect.Parameter]:
    inner = inspect.unwrap(f)
    if isinstance(inner, np.ufunc):
        names = ["x"] if inner.nin == 1 else [f"x{k + 1}" for k in range(inner.nin)]
        return [inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in names]
    try:
        found = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        raise ArgumentError(
            "formula(f) cannot read the parameters of f.",
            hint="wrap it: formula(lambda x: f(x)).",
        ) from None
    return [p for p in found if p.kind is not p.VAR_KEYWORD]


def _specifications(
    parameters: list[inspect.Parameter], shapes: tuple[Any, ...], named: dict[str, Any]
) -> dict[inspect.Parameter, Any]:
    """What is known of each parameter."""
    places = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    if places and places[-1].kind is inspect.Parameter.VAR_POSITIONAL:
        star = places.pop()
        parameters = [p for p in parameters if p is not star]
        for k in range(len(places), len(shapes)):
            more = inspect.Parameter(f"{star.name}{k}", inspect.Parameter.POSITIONAL_ONLY)
            places.append(more)
            parameters.insert(k, more)
    if len(shapes) > len(places):
        raise ArgumentError(f"formula(f) got {len(shapes)} shapes; f has {len(places)} parameters.")
    given = {p.name: s for p, s in zip(places, shapes, strict=False)}
    known = [p.name for p in parameters]
    for name, spec in named.items():
        if name not in known:
            close = nearest(name, known) or known
            raise UnknownNameError(
                f"formula(f) needs shapes of parameters of f ({', '.join(known) or 'none'}); "
                f"got {name}.",
                hint=f"use {close[0]}={spec!r}." if close else "",
            )
        if name in given:
            raise ArgumentError(f"formula(f) got two shapes for {name}.")
        given[name] = spec
    return {p: given.get(p.name, _default(p)) for p in parameters}


def _default(p: inspect.Parameter) -> Any:
    return "" if p.default is p.empty else _Fixed(p.default)


class _Fixed:
    """A default of f, which is passed on as it is."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Dimensions:
    """Lengths for the named dimensions: primes that no given dimension has."""

    def __init__(self, specs: dict[inspect.Parameter, Any], skipped: int) -> None:
        self.lengths: dict[str, int] = {}
        self.parsed: dict[str, tuple[str | int, ...]] = {}
        fixed: set[int] = set()
        for p, spec in specs.items():
            dims = _dimensions_of(spec, p.name)
            if dims is not None:
                self.parsed[p.name] = dims
                fixed |= {d for d in dims if isinstance(d, int)}
        free = iter(n for n in PRIMES[skipped:] + PRIMES[:skipped] if n not in fixed)
        for dims in self.parsed.values():
            for d in dims:
                if isinstance(d, str) and d not in self.lengths:
                    self.lengths[d] = next(free)
        self.names = {n: name for name, n in self.lengths.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(d if isinstance(d, int) else self.lengths[d] for d in self.parsed[name])

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Errors about shapes name the dimensions, and not the lengths that stand for them."""
        try:
            yield
        except AdjointError as error:
            headline = re.sub(r"\[[\d,]+\]", self._named, error.headline)
            AdjointError.__init__(error, headline, where=error.where, hint=error.hint)
            raise

    def _named(self, shape: re.Match[str]) -> str:
        return re.sub(r"\d+", lambda n: self.names.get(int(n[0]), n[0]), shape[0])


def _dimensions_of(spec: Any, name: str) -> tuple[str | int, ...] | None:
    """The dimensions a shape names, or None for an example value."""
    if isinstance(spec, str):
        parts: list[Any] = spec.replace(",", " ").split()
    elif isinstance(spec, tuple) and all(isinstance(d, int | str) for d in spec):
        parts = list(spec)
    else:
        return None
    dims = [int(d) if isinstance(d, str) and d.isdigit() else d for d in parts]
    for d in dims:
        if (isinstance(d, int) and d < 0) or (isinstance(d, str) and not d.isidentifier()):
            raise ArgumentValueError(
                f"formula(f) needs dimensions as names or numbers, such as "
                f"{name}='n m'; got {spec!r}.",
                hint=f"use {name}='n n' for a square matrix, {name}='' for a number.",
            )
    if len({d for d in dims if isinstance(d, str)}) > len(PRIMES):
        raise ArgumentValueError(f"formula(f) knows at most {len(PRIMES)} named dimensions.")
    return tuple(dims)


class _Argument:
    """One argument of f: abstract variables for a shape, concrete ones for an example."""

    def __init__(
        self, scope: Scope, p: inspect.Parameter, spec: Any, dimensions: _Dimensions
    ) -> None:
        self.name, self.kind = p.name, p.kind
        self.symbols: dict[Node, Symbol] = {}
        self.ranks: list[int] = []
        if isinstance(spec, _Fixed):
            self.tree = spec.value
        elif p.name in dimensions.parsed:
            shape = dimensions.shape(p.name)
            traced = variable(scope, None, ArrayType(shape, np.dtype(np.float64)))
            self._add(traced.node, p.name)
            self.tree = traced
        else:
            self.tree = self._example(scope, spec)

    def _add(self, node: Node, name: str) -> None:
        self.symbols[node] = symbol(name, node.type.shape, node)
        self.ranks.append(len(node.type.shape))

    def _example(self, scope: Scope, spec: Any) -> Any:
        leaves, structure = flatten(spec)
        names = leaf_names(structure, len(leaves))
        traced = []
        for leaf, place in zip(leaves, names, strict=True):
            if isinstance(leaf, str) or leaf is None or callable(leaf):
                raise ArgumentError(
                    f"formula(f) needs a shape or an example for {self.name}; got {describe(leaf)}."
                )
            v = variable(scope, differentiable(leaf, "formula(f)", self.name))
            self._add(v.node, self.name + place)
            traced.append(v)
        return unflatten(structure, traced)


class _Arrays:
    """Names of the arrays that f closes over or finds among its globals."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.known: dict[str, Any] = {}
        self.used: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self._look(f, set())

    def _look(self, f: Any, seen: set[int]) -> None:
        if id(f) in seen or not isinstance(f, types.FunctionType):
            return
        seen.add(id(f))
        found: list[tuple[str, Any]] = []
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            try:
                found.append((name, cell.cell_contents))
            except ValueError:
                continue
        if not f.__module__ or not f.__module__.startswith("adjoint."):
            names = f.__code__.co_names
            found += [(n, f.__globals__[n]) for n in names if n in f.__globals__]
        for name, value in found:
            if isinstance(value, np.ndarray) and value.ndim:
                self.known.setdefault(name, value)
            else:
                self._look(value, seen)
        self._look(getattr(f, "__wrapped__", None), seen)

    def name(self, node: Node, needed: bool) -> tuple[str, Any] | None:
        """The name of a constant that f sees under a name, or one that is made up for it.

        Rules of differentiation read the values of constants, so arrays are found by their elements
        too.
        """
        source = getattr(node, "source", None)
        value = np.asarray(node.value if source is None else source)
        if not value.ndim:
            return None
        for name, array in self.known.items():
            if array is source or _same(array, value):
                self.used[name] = array
                return name, array
        for name, array in self.constants.items():
            if _same(array, value):
                return name, array
        if not needed:
            return None
        name = f"C{len(self.constants) + 1}"
        self.constants[name] = value
        return name, value


def _same(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b))


# -- the function ----------------------------------------------------------------------------------


def _kind_of(f: Callable[..., Any]) -> str:
    """Which of the public transforms made f."""
    code = getattr(f, "__code__", None)
    module = str(getattr(f, "__globals__", {}).get("__name__", ""))
    return code.co_name if code is not None and module.startswith("adjoint.calculus.") else ""


def _by_vector(f: Callable[..., Any], kind: str, arguments: list[_Argument]) -> bool:
    """Whether the derivative is with respect to a vector, so that it is a row."""
    if kind == "gradient":
        return True
    cells = dict(zip(f.__code__.co_freevars, getattr(f, "__closure__", None) or (), strict=True))
    if kind == "partial_derivative":
        name = cells["which"].cell_contents
        return any(a.name == name and a.ranks == [1] for a in arguments)
    positions = cells["positions"].cell_contents
    return all(arguments[i].ranks == [1] for i in positions if i < len(arguments))


def _inputs(f: Callable[..., Any], kind: str, arguments: list[_Argument]) -> int | None:
    """How many axes the argument of a derivative has, if it is one array."""
    if kind not in _ROWS:
        return None
    cells = dict(zip(f.__code__.co_freevars, getattr(f, "__closure__", None) or (), strict=True))
    if kind == "gradient":
        return _inputs_of_gradient(cells["both"].cell_contents, arguments)
    if kind == "partial_derivative":
        which = cells["which"].cell_contents
        ranks = [a.ranks for k, a in enumerate(arguments) if which in (a.name, k)]
    else:
        positions = cells["positions"].cell_contents
        ranks = [arguments[i].ranks for i in positions if -len(arguments) <= i < len(arguments)]
    return ranks[0][0] if len(ranks) == 1 and len(ranks[0]) == 1 else None


def _inputs_of_gradient(both: Any, arguments: list[_Argument]) -> int | None:
    cells = dict(zip(both.__code__.co_freevars, both.__closure__, strict=True))
    ranks = [arguments[i].ranks for i in cells["positions"].cell_contents]
    return ranks[0][0] if len(ranks) == 1 and len(ranks[0]) == 1 else None


def _function_name(f: Callable[..., Any]) -> str:
    name = str(getattr(f, "__name__", "f"))
    return name if name.isidentifier() else "f"


def _packing(structure: Any) -> str:
    """How the results are packed: one array, or a flat tuple, list or dict of them."""
    if structure is None:
        return "one"
    flat = all(child.is_leaf() for child in structure.children())
    kinds = {tuple: "tuple", list: "list", dict: "dict"}
    return kinds.get(structure.type, "other") if flat else "other"


__all__ = ["Expr", "Formula", "formula", "latex", "source"]

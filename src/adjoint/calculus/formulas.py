"""Functions and derivatives as formulas: `formula`, `latex`, `source`."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from adjoint.calculus.formula_arguments import (
    PRIMES,
    Argument,
    Dimensions,
    parameters_of,
    specifications,
)
from adjoint.calculus.loops import ABSTRACT, in_short
from adjoint.errors import ArgumentValueError, UnknownNameError
from adjoint.graph.containers import leaf_names
from adjoint.graph.ir import Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs, require_callable
from adjoint.printing.formula import Formula
from adjoint.printing.names import ascii_name
from adjoint.simplify.cost import cost_of_graph
from adjoint.simplify.expression import Expr
from adjoint.simplify.reading import read
from adjoint.simplify.regular import rule_of
from adjoint.simplify.simplification import simplify, without_decrees
from adjoint.transforms.rerolling import loops_left

MOST_OPERATIONS = 400
"""A loop that was unrolled into more operations has no formula that one could read."""

_ROWS = {"gradient", "jacobian_of_f", "partial_derivative"}


def formula(
    f: Callable[..., Any],
    /,
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
    where f, as it is simplified, is regular, and where the derivative exists.  At single points
    where that is not so it may divide by zero: the gradient of the norm is xᵀ / ‖x‖, of which the
    code makes NaN at 0, while `grad` has a convention there and gives 0.

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
    specs = specifications(parameters_of(f), shapes, named)
    found = _capture(f, specs, layout, Dimensions(specs, 0))
    if not found.sizes:
        return found

    # Traced for other lengths, it has to be the same formula: else it holds for these lengths only.
    def again(lengths: dict[str, int] | None) -> Formula:
        dimensions = Dimensions(specs, len(PRIMES) // 2)
        if lengths is not None:
            dimensions.lengths, dimensions.names = lengths, {}
        return _capture(f, specs, layout, dimensions)

    return replace(found, again=again)


def _capture(
    f: Callable[..., Any], specs: dict[inspect.Parameter, Any], layout: str, dimensions: Dimensions
) -> Formula:
    """The formula, for named dimensions of given lengths."""
    with Scope("formula(f)", abstract=ABSTRACT) as scope:
        arguments = [Argument(scope, p, s, dimensions) for p, s in specs.items()]
        positional = [a.tree for a in arguments if a.kind is not inspect.Parameter.KEYWORD_ONLY]
        keywords = {a.name: a.tree for a in arguments if a.kind is inspect.Parameter.KEYWORD_ONLY}
        with np.errstate(all="ignore"), dimensions.named_in_errors():
            called = in_short(f, rolled=bool(dimensions.lengths))
            outputs = Outputs(called(*positional, **keywords), "formula(f)")
        unrolled = bool(dimensions.lengths) and loops_left(outputs.nodes, scope)
        if unrolled:
            _require_readable(outputs.nodes, scope, dimensions)
        known = {n: e for a in arguments for n, e in a.symbols.items()}
        arrays = _Arrays(f)
        results = read(outputs.nodes, known, arrays.name)
        before = cost_of_graph(outputs.nodes)
    used = [*(a.name for a in arguments if a.symbols), *arrays.used]
    kind = _kind_of(f)
    if kind:
        results = without_decrees(results)
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
        unrolled=unrolled,
    )


def _require_readable(outputs: list[Node], scope: Scope, dimensions: Dimensions) -> None:
    count = len(reachable(outputs, scope))
    if count > MOST_OPERATIONS:
        lengths = ", ".join(f"{name} = {n}" for name, n in dimensions.lengths.items())
        raise ArgumentValueError(
            f"formula(f) has no form for a loop of f on whole arrays; for {lengths} it is "
            f"{count} operations, too many to read.",
            hint="write the loop on whole arrays: np.sum(x**2), np.tril(A), x[1:] - x[:-1];\n"
            "or give small numbers for the dimensions.",
        )


def latex(f: Callable[..., Any], /, *shapes: Any, **named: Any) -> str:
    """The LaTeX of a function or a derivative; arguments as in `formula`.

    >>> import adjoint as ad
    >>> print(ad.latex(ad.grad(lambda x, B: x @ B @ x), x="n", B="n n"))
    x^\\top \\left(B + B^\\top\\right)
    """
    return formula(f, *shapes, **named).latex()


def source(
    f: Callable[..., Any],
    /,
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


# -- arrays from outside ---------------------------------------------------------------------------


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
        rule = rule_of(value)
        if rule is not None:
            return ("mask" if value.dtype.kind == "b" else "rule"), rule
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


def _by_vector(f: Callable[..., Any], kind: str, arguments: list[Argument]) -> bool:
    """Whether the derivative is with respect to a vector, so that it is a row."""
    if kind == "gradient":
        return True
    cells = dict(zip(f.__code__.co_freevars, getattr(f, "__closure__", None) or (), strict=True))
    if kind == "partial_derivative":
        name = cells["which"].cell_contents
        return any(a.name == name and a.ranks == [1] for a in arguments)
    positions = cells["positions"].cell_contents
    return all(arguments[i].ranks == [1] for i in positions if i < len(arguments))


def _inputs(f: Callable[..., Any], kind: str, arguments: list[Argument]) -> int | None:
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


def _inputs_of_gradient(both: Any, arguments: list[Argument]) -> int | None:
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

"""The arguments of the function of a formula: shapes with named dimensions, or examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from adjoint.errors import (
    AdjointError,
    ArgumentError,
    ArgumentValueError,
    ShapeMismatchError,
    UnknownNameError,
    nearest,
)
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, leaf_names, unflatten
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import differentiable
from adjoint.simplify.expression import Symbol, symbol

PRIMES = (23, 29, 37, 43, 53, 61, 71, 79, 59, 67, 73, 83, 89, 97, 103, 109)
"""Lengths that stand for named dimensions, so that 2/23 can be printed as 2/n.  No two neighbours
are twins: of 59 and 61 it could not be told whether 60 is n + 1 or m − 1."""


def parameters_of(f: Callable[..., Any]) -> list[inspect.Parameter]:
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


def specifications(
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
    # Without default and annotation: a parameter is hashed with them, and an array has no hash.
    return {
        p.replace(default=p.empty, annotation=p.empty): given.get(p.name, _default(p))
        for p in parameters
    }


def _default(p: inspect.Parameter) -> Any:
    return "" if p.default is p.empty else _Fixed(p.default)


class _Fixed:
    """A default of f, which is passed on as it is."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Dimensions:
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
        free = iter(
            n for n in PRIMES[skipped:] + PRIMES[:skipped] if all(d % n or not d for d in fixed)
        )
        for dims in self.parsed.values():
            for d in dims:
                if isinstance(d, str) and d not in self.lengths:
                    self.lengths[d] = next(free)
        self.names = {n: name for name, n in self.lengths.items()}
        self.numbers = [p.name for p, spec in specs.items() if isinstance(spec, str) and not spec]
        for p, spec in specs.items():
            if p.name in self.lengths and not isinstance(spec, _Fixed):
                raise ArgumentValueError(
                    f"formula(f) got {p.name} as a dimension, and {p.name} is a parameter of f: a "
                    "length is no variable.",
                    hint=f"name the dimension by another letter, and in f use len(x) for {p.name}.",
                )

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(d if isinstance(d, int) else self.lengths[d] for d in self.parsed[name])

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Errors about shapes name the dimensions, and not the lengths that stand for them."""
        try:
            yield
        except AdjointError as error:
            headline = re.sub(r"\[[\d,]+\]|\(\d+,(?: ?\d+,?)*\)", self._named, error.headline)
            hint = error.hint
            if isinstance(error, ShapeMismatchError) and self.numbers:
                numbers = ", ".join(self.numbers)
                more = f'what has no shape is a number, here {numbers}; pass {self.numbers[0]}="n".'
                hint = f"{hint}\n{more}" if hint else more
            AdjointError.__init__(error, headline, where=error.where, hint=hint)
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


class Argument:
    """One argument of f: abstract variables for a shape, concrete ones for an example."""

    def __init__(
        self, scope: Scope, p: inspect.Parameter, spec: Any, dimensions: Dimensions
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


__all__ = ["PRIMES", "Argument", "Dimensions", "parameters_of", "specifications"]

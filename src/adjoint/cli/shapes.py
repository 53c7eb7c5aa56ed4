"""The shapes of ``--shape``: how they are read, the lengths that their dimensions name, and whether
the values of ``--at`` have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adjoint.calculus.formula_arguments import PRIMES
from adjoint.cli import output
from adjoint.cli.targets import Target, as_float
from adjoint.errors import (
    ExpressionError,
    UnknownNameError,
    nearest,
)
from adjoint.graph.arraytype import describe

Dimensions = tuple[str | int, ...]

_SHOWN = 16
_HINT = 'write --shape "X=n,m b=n", or b= for a number.'


def read_shapes(texts: Sequence[str]) -> dict[str, Dimensions]:
    """The shapes of ``--shape``: ``X=n,m b=n``, also as ``X=n,m,b=n``; ``c=`` is a number.

    >>> read_shapes(["X=n,3", "b = n"])
    {'X': ('n', 3), 'b': ('n',)}
    """
    found: dict[str, Dimensions] = {}
    for text in texts:
        words = [(m.start(), m[0]) for m in re.finditer(r"=|[^\s,=]+", text)]
        name = ""
        for k, (column, word) in enumerate(words):
            if word == "=":
                _require(bool(name) and words[k - 1][1] == name, text, column,
                         "a name stands before each =.")  # fmt: skip
            elif k + 1 < len(words) and words[k + 1][1] == "=":
                name = word
                _require(name.isidentifier(), text, column, "a shape is written as name=n,m.")
                _require(name not in found, text, column, f"--shape gives {name} twice.")
                found[name] = ()
            else:
                colon = word.find(":")
                headline = "a shape is written as name=n,m, with = and not with a colon."
                _require(colon < 0, text, column + colon, headline)
                _require(bool(name), text, column, "a shape is written as name=n,m.")
                found[name] += (_dimension(text, column, word),)
    return found


def _dimension(text: str, column: int, word: str) -> str | int:
    whole = re.fullmatch(r"[+-]\d+", word) is None
    _require(whole, text, column, f"a length is 0 or more, without a sign; got {word!r}.")
    good = word.isidentifier() or word.isdecimal()
    _require(good, text, column, f"a dimension is a name or a whole number; got {word!r}.")
    return int(word) if word.isdecimal() else word


def _require(condition: bool, text: str, column: int, headline: str, hint: str = _HINT) -> None:
    if not condition:
        error = ExpressionError(headline, where=f"{text}\n{' ' * column}^", hint=hint)
        error.column = column  # type: ignore[attr-defined]
        raise error


def names(shapes: dict[str, Dimensions]) -> list[str]:
    """The names of the variables and of the dimensions."""
    return [*shapes, *(d for dims in shapes.values() for d in dims if isinstance(d, str))]


def spelled(name: str, dims: Dimensions) -> str:
    """``x=n,3`` as it is typed."""
    return f"{name}={','.join(map(str, dims))}"


# -- dimensions in the function --------------------------------------------------------------------


def with_lengths(target: Target, shapes: dict[str, Dimensions], texts: Sequence[str]) -> Target:
    """The target with the dimensions that it names as lengths: in ``sum(x)/n`` with ``x=n``, n is
    the length of x, and no variable beside it."""
    for name in shapes:
        if name not in target.parameters:
            close = nearest(name, target.parameters, 1)
            raise UnknownNameError(
                f"--shape names {name}, but {target.label} is a function of "
                f"{', '.join(target.parameters) or 'nothing'}."
                + (f" Did you mean {close[0]}?" if close else "")
            )
    places: dict[str, tuple[str, int]] = {}
    for name, dims in shapes.items():
        for axis, d in enumerate(dims):
            if isinstance(d, str) and d in target.parameters:
                _require_one_meaning(target, shapes, d, texts)
                places.setdefault(d, (name, axis))
    if not places:
        return target
    kept = tuple(name for name in target.parameters if name not in places)

    def function(*values: Any) -> Any:
        named = dict(zip(kept, values, strict=True))
        lengths = {d: np.shape(named[x])[axis] for d, (x, axis) in places.items()}
        return target.function(*({**named, **lengths}[p] for p in target.parameters))

    found = {d: spelled(x, shapes[x]) for d, (x, _) in places.items()}
    return replace(target, function=function, parameters=kept, lengths=found)


def _require_one_meaning(
    target: Target, shapes: dict[str, Dimensions], name: str, texts: Sequence[str]
) -> None:
    if name in shapes:
        other = "is itself given a shape"
    elif name in target.defaults:
        other = f"is an argument of {target.label} with the value {target.defaults[name]!r}"
    else:
        return
    text, column = next(
        (text, m.start())
        for text in texts
        for m in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)(?!\s*=)", text)
    )
    headline = f"{name} is a dimension here, a length, and {other}."
    _require(False, text, column, headline, "name the dimension by another letter.")


def lengths_for(shapes: dict[str, Dimensions], text: str, skipped: int = 0) -> dict[str, int]:
    """A length for each named dimension that is no number of the function."""
    used = {d for dims in shapes.values() for d in dims if isinstance(d, int)}
    used |= {int(digits) for digits in re.findall(r"\d+", text)}
    free = iter(n for n in PRIMES[skipped:] + PRIMES[:skipped] if n not in used)
    dims = dict.fromkeys(d for dims in shapes.values() for d in dims if isinstance(d, str))
    return {d: next(free) for d in dims}


def shape_of(dims: Dimensions, lengths: dict[str, int]) -> tuple[int, ...]:
    """A shape with numbers for its dimensions."""
    return tuple(lengths[d] if isinstance(d, str) else d for d in dims)


def alike(
    shown: Callable[[dict[str, int], bool], Any], shapes: dict[str, Dimensions], text: str
) -> tuple[Any, str]:
    """What is shown for lengths of the dimensions, by name if it is the same for other lengths.

    A number in the function may be one of the lengths by chance, and a loop is one of a length:
    what is shown then has the numbers, and the remark says for which lengths it is.
    """
    lengths = lengths_for(shapes, text)
    found = shown(lengths, True)
    if not lengths or found == shown(lengths_for(shapes, text, len(PRIMES) // 2), True):
        return found, ""
    remark = ", ".join(f"{name} = {n}" for name, n in lengths.items())
    return shown(lengths, False), f"(for {remark})"


# -- shapes and a point ----------------------------------------------------------------------------


def take_lengths(target: Target, named: dict[str, Any]) -> dict[str, Any]:
    """The values of ``--at`` that are lengths; they are taken out of the others."""
    return {name: named.pop(name) for name in target.lengths if name in named}


def require_fitting(
    shapes: dict[str, Dimensions], point: dict[str, Any], lengths: dict[str, Any]
) -> None:
    """Raises if a value of ``--at`` has another shape than ``--shape`` says."""
    known = {d: (f"{d}={n}", n) for d, n in lengths.items()}
    for name, dims in shapes.items():
        if name not in point:
            continue
        got = np.shape(point[name])
        typed = f"{name} as {describe(as_float(point[name]))}"
        if len(got) != len(dims):
            _contradict(name, dims, typed, "")
        for d, n in zip(dims, got, strict=True):
            if isinstance(d, int) and d != n:
                _contradict(name, dims, typed, "")
            if isinstance(d, str):
                before, length = known.setdefault(d, (typed, n))
                if length != n:
                    _contradict(name, dims, typed, before)


def example(names: Sequence[str], shapes: dict[str, Dimensions]) -> str:
    """A point to paste, ``A=[[1,2],[3,4]],x=[1,2]``: of the shapes given, else numbers."""
    dims = dict.fromkeys(d for name in names for d in shapes.get(name, ()) if isinstance(d, str))
    lengths = {d: 2 + k for k, d in enumerate(dims)}
    found = []
    for name in names:
        shape = shape_of(shapes.get(name, ()), lengths)
        size = int(np.prod(shape))
        value = (1 + np.arange(size)).reshape(shape).tolist() if size <= _SHOWN else "…"
        found.append(f"{name}={value}".replace(" ", ""))
    return ",".join(found)


def _contradict(name: str, dims: Dimensions, typed: str, before: str) -> None:
    also = f" and {before}" if before and before != typed else ""
    raise output.CommandError(
        f"--shape says {spelled(name, dims) if dims else name + '= (a number)'}, but --at gives "
        f"{typed}{also}.",
        hint="leave --shape out, or give values of that shape: at a point they have their own.",
    )


__all__ = [
    "Dimensions", "alike", "example", "names", "read_shapes", "require_fitting", "shape_of",
    "spelled", "take_lengths", "with_lengths",
]  # fmt: skip

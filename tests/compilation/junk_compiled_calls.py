"""Call compiled functions with random arguments; run as a program, since a crash ends the process.

Every call ends in what the plain function gives, or in an exception where it raises one too; and
arrays given as ``out=`` have all results then, or are what they were.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad
from tests.codegen.entry_kernels import Number, misaligned
from tests.codegen.junk_calls import arrays, others, snapshot, unchanged
from tests.codegen.liars import liars

HELD = np.arange(5.0)
RENEWED_AFTER = 5000
"""Calls after which functions are compiled anew: each keeps code for few kinds of arguments."""


def elementwise(x: Any, y: Any) -> Any:
    return np.tanh(x) * y + HELD


def branching(x: Any, n: Any = 2) -> Any:
    return np.sum(x) * n if np.sum(x) > 0 else {"negative": x * -1.0}


def indexing(x: Any, i: Any) -> Any:
    y = np.array(x, np.float64, copy=True) if isinstance(x, list) else x * 1.0
    return y[i] + np.sum(y)


def nested(pair: Any, options: Any) -> Any:
    a, b = pair
    return [np.maximum(a, b), (options["k"] * a,)]


def product(a: Any, b: Any) -> Any:
    return a @ b


def reverse(x: Any, y: Any) -> Any:
    return {"x": x[::-1] + HELD, "y": (y * 2.0, np.sum(x))}


FUNCTIONS: list[Callable[..., Any]] = [elementwise, branching, indexing, nested, product, reverse]

_NUMERIC = (np.ndarray, np.generic, float)


class Junk:
    """Draws arguments, calls both functions, and compares."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.pools = [arrays(), others(), self.exact()]
        self.numbers = np.linspace(-2.0, 2.0, 16)
        self.memory = self.numbers.copy()
        self.vectors = [self.memory[k : k + 5] for k in range(12)]
        self.raised = self.refused = self.calls = 0

    # -- drawing --------------------------------------------------------------------------------

    def exact(self) -> list[Any]:
        """What usually fits."""
        return [
            np.arange(5.0), np.ones((5, 5)), 2.0, np.float64(-1.5), 3, np.arange(5), np.zeros(0),
            np.array([4, -5, 0]), np.array([9]), (np.ones(5), np.zeros(5)), {"k": 2.0},
            {"k": np.ones(5)}, [1.0, 2.0], np.arange(5) > 2, -np.ones(5), np.ones((2, 5, 5)), "k",
            misaligned(), np.arange(5.0)[::-1], np.arange(10.0)[::2], np.arange(5, dtype=">f8"),
            np.full(5, np.nan), np.broadcast_to(2.0, (5,)), slice(1, 3), None, True, Number(3),
        ]  # fmt: skip

    def thing(self) -> Any:
        if self.rng.random() < 0.02:
            return self.rng.choice(liars())
        return self.rng.choice(self.pools[self.rng.choice((0, 1, 2, 2, 2))])

    def vector(self) -> Any:
        """Five numbers, whichever way they lie in memory."""
        if self.rng.random() < 0.7:
            return self.rng.choice(self.vectors)
        return self.rng.choice(
            (np.ones(5), misaligned(), np.arange(10.0)[::-2], np.arange(5, dtype=">f8"), HELD,
             np.arange(5, dtype="f4"), np.arange(5), np.full(5, 1e300), -np.ones(5))
        )  # fmt: skip

    def fitting(self, f: Callable[..., Any]) -> list[Any]:
        """Arguments that the function can use."""
        x = self.vector()
        if f is indexing:
            return [x, self.rng.choice((np.array([4, -5, 0]), np.array([1, 5]), 2, slice(1, 3)))]
        if f is nested:
            return [(x, self.vector()), {"k": self.rng.choice((2.0, self.vector()))}]
        if f is branching:
            return [x, self.rng.choice((2.0, 3, np.float64(0.5)))][: self.rng.choice((1, 2))]
        return [x, self.vector() if f is not elementwise else self.rng.choice((x, 2.0, HELD))]

    def arguments(self, f: Callable[..., Any]) -> list[Any]:
        chance = self.rng.random()
        if chance < 0.75:
            args = self.fitting(f)
            if chance > 0.6:
                args[self.rng.randrange(len(args))] = self.thing()
            return args
        return [self.thing() for _ in range(self.rng.choice((1, 2, 2, 2, 2, 2, 3)))]

    def target(self, result: Any) -> Any:
        """Arrays for a result, nested like it, in most cases."""
        if type(result) is dict:
            return {key: self.target(part) for key, part in result.items()}
        if type(result) in (list, tuple):
            return type(result)(map(self.target, result))
        chance = self.rng.random()
        if chance < 0.08 or not isinstance(result, _NUMERIC):
            return self.thing()
        if np.shape(result) == (5,) and chance < 0.6:
            return self.vector()
        return np.zeros(np.shape(result), np.asarray(result).dtype)

    # -- calling --------------------------------------------------------------------------------

    def turn(self) -> None:
        """One call."""
        if self.calls % RENEWED_AFTER == 0:
            self.pairs = [(ad.compile(f), f) for f in FUNCTIONS]
        self.calls += 1
        self.memory[:], HELD[:] = self.numbers, (0.0, 1.0, 2.0, 3.0, 4.0)
        fast, plain = self.rng.choice(self.pairs)
        args = self.arguments(plain)
        numeric = all(type(a) in (np.ndarray, float) or isinstance(a, np.generic) for a in args)
        if not numeric and not all(map(_is_plain, args)):
            self.only_call(fast, args)
            return
        try:
            expected = plain(*args)
        except Exception as error:
            self.raised += 1
            self.must_raise(fast, args, error, numeric)
            return
        expected = snapshot(expected)
        if self.rng.random() < 0.3:
            self.call_with_target(fast, args, expected, numeric)
            return
        try:
            got = fast(*args)
        except Exception:
            self.refused += 1  # the function cannot be traced for these arguments, and says so
            assert not self.is_ordinary(args), (fast, args)
            return
        if numeric:
            assert equal(got, expected, rounding(args)), (fast, args, got, expected)

    def only_call(self, fast: Any, args: list[Any]) -> None:
        """With objects that lie there is nothing to compare."""
        try:
            fast(*args)
        except Exception:
            self.raised += 1

    def call_with_target(self, fast: Any, args: list[Any], expected: Any, numeric: bool) -> None:
        out = self.thing() if self.rng.random() < 0.1 else self.target(expected)
        before = snapshot(out)
        try:
            got = fast(*args, out=out)
        except Exception:
            self.raised += 1
            assert unchanged(out, before), (fast, args, out, before)
            return
        assert (got is out) or out is None
        if numeric and out is not None:
            assert written(out, expected, rounding(args)), (fast, args, out, expected)

    @staticmethod
    def is_ordinary(args: Any) -> bool:
        """Arrays of float64 with few axes, and floats."""
        return all(
            type(a) is float or (type(a) is np.ndarray and a.dtype == float and a.ndim < 9)
            for a in args
        )

    def must_raise(self, fast: Any, args: Any, error: Exception, numeric: bool) -> None:
        try:
            got = fast(*args)
        except Exception:
            return
        if not numeric:
            return  # a list means an array to a traced value, and not always to NumPy
        raise AssertionError(f"{fast} of {args} gave {got}; the function raises {error!r}")


def _is_plain(thing: Any) -> bool:
    """Whether an argument is what it seems."""
    if type(thing) in (list, tuple):
        return all(map(_is_plain, thing))
    if type(thing) is dict:
        return all(type(k) is str and _is_plain(v) for k, v in thing.items())
    known = (np.ndarray, float, int, bool, complex, str, type(None), slice)
    return type(thing) in known or isinstance(thing, np.generic)


def leaves(thing: Any) -> list[Any]:
    if type(thing) is dict:
        return [leaf for key in sorted(thing) for leaf in leaves(thing[key])]
    if type(thing) in (list, tuple):
        return [leaf for part in thing for leaf in leaves(part)]
    return [thing]


def equal(got: Any, expected: Any, tolerance: float) -> bool:
    """The same containers of the same types, equal to rounding."""
    ours, theirs = leaves(got), leaves(expected)
    return len(ours) == len(theirs) and all(
        np.shape(a) == np.shape(b)
        and np.asarray(a).dtype == np.asarray(b).dtype
        and close(a, b, tolerance)
        for a, b in zip(ours, theirs, strict=True)
    )


def written(out: Any, expected: Any, tolerance: float) -> bool:
    """Whether results are in arrays that may overlap: later ones lie over earlier ones."""
    given = leaves(out)
    for number, (a, b) in enumerate(zip(given, leaves(expected), strict=True)):
        if not any(np.may_share_memory(a, other) for other in given[number + 1 :]):
            b = np.asarray(b).astype(a.dtype)
            if not close(a, b, tolerance):
                return False
    return True


def rounding(args: Any) -> float:
    """How far results may differ: by what the least precise operand leaves open."""
    kinds = {np.asarray(leaf).dtype.name for leaf in leaves(list(args))}
    return 1e-2 if "float16" in kinds else 1e-5 if kinds & {"float32", "complex64"} else 1e-12


def close(a: Any, b: Any, tolerance: float) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if b.dtype.kind not in "fc":
        return bool(np.all(a == b)) or b.dtype.hasobject
    size = np.max(np.abs(b[np.isfinite(b)]), initial=1.0)
    scale = tolerance * float(min(size, 1e290))
    return bool(np.all(np.isclose(a, b, rtol=tolerance, atol=scale, equal_nan=True)))


def main(seed: int, count: int) -> None:
    """Make the calls and print how many raised."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    junk = Junk(seed)
    for number in range(count):
        try:
            junk.turn()
        except BaseException:
            print(f"seed {seed}, call {number}", file=sys.stderr)
            raise
    print(junk.raised, junk.refused, count)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

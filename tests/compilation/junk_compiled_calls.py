"""Call compiled functions with random arguments; run as a program, since a crash ends the process.

Every call ends in what the plain function gives, or in an exception where it raises one too.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad
from tests.codegen.entry_kernels import Liar, Number, misaligned
from tests.codegen.junk_calls import arrays, others
from tests.compilation.test_agreement import assert_same

HELD = np.arange(5.0)


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


FUNCTIONS: list[Callable[..., Any]] = [elementwise, branching, indexing, nested, product]


class Junk:
    """Draws arguments, calls both functions, and compares."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.pairs = [(ad.compile(f), f) for f in FUNCTIONS]
        self.pools = [arrays(), others(), self.exact()]
        self.raised = self.refused = 0

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
        pool = self.pools[self.rng.choice((0, 1, 2, 2, 2))]
        return self.rng.choice(pool)

    def turn(self) -> None:
        """One call."""
        fast, plain = self.rng.choice(self.pairs)
        args = tuple(self.thing() for _ in range(self.rng.choice((1, 2, 2, 2, 2, 2, 3))))
        if any(isinstance(a, Liar) or a is Liar for a in args):
            try:
                fast(*args)
            except Exception:
                self.raised += 1
            return
        try:
            expected = plain(*args)
        except Exception as error:
            self.raised += 1
            self.must_raise(fast, args, error)
            return
        try:
            got = fast(*args)
        except Exception:
            self.refused += 1  # the function cannot be traced for these arguments, and says so
            assert not self.is_ordinary(args), (fast, args)
            return
        if all(isinstance(leaf, np.ndarray | np.generic | float) for leaf in args):
            assert_same(got, expected)

    @staticmethod
    def is_ordinary(args: Any) -> bool:
        """Arrays of float64 with few axes, and floats."""
        return all(
            type(a) is float or (type(a) is np.ndarray and a.dtype == float and a.ndim < 9)
            for a in args
        )

    def must_raise(self, fast: Any, args: Any, error: Exception) -> None:
        try:
            got = fast(*args)
        except Exception:
            return
        if not all(isinstance(a, np.ndarray | np.generic | float) for a in args):
            return  # a list means an array to a traced value, and not always to NumPy
        raise AssertionError(f"{fast} of {args} gave {got}; the function raises {error!r}")


def main(seed: int, count: int) -> None:
    """Make the calls and print how many raised."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    junk = Junk(seed)
    for _ in range(count):
        junk.turn()
    print(junk.raised, junk.refused, count)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

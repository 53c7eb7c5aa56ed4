"""Call native entries with random arguments; run as a program, since a crash ends the process.

Every call ends in the right result, or reaches the fallback with its arguments unchanged.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.codegen.entry import Argument, Same
from tests.codegen.entry_kernels import (
    NUMBER,
    VECTOR,
    Liar,
    Number,
    Subarray,
    copier,
    misaligned,
    scaled,
)


def arrays() -> list[Any]:
    """Arrays that fit, nearly fit, or do not fit at all."""
    return [
        np.arange(5.0),
        np.zeros((5, 1)),
        np.arange(10.0)[::2],
        np.arange(5.0)[::-1],
        np.zeros(5, ">f8"),
        np.zeros(5, "f4"),
        np.zeros(0),
        np.array(1.0),
        misaligned(),
        np.zeros(5, object),
        np.zeros(5, "M8[s]"),
        np.zeros(5, [("a", float)]),
        np.broadcast_to(1.0, (5,)),
        np.zeros(5).view(Subarray),
        np.zeros((1,) * 40),
        np.frombuffer(bytes(40)),
        np.ma.zeros(5),
        np.zeros(5, np.longlong),
    ]


def others() -> list[Any]:
    """Numbers, containers, and things that are neither."""
    numbers = [1.0, np.float64(2), Number(3), 4, True, 1j, np.bool_(1), np.float32(1), -1.0]
    containers = [[], {}, (), [1.0] * 5, range(5), {"k": 1.0}, [np.arange(5.0)], (np.arange(5.0),)]
    rest = [None, "5", b"", Liar(), Liar, object(), float, np.float64, ..., float("nan")]
    return [*numbers, *containers, *rest]


class Junk:
    """Draws arguments, calls, and checks what comes back."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.flat = [
            scaled(arena_bytes=64).call,
            scaled(arena_bytes=1 << 17, release_gil=True).call,
        ]
        arguments: list[Argument] = [[VECTOR], {"k": NUMBER}, (VECTOR,), Same(None)]
        self.nested = copier(arguments, [VECTOR, NUMBER, VECTOR], result=(0, (1, 2))).call
        self.exact: list[Any] = [np.arange(5.0), 2.0, [np.ones(5)], {"k": 1.0}, (np.ones(5),), None]
        self.pools = (arrays(), others(), self.exact)

    def thing(self) -> Any:
        """One argument; now and then an array whose shape was changed in place."""
        found = self.rng.choice(self.rng.choice(self.pools))
        if type(found) is np.ndarray and self.rng.random() < 0.05:
            found = np.arange(5.0)
            found.resize(self.rng.choice(((5,), (1, 5), (5, 1), (3,), (0,))), refcheck=False)
        return found

    def arguments(self, call: Callable[..., Any]) -> tuple[Any, ...]:
        """Arguments that fit in a quarter of the calls."""
        if self.rng.random() < 0.25:
            return tuple(self.exact[2:] if call is self.nested else self.exact[1::-1])
        return tuple(self.thing() for _ in range(self.rng.choice((0, 1, 2, 2, 2, 3, 4, 4, 4, 9))))

    def turn(self) -> bool:
        """One call; whether the native path took it."""
        call = self.rng.choice((*self.flat, self.nested))
        args = self.arguments(call)
        kwargs = {"out": self.thing()} if self.rng.random() < 0.05 else {}
        got = call(*args, **kwargs)
        if isinstance(got[0], str):
            assert all(a is b for a, b in zip(got[1], args, strict=True))
            assert got[2].keys() == kwargs.keys()
            return False
        if call is self.nested:
            np.testing.assert_array_equal(got[0], args[0][0])
            assert got[1][0] == args[1]["k"]
            np.testing.assert_array_equal(got[1][1], args[2][0])
        else:
            np.testing.assert_array_equal(got[0], args[0] * args[1])
        return True


def main(seed: int, count: int) -> None:
    """Print how many of `count` calls the native path and the fallback took."""
    junk = Junk(seed)
    fast = sum(junk.turn() for _ in range(count))
    print(fast, count - fast)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""Call native entries with random arguments; run as a program, since a crash ends the process.

Every call ends in the right result, or reaches the fallback with its arguments unchanged; arrays
given as ``out=`` have all results then, or none.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.codegen.entry import Argument, OutArgument, Same
from tests.codegen.entry_kernels import NUMBER, VECTOR, Number, Subarray, copier, misaligned, scaled
from tests.codegen.liars import Liar, liars, thieves

WAYS: tuple[OutArgument, ...] = ("refused", "copied", "written")


def arrays() -> list[Any]:
    """Arrays that fit, nearly fit, or do not fit at all."""
    frozen = np.arange(5.0)
    frozen.flags.writeable = False
    return [
        np.arange(5.0),
        np.zeros((5, 1)),
        np.arange(10.0)[::2],
        np.arange(5.0)[::-1],
        np.zeros(5, ">f8"),
        np.zeros(5, "f4"),
        np.zeros(0),
        np.array(1.0),
        frozen,
        misaligned(),
        np.zeros(5, object),
        np.zeros(5, "M8[s]"),
        np.zeros(5, [("a", float)]),
        np.broadcast_to(1.0, (5,)),
        np.zeros(5).view(Subarray),
        np.zeros((1,) * 40),
        np.frombuffer(bytes(40)),
        np.frombuffer(bytearray(41), offset=1),
        np.ma.zeros(5),
        np.zeros(5, np.longlong),
    ]


def others() -> list[Any]:
    """Numbers, containers, and things that are neither."""
    numbers = [1.0, np.float64(2), Number(3), 4, True, 1j, np.bool_(1), np.float32(1), -1.0]
    containers = [[], {}, (), [1.0] * 5, range(5), {"k": 1.0}, [np.arange(5.0)], (np.arange(5.0),)]
    rest = [None, "5", b"", Liar(), Liar, object(), float, np.float64, ..., float("nan")]
    return [*numbers, *containers, *rest]


def snapshot(thing: Any) -> Any:
    """A copy of ordinary containers and arrays; anything else is left alone."""
    if type(thing) in (list, tuple):
        return type(thing)(map(snapshot, thing))
    if type(thing) is dict and all(type(key) is str for key in thing):  # other keys may act
        return dict(zip(thing, map(snapshot, thing.values()), strict=True))
    return thing.copy() if type(thing) is np.ndarray else thing


def unchanged(now: Any, before: Any) -> bool:
    """Whether containers and arrays are what a snapshot says."""
    if type(before) in (list, tuple):
        return len(now) == len(before) and all(map(unchanged, now, before))
    if type(before) is dict and now is not before:
        return len(now) == len(before) and all(map(unchanged, now.values(), before.values()))
    if type(before) is np.ndarray:
        return before.dtype.hasobject or now.tobytes() == before.tobytes()
    return now is before


class Junk:
    """Draws arguments, calls, and checks what comes back."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        arguments: list[Argument] = [[VECTOR], {"k": NUMBER}, (VECTOR,), Same(None)]
        outputs = [VECTOR, NUMBER, VECTOR]
        self.flat = [
            scaled(arena_bytes=size, release_gil=size > 64, out=out).call
            for out in WAYS
            for size in (64, 1 << 17)
        ]
        self.nested = [
            copier(arguments, outputs, result=(0, {"s": 1, "v": [2]}), out=out).call for out in WAYS
        ]
        self.numbers = np.arange(16.0)
        self.memory = self.numbers.copy()
        self.pools = (arrays(), others())

    # -- drawing --------------------------------------------------------------------------------

    def vector(self) -> Any:
        """Five numbers, often in memory where others are too."""
        if self.rng.random() < 0.4:
            start = self.rng.randrange(12)
            return self.memory[start : start + 5]
        return np.arange(5.0)

    def thing(self) -> Any:
        """One argument; now and then an array whose shape was changed in place."""
        chance = self.rng.random()
        if chance < 0.03:
            found = np.arange(5.0)
            found.resize(self.rng.choice(((5,), (1, 5), (5, 1), (3,), (0,))), refcheck=False)
            return found
        if chance < 0.06:
            return self.rng.choice([*liars(), *thieves()])
        if chance < 0.25:
            return self.vector()
        return self.rng.choice(self.rng.choice(self.pools))

    def exact(self, nested: bool) -> list[Any]:
        if nested:
            return [[self.vector()], {"k": 1.5}, (self.vector(),), None]
        return [self.rng.choice((2.0, np.float64(3.0), -1.0, 0.0)), self.vector()]

    def targets(self, nested: bool) -> Any:
        """Arrays for the results, that fit in most calls."""
        number = self.memory[self.rng.randrange(16) :][:1].reshape(())
        parts = [self.vector(), number if self.rng.random() < 0.3 else np.zeros(()), self.vector()]
        if self.rng.random() < 0.3:
            parts[self.rng.randrange(3)] = self.thing()
        if nested:
            return parts[0], {"s": parts[1], "v": [parts[2]]}
        return (parts[0], parts[1])

    def arguments(self, nested: bool) -> list[Any]:
        chance = self.rng.random()
        if chance < 0.4:
            return self.exact(nested)
        if chance < 0.7:  # nearly right
            found = self.exact(nested)
            found[self.rng.randrange(len(found))] = self.thing()
            return found
        return [self.thing() for _ in range(self.rng.choice((0, 1, 2, 2, 2, 3, 4, 4, 4, 9)))]

    # -- checking -------------------------------------------------------------------------------

    def turn(self) -> bool:
        """One call; whether the native path took it."""
        nested = self.rng.random() < 0.4
        self.memory[:] = self.numbers
        call: Callable[..., Any] = self.rng.choice(self.nested if nested else self.flat)
        args = self.arguments(nested)
        kwargs: dict[str, Any] = {}
        if self.rng.random() < 0.4:
            kwargs["out"] = self.thing() if self.rng.random() < 0.2 else self.targets(nested)
        if self.rng.random() < 0.03:
            kwargs[self.rng.choice(("x", "Out", "o", "out "))] = self.thing()
        before = snapshot(args), snapshot(kwargs)
        got = call(*args, **kwargs)
        if isinstance(got, tuple) and got and isinstance(got[0], str):
            assert all(a is b for a, b in zip(got[1], args, strict=True))
            assert got[2].keys() == kwargs.keys()
            assert unchanged((args, kwargs), before)
            return False
        self.check(got, before[0], nested, kwargs)
        return True

    def check(self, got: Any, args: list[Any], nested: bool, kwargs: dict[str, Any]) -> None:
        if nested:
            wanted = [args[0][0], args[1]["k"], args[2][0]]
            found = [got[0], got[1]["s"], got[1]["v"][0]]
        else:
            wanted = [args[0] * args[1], np.add.reduce(args[0] * args[1])]
            found = list(got)
        assert "out" not in kwargs or got is kwargs["out"]
        # Written in this order: where they overlap, later results lie over earlier ones.
        for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
            if "out" in kwargs and any(np.shares_memory(a, c) for c in found[number + 1 :]):
                continue
            assert np.all(np.isclose(a, b, rtol=1e-14, atol=0.0, equal_nan=True)), (found, wanted)


def main(seed: int, count: int) -> None:
    """Print how many of `count` calls the native path and the fallback took."""
    junk = Junk(seed)
    fast = 0
    for number in range(count):
        try:
            fast += junk.turn()
        except BaseException:
            print(f"seed {seed}, call {number}", file=sys.stderr)
            raise
    print(fast, count - fast)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""Random programs in plain NumPy: directed acyclic graphs over everything a user writes.

A program starts from one 2×3 matrix; each of its steps makes another from earlier ones, so that a
value may be used many times or not at all.  Steps keep values within a few units and away from
points where they have no derivative, so differences are a fair witness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

SHAPE = (2, 3)
CENTRES = np.array([[0.1, 0.3, 0.6], [0.8, 0.2, 0.9]])
MASK = np.array([[True, False, True], [False, True, True]])
WEIGHTS = np.array([0.7, -0.4])

Step = Callable[[Any, Any], Any]


def _write_rows(a: Any, b: Any) -> Any:
    out = np.zeros_like(a)
    out[0] = np.tanh(b[1])
    out[1, 1:] = a[0, :2]
    out[1] += 0.5 * b[0]
    return out


def _write_through_view(a: Any, b: Any) -> Any:
    out = a.copy()
    view = out[:, 1:]
    view *= np.cos(b[:, :2])
    flat = out.reshape(6)
    flat[4] = b[0, 0]
    return out + view[:, :1]


def _by_index_arrays(a: Any, b: Any) -> Any:
    out = a.copy()
    out[np.array([0, 1, 1]), np.array([2, 0, 2])] = b[0, np.array([1, 1, 0])]
    return out


def _by_numbers(a: Any, b: Any) -> Any:
    rows = [[np.sin(a[i, j]) + b[1 - i, j] for j in range(3)] for i in range(2)]
    return np.stack([np.stack(row) for row in rows])


STEPS: dict[str, Step] = {
    "sin": lambda a, b: np.sin(a),
    "tanh": lambda a, b: np.tanh(a),
    "bell": lambda a, b: np.exp(-a * a),
    "root": lambda a, b: np.sqrt(1.0 + a**2),
    "log": lambda a, b: np.log1p(a * a),
    "arctan": lambda a, b: np.arctan(a) - 0.3,
    "add": lambda a, b: a + 0.5 * b,
    "subtract": lambda a, b: 1.5 - a - b / 3,
    "product": lambda a, b: a * np.tanh(b),
    "quotient": lambda a, b: a / (1.5 + np.cos(b)),
    "power": lambda a, b: (1.2 + np.sin(a)) ** np.tanh(b),
    "smooth maximum": lambda a, b: np.logaddexp(a, b),
    "choice": lambda a, b: np.where(np.floor(4 * CENTRES) % 2 == 0, a, np.sin(b)),
    "masked root": lambda a, b: np.where(MASK, np.sqrt(np.where(MASK, 1 + a * a, 0.0)), b),
    "matrix product": lambda a, b: (a @ b.T) @ np.tanh(a) / 3,
    "einsum": lambda a, b: np.einsum("ij,kj,k->ij", a, np.sin(b), WEIGHTS),
    "outer": lambda a, b: np.outer(np.tanh(a[:, 0]), b[1]),
    "reshape": lambda a, b: np.reshape(a.T, SHAPE),
    "reverse": lambda a, b: a[::-1, ::-1],
    "gather": lambda a, b: a[:, np.array([2, 0, 0])],
    "concatenate": lambda a, b: np.concatenate([a[:1], b[1:]]),
    "stack": lambda a, b: np.stack([a[:, 0], b[:, 1], np.sin(a[:, 2])], axis=1),
    "centre": lambda a, b: a - np.mean(b, axis=0),
    "normalise": lambda a, b: a / np.sqrt(1.0 + np.sum(b**2, axis=1, keepdims=True)),
    "running sum": lambda a, b: np.cumsum(np.tanh(a), axis=1),
    "write rows": _write_rows,
    "write through a view": _write_through_view,
    "write by index arrays": _by_index_arrays,
    "number by number": _by_numbers,
}


class Program(NamedTuple):
    """Steps as (name, first operand, second operand); operands count from the end."""

    steps: tuple[tuple[str, int, int], ...]

    def values(self, x: Any) -> list[Any]:
        """All values on the way, the argument first."""
        made = [x]
        for name, first, second in self.steps:
            a, b = made[-1 - first % len(made)], made[-1 - second % len(made)]
            made.append(STEPS[name](a, b))
        return made

    def __call__(self, x: Any) -> Any:
        return self.values(x)[-1]

    def loss(self, x: Any) -> Any:
        """One number that depends on every element of the result."""
        return np.sum(np.cos(self(x)) * (1.0 + CENTRES))

    def __repr__(self) -> str:
        return f"Program({self.steps!r})"


def random_program(rng: np.random.Generator, length: int, names: Sequence[str] = ()) -> Program:
    """A program of so many steps.

    >>> random_program(np.random.default_rng(0), 3)(np.zeros((2, 3))).shape
    (2, 3)
    """
    known = list(names or STEPS)
    steps = [
        (known[int(rng.integers(len(known)))], int(rng.integers(4)), int(rng.integers(4)))
        for _ in range(length)
    ]
    return Program(tuple(steps))


def programs(max_length: int = 8) -> Any:
    """A hypothesis strategy for programs, which shrinks to the shortest one that fails."""
    from hypothesis import strategies as st

    step = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 3), st.integers(0, 3))
    return st.lists(step, min_size=1, max_size=max_length).map(lambda s: Program(tuple(s)))


__all__ = ["SHAPE", "STEPS", "Program", "programs", "random_program"]

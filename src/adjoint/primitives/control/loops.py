"""Loops that run until a condition fails, and their reverse sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.evaluate import program
from adjoint.graph.registry import register
from adjoint.primitives.control.body import ControlPrimitive, own

KEPT_CARRIES = 256
"""How many carries a reverse sweep of unknown length keeps at most (twice that in between)."""


class While(ControlPrimitive):
    """``while condition(carry): carry = body(carry)``; the results are the last carry.

    Operands: what the condition captures, what the body captures, the first carry.

    Parameters
    ----------
    condition, body: graphs with inputs (captured, carry).
    tests, captured: how many operands the condition and the body capture.
    quiet: some examples of a batch go on after they have stopped, and their values are thrown away:
        floating-point warnings then mean nothing.
    """

    name = "while_loop"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        proceed, step, carry = stepper(operands, params)
        with np.errstate(**_errors(params)):
            while proceed(carry):
                carry = step(carry)
        return tuple(own(c, operands) for c in carry)

    def infer(self, *types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        return tuple(t._replace(weak=False) for t in types[params["tests"] + params["captured"] :])


def _errors(params: dict[str, Any]) -> Any:
    return {"all": "ignore"} if params["quiet"] else {}


Carry = list[Any]


def stepper(
    operands: Sequence[Any], params: dict[str, Any]
) -> tuple[Callable[[Carry], bool], Callable[[Carry], Carry], Carry]:
    """The condition and the body as functions of the carry, and the first carry."""
    tests, captured = params["tests"], params["captured"]
    condition, body = program(params["condition"]).run, program(params["body"]).run
    first = operands[:tests]
    second = operands[tests : tests + captured]

    def proceed(carry: Carry) -> bool:
        return bool(condition([*first, *carry])[0])

    def step(carry: Carry) -> Carry:
        return body([*second, *carry])

    return proceed, step, list(operands[tests + captured :])


class WhilePullback(ControlPrimitive):
    """The cotangents of a `While`: its transposed derivative, applied to cotangents of the result.

    The number of steps is known only when the loop runs, so this is a primitive of its own.  The
    forward sweep keeps every carry until there are too many, then every second one, and so on; the
    reverse sweep recomputes those between two that were kept (online checkpointing: Stumm and
    Walther, *SIAM J. Sci. Comput.* 2010).  Memory is that of 3·`KEPT_CARRIES` carries up to 65 000
    steps, and time one more forward sweep.

    Operands: those of the `While`, then the cotangents of the ``active`` carries.

    Parameters
    ----------
    backward: the pullback of the body, with inputs (captured, carry, cotangents of the active
        carries) and outputs (cotangents of the wanted captured, cotangents of the active carries).
    active: which carries have a cotangent.
    summed: for which of the body's captured operands the results are; then follow the active
        carries.
    mask: whether zeros among the cotangents are elements that a `where` left out, so that
        ``backward`` was made to let nothing reach them.
    """

    name = "while_pullback"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        count = sum(params["active"])
        primals, cts = operands[: len(operands) - count], list(operands[len(operands) - count :])
        tests, captured = params["tests"], params["captured"]
        shared = primals[tests : tests + captured]
        backward = program(params["backward"]).run
        wanted = [t for t, w in zip(shared, params["summed"], strict=True) if w]
        sums: list[Any] = [np.zeros(np.shape(t), np.asarray(t).dtype) for t in wanted]
        with np.errstate(all="ignore"):
            for carry in _backwards(primals, params):
                found = backward([*shared, *carry, *cts])
                sums = [s + f for s, f in zip(sums, found[: len(sums)], strict=True)]
                cts = found[len(sums) :]
        return (*sums, *(own(c, operands) for c in cts))

    def infer(self, *types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        tests, captured = params["tests"], params["captured"]
        count = sum(params["active"])
        shared = types[tests : tests + captured]
        wanted = [t for t, w in zip(shared, params["summed"], strict=True) if w]
        cts = types[len(types) - count :] if count else ()
        return tuple(t._replace(weak=False) for t in (*wanted, *cts))


def _backwards(primals: Sequence[Any], params: dict[str, Any]) -> Any:
    """The carries before each step, from the last step to the first."""
    proceed, step, carry = stepper(primals, params)
    kept: list[Carry] = []
    stride, count = 1, 0
    while proceed(carry):
        if count % stride == 0:
            kept.append(carry)
            if len(kept) == 2 * KEPT_CARRIES:
                del kept[1::2]
                stride *= 2
        count += 1
        carry = step(carry)
    while kept:
        segment = [kept.pop()]
        for _ in range(len(kept) * stride + 1, count):
            segment.append(step(segment[-1]))
        count = len(kept) * stride
        while segment:
            yield segment.pop()


WHILE = register(While())
WHILE_PULLBACK = register(WhilePullback())

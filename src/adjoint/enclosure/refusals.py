"""On which pieces nothing can be said: where a function may not be smooth, or not be defined."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.enclosure.interval import Interval
from adjoint.errors import MissingRuleError
from adjoint.graph.ir import Node
from adjoint.graph.sites import describe_site


class Refusals:
    """One flag per piece.

    A derivative that exists on both sides of a kink says nothing across it.  So a piece is given up
    as soon as anything in the function itself changes its formula on it, or leaves its domain.

    The nodes of derivatives do not count: where the function is smooth they have the values of its
    derivatives, whichever of their own branches is taken, and an interval that holds the values of
    all branches is an enclosure.
    """

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.flags = np.zeros(pieces, np.bool_)
        self.own = True
        """Whether the node that is looked at is one of the function itself."""

    def refuse(self, where: Any) -> None:
        """Gives up the pieces in which the function may not be smooth at any element; the first
        axis of the condition counts the pieces.  What is returned is an enclosure all the same."""
        if self.own:
            self.give_up(where)

    def give_up(self, where: Any) -> None:
        """Gives up pieces for which there is no enclosure at all."""
        where = np.asarray(where)
        self.flags |= np.any(where.reshape(where.shape[0], -1), axis=1)

    def require_known(self, a: Interval) -> None:
        """Refuses the pieces in which a truth value or an integer is not known."""
        self.refuse(~a.known)

    def require_apart(self, a: Interval, b: Interval) -> None:
        """Refuses the pieces in which two operands may be equal: a tie is a kink."""
        self.refuse(~((a.lo > b.hi) | (a.hi < b.lo)))


def no_row(node: Node, reason: str = "") -> MissingRuleError:
    """The error for a primitive without an enclosure."""
    return MissingRuleError(
        f"remainder_bound(x) has no enclosure of {node.primitive.name}"
        + (f": {reason}." if reason else "."),
        where=describe_site(node.site),
        hint="use p.remainder_estimate(x), which gives the first omitted term of any function.",
    )

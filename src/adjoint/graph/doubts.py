"""Why a result may turn out to be NaN: reasons left by rules, for whoever hands the result out.

A forward rule cannot know whether anybody will use the tangent of a vector that has no derivative,
so it makes it NaN and leaves the reason here.  If the NaN reaches a result, that reason is raised.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


class _Reasons(threading.local):
    def __init__(self) -> None:
        self.found: list[Exception] = []


_reasons = _Reasons()


def leave_reason(error: Exception) -> None:
    """The error to raise if a NaN that is made now reaches a result."""
    _reasons.found.append(error)


def forget_reasons() -> None:
    """Called when an outermost transform begins: what came before does not concern it."""
    if _reasons.found:
        _reasons.found.clear()


def require_reasonless(value: Any) -> None:
    """Raises the first reason left, if the result has a NaN in it."""
    if _reasons.found and np.any(np.isnan(value)):
        error = _reasons.found[0]
        _reasons.found.clear()
        raise error

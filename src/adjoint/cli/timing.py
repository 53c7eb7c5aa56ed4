"""Times of calls, taken in turns so that a slow moment of the machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def seconds_per_call(
    calls: Mapping[str, Callable[[], Any]], rounds: int = 7, seconds: float = 0.02
) -> dict[str, float]:
    """The median time of each call over rounds in which all take turns.

    A round repeats a call until about ``seconds`` have passed.

    >>> 0 < seconds_per_call({"sum": lambda: sum(range(9))}, rounds=1)["sum"] < 1
    True
    """
    counts = {name: _repetitions(call, seconds) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(_time(call, counts[name]))
    return {name: statistics.median(found) for name, found in times.items()}


def _time(call: Callable[[], Any], count: int) -> float:
    turns = range(count)
    start = time.perf_counter()
    for _ in turns:
        call()
    return (time.perf_counter() - start) / count


def _repetitions(call: Callable[[], Any], seconds: float) -> int:
    call()
    count = 1
    while True:
        elapsed = _time(call, count) * count
        if elapsed >= seconds / 4 or count > 10**7:
            return max(1, int(count * seconds / max(elapsed, 1e-9)))
        count *= 4


def in_words(seconds: float) -> str:
    """A time with a unit that suits it.

    >>> in_words(1.1e-7), in_words(0.0048)
    ('110 ns', '4.8 ms')
    """
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            number = seconds * factor
            return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"
    return f"{seconds:.3g} s"

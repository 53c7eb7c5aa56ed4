"""How the benchmarks measure: on one core, in turns, by medians, and memory in its own process."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Clock = Callable[[], float]


def pin() -> str:
    """Bind this process to one core, unless it already is; says which."""
    if not hasattr(os, "sched_setaffinity"):
        return "not bound to a core (this system cannot)"
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) > 1:
        os.sched_setaffinity(0, {allowed[-1]})
    return f"bound to core {allowed[-1]}"


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has(package: str) -> bool:
    """Whether a peer is installed."""
    return importlib.util.find_spec(package) is not None


def medians(
    calls: Mapping[str, Callable[[], Any]],
    rounds: int = 15,
    seconds: float = 0.03,
    clock: Clock = time.thread_time,
) -> dict[str, float]:
    """Seconds per call of each contestant: the median over rounds in which all take turns, so that
    a slow moment of the machine hits them alike."""
    counts = {name: repetitions(call, seconds, clock) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(elapsed(call, counts[name], clock) / counts[name])
    return {name: statistics.median(found) for name, found in times.items()}


def elapsed(call: Callable[[], Any], count: int, clock: Clock = time.thread_time) -> float:
    """The time of several calls, on the clock of this thread: on a busy core wall time mostly
    measures who was interrupted.  Libraries with threads of their own need another clock."""
    turns = range(count)
    start = clock()
    for _ in turns:
        call()
    return clock() - start


def repetitions(call: Callable[[], Any], seconds: float, clock: Clock = time.thread_time) -> int:
    """How many calls fill a round."""
    call()
    count = 1
    while (spent := elapsed(call, count, clock)) < seconds / 4:
        count *= 4
    return max(1, round(count * seconds / spent))


def apart(script: str, bytecode: str = "") -> dict[str, Any]:
    """Run a script in a fresh interpreter; it prints one JSON object.

    ``bytecode`` is a folder for compiled modules, so that a second run finds them whether or not
    the environment lets Python keep them beside the sources.
    """
    environment = dict(os.environ)
    if bytecode:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = bytecode
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if run.returncode:
        raise RuntimeError(f"a measurement failed:\n{run.stderr}")
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def heading(words: str) -> None:
    """The title of a table."""
    print(f"\n{words}\n{'-' * len(words)}")


def line(label: str, *cells: str) -> None:
    """One row."""
    print(f"  {label:<40}" + "".join(f"{cell:>15}" for cell in cells))


def duration(seconds: float) -> str:
    """A time with its unit."""
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.4g} {unit}"
    return f"{seconds:.3g} s"


def verdict(good: bool) -> str:
    """Whether a figure is reached."""
    return "reached" if good else "MISSED"

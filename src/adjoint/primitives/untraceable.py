"""NumPy's dispatched functions that have no rule, each with its reason.

A traced value that meets one of them raises `UntraceableFunctionError`, which quotes the reason.  A
test holds this table against the list of all functions that NumPy dispatches: each has a rule or a
row here, and none has both.
"""

from __future__ import annotations

from adjoint.graph.registry import REASONS

_READS = "it reads text, bytes or a file, so there is no traced value to start from"
_WRITES = "it writes numbers to a file; save what the transform returns"
_DATES = "it works on dates, which have no derivative"
_BITS = "it works on the bits of integers, which have no derivative"
_PLAIN = "it makes a plain array from Python objects; use np.stack or np.array(..., like=x)"
_BINS = "use np.bincount, with weights, of np.ravel_multi_index of np.digitize along each axis"

_BY_REASON: dict[str, tuple[str, ...]] = {
    _READS: ("frombuffer", "fromfile", "fromstring", "genfromtxt", "loadtxt"),
    _WRITES: ("save", "savetxt", "savez", "savez_compressed"),
    _DATES: ("busday_count", "busday_offset", "datetime_as_string", "is_busday"),
    _BITS: ("packbits", "unpackbits"),
    _PLAIN: ("fromfunction", "fromiter", "require"),
    _BINS: ("histogram2d", "histogramdd"),
}

MODULES: dict[str, str] = {
    "np.strings": "it works on strings, which have no derivative",
    "np.char": "it works on strings, which have no derivative",
    "np.polynomial.polynomial": "use np.polynomial.polynomial.polyval once for each variable",
    "np.lib.recfunctions": "records with named fields cannot be traced; use one array per field",
}
"""Modules none of whose functions has a rule."""

FUNCTIONS: dict[str, str] = {
    f"np.{name}": reason for reason, names in _BY_REASON.items() for name in names
}
"""Single functions without a rule."""

REASONS.update(FUNCTIONS)
REASONS.update(MODULES)

"""What a typed expression may contain: the functions, constants and signs of the language.

Everything here is a table.  A name that is typed is looked up in it and never on a live object, so
what is not listed cannot be reached.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Function(NamedTuple):
    """A function of the language: where it lives, and the arguments it takes."""

    path: str
    fewest: int
    most: int
    keywords: frozenset[str] = frozenset()
    sizes: bool = False
    """Whether its integers are sizes or counts, which have a bound."""
    operands: int = 99
    """How many of its arguments are values; those behind them are options, as in norm(X, 2)."""


MAX_TEXT = 4000
MAX_DEPTH = 100
MAX_ELEMENTS = 4096
MAX_POWER = 64

_UFUNC_NAMES = """
absolute abs add arccos acos arccosh acosh arcsin asin arcsinh asinh arctan atan arctan2 atan2
arctanh atanh cbrt ceil copysign cos cosh deg2rad degrees divide exp exp2 expm1 fabs float_power
floor fmax fmin fmod heaviside hypot log log10 log1p log2 logaddexp logaddexp2 matmul maximum
minimum mod multiply negative positive power pow rad2deg radians reciprocal remainder rint sign sin
sinh sqrt square subtract tan tanh trunc
"""

_AXIS = ("axis",)
_REDUCE = ("axis", "keepdims")
_SPREAD = ("axis", "keepdims", "ddof")

_FUNCTIONS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "array": (1, 1, ()), "average": (1, 1, _AXIS), "clip": (3, 3, ()), "cross": (2, 2, ()),
    "cumprod": (1, 1, _AXIS), "cumsum": (1, 1, _AXIS), "diag": (1, 1, ()), "diff": (1, 1, _AXIS),
    "dot": (2, 2, ()), "flip": (1, 1, _AXIS), "inner": (2, 2, ()), "kron": (2, 2, ()),
    "linalg.cholesky": (1, 1, ()), "linalg.det": (1, 1, ()), "linalg.eigvalsh": (1, 1, ()),
    "linalg.inv": (1, 1, ()), "linalg.norm": (1, 2, ("axis", "ord")), "linalg.pinv": (1, 1, ()),
    "linalg.solve": (2, 2, ()), "linalg.svdvals": (1, 1, ()), "max": (1, 1, _REDUCE),
    "mean": (1, 1, _REDUCE), "median": (1, 1, _REDUCE), "min": (1, 1, _REDUCE),
    "outer": (2, 2, ()), "polyval": (2, 2, ()), "prod": (1, 1, _REDUCE), "ptp": (1, 1, _AXIS),
    "ravel": (1, 1, ()), "sinc": (1, 1, ()), "sort": (1, 1, _AXIS), "std": (1, 1, _SPREAD),
    "sum": (1, 1, _REDUCE), "trace": (1, 1, ()), "transpose": (1, 1, ()),
    "trapezoid": (1, 2, ()), "tril": (1, 1, ()), "triu": (1, 1, ()), "var": (1, 1, _SPREAD),
    "vdot": (2, 2, ()), "where": (3, 3, ()),
}  # fmt: skip

_SIZED: dict[str, tuple[int, int]] = {
    "eye": (1, 1), "identity": (1, 1), "linalg.matrix_power": (2, 2), "linspace": (3, 3),
    "ones": (1, 1), "reshape": (2, 2), "roll": (2, 2), "zeros": (1, 1),
}  # fmt: skip

_SPECIAL: dict[str, int] = {
    "beta": 2, "betaln": 2, "digamma": 1, "ellipe": 1, "ellipk": 1, "erf": 1, "erfc": 1,
    "erfcx": 1, "erfinv": 1, "expit": 1, "gamma": 1, "gammaln": 1, "i1": 1, "iv": 2, "j0": 1,
    "j1": 1, "jv": 2, "kv": 2, "log_expit": 1, "log_ndtr": 1, "logit": 1, "ndtr": 1, "ndtri": 1,
    "psi": 1, "xlog1py": 2, "xlogy": 2, "y0": 1, "y1": 1, "yv": 2, "zeta": 2,
}  # fmt: skip

_OURS: dict[str, tuple[str, ...]] = {
    "log_softmax": _AXIS, "logsumexp": _REDUCE, "softmax": _AXIS,
}  # fmt: skip
"""Functions of scipy.special that are no ufuncs; those of `adjoint.scipy.special` are called."""

CONSTANTS: dict[str, float] = {"pi": float(np.pi), "e": float(np.e), "inf": float(np.inf)}


def _table() -> dict[str, Function]:
    """Every function by the path that may be typed after ``np.`` or ``scipy.special.``."""
    found: dict[str, Function] = {}
    for name in _UFUNC_NAMES.split():
        ufunc = getattr(np, name, None)
        if isinstance(ufunc, np.ufunc):
            found[f"np.{name}"] = Function(name, ufunc.nin, ufunc.nin)
    for name, (fewest, most, keywords) in _FUNCTIONS.items():
        operands = 1 if "ord" in keywords else most
        found[f"np.{name}"] = Function(name, fewest, most, frozenset(keywords), operands=operands)
    for name, (fewest, most) in _SIZED.items():
        found[f"np.{name}"] = Function(name, fewest, most, sizes=True)
    for name, count in _SPECIAL.items():
        found[f"scipy.special.{name}"] = Function(f"special.{name}", count, count)
    for name, options in _OURS.items():
        path = f"special.{name}"
        found[f"scipy.{path}"] = Function(path, 1, 1, frozenset(options))
    return found


FUNCTIONS = _table()
"""The functions by their full name."""

SHORT = {full.rpartition(".")[2]: full for full in reversed(FUNCTIONS)}
"""The functions by their last name, NumPy's before SciPy's."""

ROOTS = {"np": "np", "numpy": "np", "special": "scipy.special", "scipy": "scipy"}
"""What a dotted name may start with."""

OTHER_NAMES = {
    "ln": "log", "lg": "log10", "tg": "tan", "arsinh": "arcsinh", "arcosh": "arccosh",
    "artanh": "arctanh", "sigmoid": "expit", "Sqrt": "sqrt", "tr": "trace", "sgn": "sign",
    "lgamma": "gammaln", "normalize": "linalg.norm", "T": "transpose",
    "logistic": "expit",
}  # fmt: skip
"""What other books and languages call them."""

WRITTEN_AS = {
    "logdet": "log(det(X))",
    "slogdet": "log(det(X))",
    "relu": "where(x > 0, x, 0)",
    "softplus": "logaddexp(0, x)",
    "einsum": "products with @, and sums",
    "norm2": "sum(x**2)",
}
"""What has no function of the language, but an expression."""

SIGNS = {
    "^": ("powers are written with **", "**"),
    "²": ("powers are written with **", "**2"),
    "³": ("powers are written with **", "**3"),
    "√": ("roots are written sqrt(x)", "sqrt("),
    "×": ("products are written with *", "*"),
    "·": ("products are written with *", "*"),
    "÷": ("quotients are written with /", "/"),
    "−": ("minus is written with the - of the keyboard", "-"),
    "–": ("minus is written with the - of the keyboard", "-"),
    "′": ("derivatives come with --order", ""),
    "'": ("derivatives come with --order; the transpose is .T", ""),
    "=": ("what to differentiate is one expression, and values go to --at", ""),
}
"""Signs of mathematics that Python's grammar does not have."""


def implementation(function: Function) -> Any:
    """The callable itself, found by the path in the table."""
    if function.path.startswith("special."):
        from scipy import special

        name = function.path.removeprefix("special.")
        if name in _OURS:
            from adjoint.scipy import special as ours

            return getattr(ours, name)
        return getattr(special, name)
    found: Any = np
    for part in function.path.split("."):
        found = getattr(found, part)
    return found

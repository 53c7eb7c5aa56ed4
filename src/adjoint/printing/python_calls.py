"""How functions that are not ufuncs are spelled in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Spelling = Callable[[str, Sequence[str], dict[str, Any]], str]

UFUNCS = frozenset(("where",))
"""Functions spelled ``np.name(args)`` besides the ufuncs."""

COMPARISONS = {
    "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==",
    "not_equal": "!=",
}  # fmt: skip

HELPERS: dict[str, str] = {
    "expit": '''def expit(x):
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)
''',
    "softmax": '''def softmax(x, axis=-1):
    """exp(x) / sum(exp(x)), without overflow."""
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)
''',
    "logsumexp": '''def logsumexp(x, axis=-1):
    """log(sum(exp(x))), without overflow."""
    top = np.max(x, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=axis)) + np.squeeze(top, axis)
''',
    "softplus": '''def softplus(x):
    """log(1 + exp(x)), without overflow."""
    return np.logaddexp(0.0, x)
''',
    "add_at": '''def add_at(shape, index, values):
    """Zeros of a shape with values added at an index, once for each time it is there."""
    total = np.zeros(shape)
    np.add.at(total, index, values)
    return total
''',
}
"""Functions that the source defines for itself."""

JAX_HELPERS: dict[str, str] = {
    "add_at": '''def add_at(shape, index, values):
    """Zeros of a shape with values added at an index, once for each time it is there."""
    return np.zeros(shape).at[index].add(values)
''',
}
"""Those that JAX has other words for."""


def _axes(params: dict[str, Any]) -> str:
    axes = params["axes"]
    return str(axes[0]) if len(axes) == 1 else str(tuple(axes))


def _reduction(name: str) -> Spelling:
    return lambda np, args, params: f"{np}.{name}({args[0]}, axis={_axes(params)})"


def _function(name: str) -> Spelling:
    return lambda np, args, params: f"{np}.{name}({', '.join(args)})"


def _running_sum(np: str, x: str, axis: int, reverse: bool) -> str:
    if not reverse:
        return f"{np}.cumsum({x}, axis={axis})"
    return f"{np}.flip({np}.cumsum({np}.flip({x}, {axis}), axis={axis}), {axis})"


def _sorted(name: str) -> Spelling:
    """A function along one axis, the last by itself."""

    def spelling(np: str, args: Sequence[str], params: dict[str, Any]) -> str:
        axis = params.get("axis", -1)
        return f"{np}.{name}({args[0]})" if axis == -1 else f"{np}.{name}({args[0]}, axis={axis})"

    return spelling


def _transform(name: str) -> Spelling:
    """A Fourier transform."""

    def spelling(np: str, args: Sequence[str], params: dict[str, Any]) -> str:
        shown = [f"{k}={v!r}" for k, v in params.items() if (k, v) != ("norm", "backward")]
        return f"{np}.fft.{name}({', '.join([*args, *shown])})"

    return spelling


def _triangular(np: str, args: Sequence[str], params: dict[str, Any]) -> str:
    """A system of which one triangle is read; with ``unit``, of ones on the diagonal."""
    name = "tril" if params["lower"] else "triu"
    if params["unit"]:
        strict = f"{np}.{name}({args[0]}, {-1 if params['lower'] else 1})"
        return f"{np}.linalg.solve({strict} + {np}.eye(len({args[0]})), {args[1]})"
    return f"{np}.linalg.solve({np}.{name}({args[0]}), {args[1]})"


CALLS: dict[str, Spelling] = {
    "sum": _function("sum"),
    "tr": _function("trace"),
    "diag": _function("diag"),
    "det": _function("linalg.det"),
    "inv": _function("linalg.inv"),
    "solve": _function("linalg.solve"),
    "cholesky": _function("linalg.cholesky"),
    "solve_triangular": _triangular,
    "abs": _function("abs"),
    "max": _reduction("max"),
    "min": _reduction("min"),
    "prod": _reduction("prod"),
    "all": _reduction("all"),
    "any": _reduction("any"),
    "count_nonzero": _reduction("count_nonzero"),
    "reshape": lambda np, args, params: f"{np}.reshape({args[0]}, {params['shape']})",
    "concatenate": lambda np, args, params: (
        f"{np}.concatenate([{', '.join(args)}], axis={params['axis']})"
    ),
    "stack": lambda np, args, params: f"{np}.stack([{', '.join(args)}], axis={params['axis']})",
    # A method would bind to the last operand only, and a number of Python has none.
    "convert": lambda np, args, params: f"{np}.asarray({args[0]}, {np}.{params['dtype']})",
    "cumsum": lambda np, args, params: _running_sum(np, args[0], **params),
    "cumprod": lambda np, args, params: f"{np}.cumprod({args[0]}, axis={params['axis']})",
    "root_of_squares": _function("sqrt"),
    "slogdet": _function("linalg.slogdet"),
    "clip": _function("clip"),
    "real": _function("real"),
    "imag": _function("imag"),
    "sort": _function("sort"),
    "argsort": _sorted("argsort"),
    "pinv": lambda np, args, params: f"{np}.linalg.pinv({args[0]})",
    "svd": lambda np, args, params: (
        f"{np}.linalg.svd({args[0]}, full_matrices={params.get('full_matrices', True)})"
    ),
    "eigh": _function("linalg.eigh"),
    "fft": _transform("fft"),
    "ifft": _transform("ifft"),
    "rfft": _transform("rfft"),
    "irfft": _transform("irfft"),
}
"""Per primitive: the code, from the name of NumPy, the code of the operands, and parameters."""

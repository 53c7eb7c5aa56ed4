"""How the command line speaks: numbers, JSON, errors and exit codes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import click
import numpy as np

from adjoint.cli.targets import TargetError
from adjoint.errors import (
    AdjointError,
    ArgumentError,
    ArgumentValueError,
    ExpressionError,
    UnknownNameError,
)

DONE, FAILED, MISUSED = 0, 1, 2

EXIT_CODES = """\b
Exit codes:
  0  done
  1  the mathematics failed: a check found a difference, or the function could
     not be evaluated or differentiated at the point
  2  the command was not understood
"""

_MISUSE = (ExpressionError, TargetError, ArgumentError, ArgumentValueError, UnknownNameError)


class CommandError(ArgumentError):
    """Options that do not fit together."""


class ExpressionCommand(click.Command):
    """A command whose argument may begin with a minus sign, as in ``derive "-x**2"``; the only
    option with one dash is -h."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {o for p in self.params if getattr(p, "is_flag", False) for o in p.opts}
        kept: list[str] = []
        expressions: list[str] = []
        for k, arg in enumerate(args):
            before = args[k - 1] if k else ""
            value = before.startswith("--") and before not in flags and "=" not in before
            negative = arg.startswith("-") and not arg.startswith("--") and arg not in ("-", "-h")
            (expressions if negative and not value else kept).append(arg)
        if expressions and "--" not in kept:
            kept += ["--", *expressions]
        return super().parse_args(ctx, kept if expressions else args)


def exit_code(error: BaseException) -> int:
    """The exit code for an error: misuse of the command, or a failure of the computation.

    Only errors that the command line itself raises are misuse; the same class from inside a
    transform is about the user's function.
    """
    return (
        MISUSED if isinstance(error, _MISUSE) and not hasattr(error, "from_transform") else FAILED
    )


def report(error: AdjointError, command: str, as_json: bool) -> None:
    """An error on stderr, or with ``--json`` as an object on stdout."""
    if as_json:
        click.echo(dump({"error": described(error)}))
        return
    first, *rest = str(error).splitlines()
    click.secho(f"{command}: {first}", err=True, fg="red")
    for line in rest:
        click.echo(line, err=True)
    if exit_code(error) == MISUSED:
        click.echo(f"Try 'adjoint {command} --help'.", err=True)


def described(error: AdjointError) -> dict[str, Any]:
    """An error as an object: its type, its message in parts, and the column if it has one."""
    found: dict[str, Any] = {"type": type(error).__name__, "message": error.headline}
    if error.where:
        found["where"] = error.where
    if error.hint:
        found["hint"] = error.hint
    column = getattr(error, "column", None)
    if column is not None:
        found["column"] = column
    found["exit_code"] = exit_code(error)
    return found


def dump(thing: Any) -> str:
    """Strict JSON, indented."""
    return json.dumps(thing, indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """Arrays as nested lists; what JSON has no number for as "nan", "inf", "-inf", and complex
    numbers as objects.

    >>> plain(np.array([1.0, np.inf]))
    [1.0, 'inf']
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    array = np.asarray(value)
    if array.shape:
        return [plain(v) for v in array]
    number = array[()].item() if array.dtype != object else array[()]
    if isinstance(number, complex):
        return {"real": plain(number.real), "imag": plain(number.imag)}
    if isinstance(number, float) and not np.isfinite(number):
        return str(number)
    return number if isinstance(number, bool | int | float | str) else str(number)


def show(value: Any) -> str:
    """A number with all its digits, an array as NumPy prints it."""
    array = np.asarray(value)
    if not array.shape:
        return repr(array[()].item())
    with np.printoptions(precision=12, linewidth=88, threshold=200):
        return str(array)


def with_names(f: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """The function, with its arguments called by these names."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    f.__signature__ = signature  # type: ignore[attr-defined]
    return f


def labelled(label: str, value: Any, width: int) -> str:
    """``label   value``, the lines of an array below each other."""
    first, *rest = show(value).splitlines()
    pad = " " * (width + 2)
    return "\n".join([f"{label:<{width}}  {first}", *(pad + line for line in rest)])

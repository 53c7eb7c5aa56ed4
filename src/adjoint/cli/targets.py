"""What a command works on: a typed expression, or a function in a file, and the point."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adjoint.cli.evaluation import evaluate
from adjoint.cli.expressions import Expression, parse, parse_assignments
from adjoint.errors import AdjointError, ArgumentError, ExpressionError, UnknownNameError, nearest

_FILE = re.compile(r"(?P<file>.+\.py):(?P<name>[^\W\d]\w*)\Z", re.DOTALL)


class TargetError(AdjointError, ValueError):
    """A file, or a function in it, cannot be used."""


class UserCodeError(AdjointError, RuntimeError):
    """The user's own code raised an exception."""


@dataclass(frozen=True)
class Target:
    """A function of named arguments, and what is known about them."""

    label: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    defaults: dict[str, Any] = field(default_factory=dict)
    expression: Expression | None = None
    lengths: dict[str, str] = field(default_factory=dict)
    """Names in the function that are dimensions of ``--shape``, each with where it stands there."""


def load(text: str, given: Sequence[str] = ()) -> Target:
    """The function that ``model.py:loss`` or an expression stands for."""
    match = _FILE.match(text.strip())
    if match:
        return _from_file(Path(match["file"]), match["name"])
    if re.search(r"\.py\s*(:|\Z)", text):
        raise TargetError(
            f"{text.strip()} names no function.", hint="write file.py:function, as in model.py:loss"
        )
    expression = parse(text, dict.fromkeys(given))
    names = expression.names

    def function(*values: Any) -> Any:
        return evaluate(expression, dict(zip(names, values, strict=True)))

    return Target(expression.text, function, names, expression=expression)


def _from_file(path: Path, name: str) -> Target:
    if not path.is_file():
        others = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise TargetError(f"there is no file {path}.{_did_you_mean(path.name, others)}")
    namespace = vars(_run(path))
    found = namespace.get(name)
    if not callable(found):
        own = [k for k, v in namespace.items() if callable(v) and not k.startswith("_")]
        kind = "is not a function" if name in namespace else "has no function"
        words = (
            f"{name} in {path.name} {kind}" if name in namespace else f"{path.name} {kind} {name}"
        )
        raise TargetError(f"{words}.{_did_you_mean(name, own)}")
    return _target(f"{path.name}:{name}", found)


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    close = nearest(name, known, 2)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _run(path: Path) -> Any:
    """The module of a file, run as Python runs a script: its own folder comes first."""
    spec = importlib.util.spec_from_file_location(f"_adjoint_target_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    sys.path.insert(0, os.fspath(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        text = (error.text or "").rstrip("\n")
        caret = f"{text}\n{' ' * max(0, (error.offset or 1) - 1)}^"
        raise TargetError(f"{path.name}, line {error.lineno}: {error.msg}.", where=caret) from error
    except AdjointError as error:
        error.from_transform = True  # type: ignore[attr-defined]
        raise
    except (Exception, SystemExit) as error:
        raise user_error(path.name, error) from error
    return module


def user_error(label: str, error: BaseException) -> AdjointError:
    """An exception of the user's code, with the line that raised it."""
    where = ""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    numpy = os.path.dirname(os.path.abspath(np.__file__)) + os.sep
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        outside = not code.co_filename.startswith(
            (here, numpy, "<frozen", os.path.dirname(os.__file__))
        )
        if outside and os.path.exists(code.co_filename):
            frame = inspect.getframeinfo(traceback)
            line = (frame.code_context or [""])[0].strip()
            where = f"at {os.path.basename(frame.filename)}:{frame.lineno}:  {line}"
        traceback = traceback.tb_next
    return UserCodeError(f"{label} raised {type(error).__name__}: {error}", where=where)


def _target(label: str, function: Callable[..., Any]) -> Target:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise TargetError(f"the argument names of {label} cannot be read.") from None
    names: list[str] = []
    defaults: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        names.append(parameter.name)
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    keyword_only = {p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}

    def by_position(*values: Any) -> Any:
        named = dict(zip(names, values, strict=True))
        return function(
            *(v for k, v in named.items() if k not in keyword_only),
            **{k: v for k, v in named.items() if k in keyword_only},
        )

    return Target(label, by_position, tuple(names), defaults)


# -- the point ------------------------------------------------------------------------------------


def read_point(texts: Sequence[str]) -> tuple[dict[str, Any], list[Any]]:
    """The values of ``--at``: by name, and those given without a name."""
    named: dict[str, Any] = {}
    unnamed: list[Any] = []
    for text in texts:
        entries, bare = parse_assignments(text)
        for name, expression in entries.items():
            if name in named:
                raise ExpressionError(f"--at gives {name} twice.")
            named[name] = _plain(expression)
        unnamed += map(_plain, bare)
    return named, unnamed


def _plain(expression: Expression) -> Any:
    value = evaluate(expression, {})
    return int(value) if _is_whole(expression, value) else value


def _is_whole(expression: Expression, value: Any) -> bool:
    try:
        return type(ast.literal_eval(expression.body)) is int and abs(value) < 2**53
    except ValueError:
        return False


def place(target: Target, named: dict[str, Any], unnamed: list[Any]) -> dict[str, Any]:
    """A value for every parameter of the target."""
    point = dict(named)
    if unnamed:
        free = [name for name in target.parameters if name not in named]
        if len(unnamed) > len(free) or len(target.parameters) != len(unnamed) + len(named):
            raise ArgumentError(
                f"--at needs names here: {target.label} is a function of "
                f"{', '.join(target.parameters) or 'nothing'}.",
                hint="write " + ",".join(f"{name}=…" for name in target.parameters),
            )
        point.update(zip(free, unnamed, strict=True))
    for name in point:
        if name not in target.parameters:
            raise UnknownNameError(
                f"--at gives {name}, but {target.label} is a function of "
                f"{', '.join(target.parameters) or 'nothing'}."
                + _did_you_mean(name, target.parameters)
            )
    return {name: point.get(name, target.defaults.get(name)) for name in target.parameters
            if name in point or name in target.defaults}  # fmt: skip


def missing(target: Target, point: dict[str, Any]) -> list[str]:
    """The parameters that have no value."""
    return [name for name in target.parameters if name not in point]


def choose(target: Target, wrt: Sequence[str], point: dict[str, Any]) -> tuple[str, ...]:
    """The parameters to differentiate: those of ``--wrt``, or all that are numbers."""
    asked = [name.strip() for text in wrt for name in text.split(",") if name.strip()]
    for name in asked:
        if name in target.lengths:
            raise ArgumentError(
                f"--wrt names {name}, which is a dimension in --shape {target.lengths[name]}: a "
                "length has no derivative.",
                hint="name the dimension by another letter.",
            )
        if name not in target.parameters:
            raise UnknownNameError(
                f"--wrt names {name}, but {target.label} is a function of "
                f"{', '.join(target.parameters) or 'nothing'}."
                + _did_you_mean(name, target.parameters),
                hint=f"write --wrt {','.join(target.parameters)}." if target.parameters else "",
            )
    if asked:
        return tuple(dict.fromkeys(asked))
    return tuple(name for name in target.parameters if name in point and _is_number(point[name]))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | str):
        return False
    try:
        return np.asarray(value).dtype.kind in "iufc"
    except (TypeError, ValueError):
        return False


def as_float(value: Any) -> Any:
    """A value that can be differentiated: integers become float64."""
    array = np.asarray(value)
    return (array.astype(np.float64) if array.dtype.kind in "iub" else array)[()]

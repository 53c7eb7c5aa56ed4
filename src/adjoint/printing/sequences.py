"""Arrays that follow a rule, spelled: [0, 1, …, n − 1] and ``np.arange(n)``."""

from __future__ import annotations

import re
from collections.abc import Callable

from adjoint.simplify.exact import Rational, divide, magnitude, plain, whole_or_fraction
from adjoint.simplify.regular import Band, Powers, Rule, Sequence, Written

Number = Callable[[Rational], str]
"""How a number is spelled."""


def listed(rule: Rule, number: Number, name: str, power: Number) -> str:
    """A sequence by its first elements and its last; ``name`` is its length as text, ``power`` the
    text of a number to the power of the length less one."""
    if isinstance(rule, Written):
        return "[" + ", ".join(number(v) for v in rule.elements) + "]"
    if isinstance(rule, Sequence):
        shown = _reciprocal(number) if rule.inverse else number
        first, second = rule.start, whole_or_fraction(rule.start + rule.step)
        last = linear(rule.step, rule.start - rule.step, name, number)
        last = _reciprocal_text(last) if rule.inverse else last
        if not rule.from_end:
            return f"[{shown(first)}, {shown(second)}, …, {last}]"
        top = linear(-rule.step, rule.start + rule.step, name, number)
        top = _reciprocal_text(top) if rule.inverse else top
        return f"[{top}, …, {shown(whole_or_fraction(rule.start - rule.step))}, {shown(first)}]"
    assert isinstance(rule, Powers)
    raised = power(rule.ratio)
    scale = "" if rule.scale == 1 else number(rule.scale)
    parts = [number(rule.scale), number(whole_or_fraction(rule.scale * rule.ratio)), "…",
             f"{scale}{raised}"]  # fmt: skip
    return "[" + ", ".join(parts[::-1] if rule.from_end else parts) + "]"


def _reciprocal(number: Number) -> Number:
    return lambda value: number(divide(1, value))  # type: ignore[arg-type]


def _reciprocal_text(text: str) -> str:
    return f"1/{text}" if text.isalnum() else f"1/({text})"


def linear(slope: Rational, offset: Rational, name: str, number: Number) -> str:
    """slope · n + offset as text."""
    if name.isdigit():
        return number(whole_or_fraction(slope * int(name) + offset))
    beside = re.fullmatch(r"\((\w+) ([−+]) (\d+)\)", name)
    if beside is not None:
        name, k = beside[1], int(beside[3])
        offset = whole_or_fraction(offset + slope * (-k if beside[2] == "−" else k))
    head = name if slope == 1 else f"−{name}" if slope == -1 else f"{number(slope)}{name}"
    if not offset:
        return head
    return f"{head} {'−' if offset < 0 else '+'} {number(magnitude(offset))}"


def as_code(rule: Rule, size: Callable[[int], str], shape: tuple[int, ...], np: str) -> str:
    """NumPy code of the array; ``size`` is the code of a length."""
    if isinstance(rule, Written):
        return f"{np}.array([{', '.join(repr(plain(v)) for v in rule.elements)}])"
    n = size(shape[0])
    if isinstance(rule, Sequence):
        code = _arange(rule, n, np)
        return f"1 / {code}" if rule.inverse else code
    if isinstance(rule, Powers):
        ratio = repr(float(rule.ratio))
        code = f"{f'({ratio})' if ratio.startswith('-') else ratio}**{np}.arange({n})"
        code = f"({code})[::-1]" if rule.from_end else code
        return code if rule.scale == 1 else f"{plain(rule.scale)!r} * {code}"
    assert isinstance(rule, Band)
    return _band(rule, n, size(shape[1]), np)


def _arange(rule: Sequence, n: str, np: str) -> str:
    start, step = plain(rule.start), plain(rule.step)
    counted = f"{np}.arange({n})"
    if rule.from_end:
        counted, step = f"{np}.arange({n})[::-1]", -step
    if step == 1 and start == 0:
        return counted
    if step == 1 and isinstance(start, int) and not rule.from_end:
        end = str(int(n) + start) if n.isdigit() else f"{n} + {start}"
        return f"{np}.arange({start}, {end})" if start > 0 else f"({start} + {counted})"
    scaled = counted if step == 1 else f"{step!r} * {counted}"
    return f"({start!r} + {scaled})" if start else f"({scaled})"


def _band(rule: Band, n: str, m: str, np: str) -> str:
    ones = f"{np}.ones(({n}, {m}))"
    code = ones
    if rule.high is not None:
        code = f"{np}.tril({code}, {rule.high})"
    if rule.low is not None:
        code = f"{np}.triu({code}, {rule.low})"
    return f"(1 - {code})" if rule.outside else code


def bracket(rule: Rule, i: str, j: str) -> str:
    """One element of a band: Iverson's bracket, [i > j]."""
    assert isinstance(rule, Band)
    low, high = rule.low, rule.high
    if rule.outside:
        return f"[{i} ≠ {j}]" if low == high == 0 else f"(1 − {bracket(_inside(rule), i, j)})"
    if low == high:
        return f"[{j} = {_shifted(i, low or 0)}]"
    parts = []
    if high is not None:
        parts.append(
            f"{j} < {_shifted(i, high + 1)}" if high == -1 else f"{j} ≤ {_shifted(i, high)}"
        )
    if low is not None:
        parts.append(f"{i} < {j}" if low == 1 else f"{_shifted(i, low)} ≤ {j}")
    return "[" + ", ".join(parts) + "]"


def _inside(rule: Band) -> Band:
    return Band(rule.low, rule.high)


def _shifted(i: str, k: int) -> str:
    return i if not k else f"{i} {'−' if k < 0 else '+'} {abs(k)}"


def band_text(rule: Band, ones: str, identity: str) -> str:
    """A band of ones as a matrix."""
    if rule.outside and rule.low == rule.high == 0:
        return f"({ones} − {identity})"
    text = ones
    if rule.high is not None:
        text = f"tril({text}{f', {rule.high}' if rule.high else ''})".replace("-", "−")
    if rule.low is not None:
        text = f"triu({text}{f', {rule.low}' if rule.low else ''})".replace("-", "−")
    return f"({ones} − {text})" if rule.outside else text


__all__ = ["as_code", "band_text", "bracket", "linear", "listed"]

"""Calls that a function would make twice, made once: ``inv_X = np.linalg.inv(X)``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

COSTLY = re.compile(
    r"np\.linalg\.(inv|det|pinv|slogdet|cholesky|svd|eigh|solve)\(|\b_?(softmax|logsumexp|expit)\("
)
"""Calls that cost more than an operation on arrays."""


def shared(lines: list[str], taken: Collection[str]) -> list[str]:
    """The lines of a function, with what they compute several times given a name before.

    >>> print("\\n".join(shared(["    return np.linalg.inv(X) + 2 * np.linalg.inv(X)"], ["X"])))
        inv_X = np.linalg.inv(X)
        return inv_X + 2 * inv_X
    """
    lines, names = list(lines), set(taken)
    while True:
        counts: Counter[str] = Counter()
        for line in lines:
            code = line.split(" = ", 1)[1] if re.match(r"\s+\w+ = ", line) else line
            counts.update(_calls(code))
        repeated = [text for text, n in counts.items() if n > 1]
        if not repeated:
            return lines
        text = min(repeated, key=len)  # what is inside another one comes first
        name = _name(text, names)
        names.add(name)
        first = next(k for k, line in enumerate(lines) if text in line)
        lines = [line.replace(text, name) for line in lines]
        lines.insert(first, f"    {name} = {text}")


def _calls(code: str) -> list[str]:
    """All costly calls in a line of code, those in the arguments of others too."""
    found = []
    for start in COSTLY.finditer(code):
        depth, end = 1, start.end()
        while depth and end < len(code):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        found.append(code[start.start() : end])
    return found


def _name(text: str, taken: Collection[str]) -> str:
    """A name for a call: of the function, and of its operand if that is a name."""
    match = COSTLY.match(text)
    assert match is not None
    function = match[1] or match[2]
    operand = re.match(r"\((\w+)[),]", text[match.end() - 1 :])
    stem = f"{function}_{operand[1]}" if operand else f"{function}_1"
    k = 1
    while stem in taken:
        k += 1
        stem = f"{stem.rsplit('_', 1)[0]}_{k}" if not operand or k > 2 else f"{stem}_{k}"
    return stem


__all__ = ["shared"]

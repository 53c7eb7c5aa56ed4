"""Reading the many ways in which np.einsum can be called into one explicit pattern."""

from __future__ import annotations

from typing import Any

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.sites import here
from adjoint.primitives.contraction import LETTERS, letter
from adjoint.primitives.shaping import array, plain_reshape


def explicit(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The pattern ``ij,jk->ik`` with every index named, and operands without axes of length 1 that
    broadcast."""
    if isinstance(operands[0], str):
        spec, arrays = operands[0].replace(" ", ""), [array(o) for o in operands[1:]]
    else:
        spec, arrays = _from_index_lists(operands)
    left, arrow, right = spec.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ValueError(
            f"einsum pattern {spec!r} has {len(terms)} terms for {len(arrays)} operands"
        )
    terms, result = _expand_ellipses(terms, right if arrow else None, arrays, spec)
    if result is None:
        names = "".join(terms)
        result = "".join(sorted(c for c in set(names) if names.count(c) == 1))
    _check_result(result, terms, spec)
    terms, arrays = _drop_broadcast(terms, arrays, spec)
    return ",".join(terms) + "->" + result, arrays


def _from_index_lists(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    pairs = operands[: len(operands) // 2 * 2]
    arrays = [array(o) for o in pairs[::2]]
    spec = ",".join(_spell(ids) for ids in pairs[1::2])
    if len(operands) % 2:
        spec += "->" + _spell(operands[-1])
    return spec, arrays


def _spell(indices: Any) -> str:
    return "".join("..." if i is Ellipsis else LETTERS[i] for i in indices)


def _expand_ellipses(
    terms: list[str], right: str | None, arrays: list[Any], spec: str
) -> tuple[list[str], str | None]:
    widths = [a.ndim - len(t.replace("...", "")) for t, a in zip(terms, arrays, strict=True)]
    for t, a, w in zip(terms, arrays, widths, strict=True):
        if w < 0 or (w > 0 and "..." not in t):
            raise ShapeMismatchError(
                f"einsum term {t!r} names {len(t.replace('...', ''))} axes, but its operand is "
                f"{describe(a)}.",
                where=here(),
                hint=f"the pattern is {spec!r}.",
            )
    used = set(spec)
    free = [c for c in (letter(i) for i in range(150)) if c not in used]
    width = max((w for t, w in zip(terms, widths, strict=True) if "..." in t), default=0)
    names = "".join(free[:width])
    terms = [
        t.replace("...", names[width - w :] if w else "")
        for t, w in zip(terms, widths, strict=True)
    ]
    if right is not None:
        return terms, right.replace("...", names)
    if not width:
        return terms, None
    flat = "".join(terms)
    single = sorted(c for c in set(flat) - set(names) if flat.count(c) == 1)
    return terms, names + "".join(single)


def _check_result(right: str, terms: list[str], spec: str) -> None:
    for c in right:
        if right.count(c) > 1:
            raise ValueError(f"einsum result of {spec!r} includes index {c!r} more than once")
        if not any(c in t for t in terms):
            raise ValueError(f"einsum result of {spec!r} has index {c!r}, which no operand has")


def _drop_broadcast(terms: list[str], arrays: list[Any], spec: str) -> tuple[list[str], list[Any]]:
    sizes: dict[str, tuple[int, int]] = {}
    for k, (t, a) in enumerate(zip(terms, arrays, strict=True)):
        for c, n in zip(t, a.shape, strict=True):
            known = sizes.get(c)
            if known is None or known[0] == 1:
                sizes[c] = (n, k)
            elif n not in (1, known[0]):
                raise ShapeMismatchError(
                    f"einsum index {c} has size {known[0]} in operand {known[1]} "
                    f"({describe(arrays[known[1]])}) but size {n} in operand {k} ({describe(a)}).",
                    where=f"{spec}\n{here()}",
                )
    new_terms, new_arrays = [], []
    for t, a in zip(terms, arrays, strict=True):
        keep = [n == sizes[c][0] for c, n in zip(t, a.shape, strict=True)]
        new_terms.append("".join(c for c, k in zip(t, keep, strict=True) if k))
        shape = tuple(n for n, k in zip(a.shape, keep, strict=True) if k)
        new_arrays.append(a if all(keep) else plain_reshape(a, shape))
    return new_terms, new_arrays

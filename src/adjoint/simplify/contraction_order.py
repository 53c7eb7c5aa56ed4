"""The order in which the factors of a contraction are multiplied.

Forward, reverse and cross-country mode are three such orders; the cheapest is found by opt_einsum
(Smith and Gray, *Journal of Open Source Software*, 2018) or, for up to four factors, by trying all.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations

from adjoint.simplify.expression import Term

Pair = tuple[int, int]
Shape = tuple[tuple[int, ...], ...]


def pairwise(e: Term) -> tuple[tuple[Pair, ...], float, float]:
    """The pairs of factors to multiply, one after the other, each product put at the end of the
    list; and the floating-point operations and bytes written that this takes."""
    terms = tuple([labels for _, labels in e.factors])
    return cheapest_order(terms, e.out, tuple(e.sizes.items()))


@lru_cache(maxsize=4096)
def cheapest_order(
    terms: Shape, out: tuple[int, ...], sizes: tuple[tuple[int, int], ...]
) -> tuple[tuple[Pair, ...], float, float]:
    """As `pairwise`, of the indices of the factors, those of the result, and their lengths."""
    extent = dict(sizes)
    if len(terms) < 2:
        read = math.prod(extent[i] for i in set(terms[0])) if terms else 0
        written = 8.0 * math.prod(extent[i] for i in out)
        return (), float(read if terms and set(terms[0]) - set(out) else 0), written
    if len(terms) > 4:
        return _by_opt_einsum(terms, out, extent)
    return _search(terms, out, extent)


def _search(
    terms: Shape, out: tuple[int, ...], extent: dict[int, int]
) -> tuple[tuple[Pair, ...], float, float]:
    """All orders of at most four factors."""
    if len(terms) == 1:
        return (), 0.0, 0.0
    best: tuple[tuple[Pair, ...], float, float] | None = None
    for i, j in combinations(range(len(terms)), 2):
        rest = [t for k, t in enumerate(terms) if k not in (i, j)]
        result, flops, written = _step(terms[i], terms[j], rest, out, extent)
        path, more, later = _search((*rest, result), out, extent)
        if best is None or (flops + more, written + later) < best[1:]:
            best = ((i, j), *path), flops + more, written + later
    assert best is not None
    return best


def _step(
    a: tuple[int, ...],
    b: tuple[int, ...],
    rest: list[tuple[int, ...]],
    out: tuple[int, ...],
    extent: dict[int, int],
) -> tuple[tuple[int, ...], float, float]:
    needed = set(out).union(*rest)
    both = dict.fromkeys((*a, *b))
    result = tuple(i for i in both if i in needed)
    volume = math.prod(extent[i] for i in both)
    summed = len(result) < len(both)
    size = math.prod(extent[i] for i in result)
    return result, float(volume * (1 + summed)), 8.0 * size


def _by_opt_einsum(
    terms: Shape, out: tuple[int, ...], extent: dict[int, int]
) -> tuple[tuple[Pair, ...], float, float]:
    import opt_einsum

    letters = {i: opt_einsum.get_symbol(i) for i in extent}
    spec = ",".join("".join(letters[i] for i in t) for t in terms)
    present = {i for t in terms for i in t}
    spec += "->" + "".join(letters[i] for i in dict.fromkeys(out) if i in present)
    shapes = [tuple(extent[i] for i in t) for t in terms]
    found, _ = opt_einsum.contract_path(spec, *shapes, shapes=True, optimize="auto")
    path: list[Pair] = []
    left = list(terms)
    flops = written = 0.0
    for step in found:
        i, j = sorted(step)[:2] if len(step) > 1 else (0, 0)
        if len(step) < 2:
            continue
        path.append((i, j))
        rest = [t for k, t in enumerate(left) if k not in (i, j)]
        result, more, size = _step(left[i], left[j], rest, out, extent)
        left = [*rest, result]
        flops, written = flops + more, written + size
    return tuple(path), flops, written

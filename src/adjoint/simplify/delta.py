"""Kronecker deltas: eliminated by giving two indices one name.

Σ_j δ_ij x_j = x_i needs no product with an identity matrix, only a renaming (Laue, Mitterreiter and
Giesen, NeurIPS 2018, section 3).  A delta between two indices of the result stays, as an index that
the result repeats.
"""

from __future__ import annotations

from adjoint.simplify.expression import Apply, Factor, Labels, Sum, Term


class Renaming:
    """Which labels are equal, as a forest in which every label points towards its name."""

    __slots__ = ("_parent",)

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def __call__(self, label: int) -> int:
        """The name of a label.

        >>> same = Renaming()
        >>> same.unify(3, 7)
        >>> same(7), same(4)
        (3, 4)
        """
        parent = self._parent
        root = label
        while root in parent:
            root = parent[root]
        while label != root:
            parent[label], label = root, parent[label]
        return root

    def __bool__(self) -> bool:
        """Whether any two labels are equal."""
        return bool(self._parent)

    def unify(self, a: int, b: int) -> None:
        """From now on a and b are one index: Σ_b δ_ab f(b) = f(a)."""
        a, b = self(a), self(b)
        if a != b:
            self._parent[max(a, b)] = min(a, b)

    def apply(self, labels: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([self(i) for i in labels])


def cancel_inverses(factors: list[Factor], out: Labels, same: Renaming) -> list[Factor]:
    """A⁻¹ A = I: where only the two share an index, they are a delta between the others."""
    while True:
        found = _inverse_pair(factors, out)
        if found is None:
            return factors
        i, j, a, b = found
        same.unify(a, b)
        factors = [(f, same.apply(ls)) for k, (f, ls) in enumerate(factors) if k not in (i, j)]
        out = same.apply(out)


def _inverse_pair(factors: list[Factor], out: Labels) -> tuple[int, int, int, int] | None:
    """Two factors A⁻¹ and A that share a summed index, and the two indices that are then equal."""
    for i, (e, outer) in enumerate(factors):
        if not (isinstance(e, Apply) and e.name == "inv" and len(set(outer)) == 2):
            continue
        for j, (other, inner) in enumerate(factors):
            if other is not e.args[0] or len(set(inner)) != 2:
                continue
            # A⁻¹[a, s] A[s, b] = δ[a, b], and A[a, s] A⁻¹[s, b] = δ[a, b].
            for k in (0, 1):
                shared, left = outer[1 - k], (outer[k], inner[1 - k])
                if inner[k] != shared or shared in out or _uses(factors, shared) != 2:
                    continue
                # Summed here and nowhere else, they would be one index that nothing has: n times 1.
                if any(i in out or _uses(factors, i) > left.count(i) for i in left):
                    return i, j, *left
    return None


def _uses(factors: list[Factor], label: int) -> int:
    return sum(labels.count(label) for _, labels in factors)


def summed_delta(factors: list[Factor], out: Labels) -> int | None:
    """The place of a sum one of whose terms is a delta over a summed index: (A + I) B = AB + B
    saves a product with the identity, so only there products are distributed over sums."""
    for place, (e, labels) in enumerate(factors):
        if type(e) is not Sum or not e.has_delta:
            continue
        for t in e.terms:
            if isinstance(t, Term) and t.has_delta:
                repeated = {i for k, i in enumerate(labels) if t.out.count(t.out[k]) > 1}
                if repeated - set(out):
                    return place
    return None

"""What the terms of a sum have in common: ABx + ACx = A (B + C) x.

Which summed index of one term is which of another shows where both belong to a factor that has an
index known already.  So the search begins with one factor and goes from factor to factor along the
indices, as one finds a subgraph that two graphs share.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from adjoint.simplify.einstein import product
from adjoint.simplify.expression import Expr, Factor, Labels, Term, raw_term, unwrapped


class Common:
    """Factors that all of some products have, with one name for what is one index.

    Names below ``rank`` are the places of the result, the others those of summed indices.
    ``places`` says, per product, which of its factors these are.
    """

    def __init__(self, views: Sequence[Term], rank: int) -> None:
        self.factors: list[Factor] = []
        self.places: list[list[int]] = [[] for _ in views]
        self._views = views
        self._names = [{i: v.out.index(i) for i in v.out} for v in views]
        self._rank = self._fresh = rank

    def take(self, places: Sequence[int]) -> None:
        """A factor that stands at these places in the products."""
        factors = [v.factors[k] for v, k in zip(self._views, places, strict=True)]
        found = []
        for labels in zip(*[labels for _, labels in factors], strict=True):
            name = self._names[0].get(labels[0])
            if name is None:
                name, self._fresh = self._fresh, self._fresh + 1
                for names, i in zip(self._names, labels, strict=True):
                    names[i] = name
            found.append(name)
        self.factors.append((factors[0][0], tuple(found)))
        for own, k in zip(self.places, places, strict=True):
            own.append(k)

    def take_others(self, allowed: Container[Expr]) -> None:
        """What else they share: first whatever has an index in common with what was found, then
        the rest."""
        first = self._views[0].factors
        waiting = [k for k, (f, _) in enumerate(first) if f in allowed and k not in self.places[0]]
        for connected in (True, False):
            while waiting:
                later = []
                for k in waiting:
                    pattern = self._pattern(0, first[k][1])
                    if connected and pattern and max(pattern) < 0:
                        later.append(k)
                    elif places := self._everywhere(k, pattern):
                        self.take(places)
                if len(later) == len(waiting):
                    break
                waiting = later

    def _pattern(self, which: int, labels: Labels) -> Labels:
        """The names of indices, below zero for those that have none yet."""
        names = self._names[which]
        return tuple([names[i] if i in names else -1 - labels.index(i) for i in labels])

    def _everywhere(self, place: int, pattern: Labels) -> list[int] | None:
        """Where the products have this factor of the first one, with the same names of indices;
        None if one has it not."""
        found = [place]
        f = self._views[0].factors[place][0]
        for which, view in enumerate(self._views):
            for k, (other, labels) in enumerate(view.factors if which else ()):
                free = other is f and k not in self.places[which]
                if free and self._pattern(which, labels) == pattern:
                    found.append(k)
                    break
            if len(found) <= which:
                return None
        return found

    def left_over(self, most: int) -> Labels:
        """The indices of what is left of the products: at most so many.

        Factors go back to their products, the last ones first, where there are more, or where some
        products have an index that others do not have, such as in xyᵀ + 𝟏zᵀ.  A number may be added
        to each element of an array: X ∘ Y + X = X ∘ (Y + 1).
        """
        while True:
            needed = [self._needed(which) for which in range(len(self._views))]
            kept: set[int] = set().union(*needed)
            if max(kept, default=0) < self._rank:
                needed = [own for own in needed if own]
            flat = kept.difference(needed[0].intersection(*needed)) if len(kept) > 1 else set()
            if not flat and len(kept) <= most:
                return tuple(sorted(kept))
            back = [k for k, (_, ls) in enumerate(self.factors) if not flat or flat & {*ls}]
            if not back or len(self.factors) == 1:
                self.factors = []
                return ()
            self._give_back(back[-1])

    def _give_back(self, which: int) -> None:
        del self.factors[which]
        for own in self.places:
            del own[which]
        present = {i for _, labels in self.factors for i in labels}.union(range(self._rank))
        self._names = [{i: n for i, n in own.items() if n in present} for own in self._names]

    def _needed(self, which: int) -> set[int]:
        view, names, gone = self._views[which], self._names[which], self.places[which]
        used = {i for k, (_, labels) in enumerate(view.factors) if k not in gone for i in labels}
        found = {names[i] for i in used if i in names}
        if view.has_delta:
            found |= {k for k, i in enumerate(view.out) if i in used or view.out.count(i) > 1}
        return found

    def rests(self, kept: Labels) -> list[Expr]:
        """The products without the factors, as arrays with the indices ``kept``."""
        return [self._rest(which, kept) for which in range(len(self._views))]

    def _rest(self, which: int, kept: Labels) -> Expr:
        view, gone = self._views[which], self.places[which]
        left = tuple([pair for k, pair in enumerate(view.factors) if k not in gone])
        if view.is_pointwise:  # and is so without them
            if kept != view.out:
                left = tuple([(f, tuple(map(kept.index, labels))) for f, labels in left])
            sizes = dict(enumerate([view.sizes[i] for i in kept]))
            return unwrapped(raw_term(view.coefficient, left, tuple(sizes), sizes))
        label_of = {name: i for i, name in self._names[which].items()}
        out = tuple([view.out[k] if k < self._rank else label_of[k] for k in kept])
        used = set(out).union(*[labels for _, labels in left])
        sizes = {i: n for i, n in view.sizes.items() if i in used}
        return product(view.coefficient, left, out, sizes)


__all__ = ["Common"]

"""vectorize for functions of traced numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.tracer import Tracer
from adjoint.numpy._wrapping import holds_traced
from adjoint.primitives.shaping import array


class vectorize(np.vectorize):
    """``np.vectorize``, also for traced arguments: one call for each element.

    >>> import numpy as np, adjoint as ad, adjoint.numpy as anp
    >>> relu = anp.vectorize(lambda t: t if t > 0 else 0.0)
    >>> ad.grad(lambda x: np.sum(relu(x)))(np.array([-1.0, 2.0]))
    array([0., 1.])
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = (*args, *kwargs.values())
        if not any(isinstance(a, Tracer) or holds_traced(a) for a in given):
            return super().__call__(*args, **kwargs)
        if getattr(self, "signature", None) is not None:
            raise NotImplementedError(
                "vectorize with a signature does not take traced values; use ad.vmap(f)"
            )
        function: Callable[..., Any] = getattr(self, "pyfunc")  # noqa: B009
        excluded: Any = getattr(self, "excluded", ())
        places: list[Any] = [i for i in range(len(args)) if i not in excluded]
        places += [name for name in kwargs if name not in excluded]
        arrays = np.broadcast_arrays(
            *(array(args[p] if isinstance(p, int) else kwargs[p]) for p in places)
        )
        found = [
            _call(function, args, kwargs, dict(zip(places, (a[i] for a in arrays), strict=True)))
            for i in np.ndindex(*arrays[0].shape)
        ]
        if found and isinstance(found[0], tuple):
            columns = zip(*found, strict=True)
            return tuple(np.reshape(array(list(c)), arrays[0].shape) for c in columns)
        return np.reshape(array(found), arrays[0].shape)


def _call(function: Any, args: Any, kwargs: Any, elements: dict[Any, Any]) -> Any:
    positional = [elements.get(i, a) for i, a in enumerate(args)]
    return function(*positional, **{k: elements.get(k, v) for k, v in kwargs.items()})

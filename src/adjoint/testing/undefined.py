"""Asking to be told where a derivative exists by convention only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adjoint.primitives.undefined import ENABLED


@contextmanager
def warn_undefined() -> Iterator[None]:
    """Within this context, a derivative that is 0 by convention warns.

    At (0, 0) `arctan2` and `hypot`, and at 0 a norm or the root of a sum of squares, have no
    derivative; Adjoint takes 0, silently unless it is asked to say so: an
    `UndefinedDerivativeWarning` here, or everywhere with ``ADJOINT_WARN_UNDEFINED=1`` in the
    environment.

    >>> import warnings, numpy as np, adjoint as ad
    >>> from adjoint.testing import warn_undefined
    >>> with warn_undefined(), warnings.catch_warnings(record=True) as found:
    ...     warnings.simplefilter("always")
    ...     slope = ad.grad(lambda x: np.arctan2(x, 0.0))(0.0)
    >>> float(slope), str(found[0].message).split(";")[0]
    (0.0, 'arctan2(y, x) at (0, 0) has no derivative')
    """
    token = ENABLED.set(True)
    try:
        yield
    finally:
        ENABLED.reset(token)

"""Taylor mode: whole power series pushed through a graph.

`series_of` is the transform.  A primitive needs no rule of its own for it: its first-order rule is
enough (`adjoint.transforms.taylor.walk`).  Where a recurrence is cheaper or exact, or where a body
has to be run on series, there is one in the other modules here.
"""

from adjoint.transforms.taylor import elementary as _elementary
from adjoint.transforms.taylor.series import Series, factorial
from adjoint.transforms.taylor.walk import series_of

del _elementary

__all__ = ["Series", "factorial", "series_of"]

"""Enclosures: a graph evaluated on intervals, so that the result holds at every point of them.

`evaluate` is the walk.  What a primitive does with intervals is a row in `elementary`,
`special`, `structural` or `linear_algebra`; arithmetic that rounds outward is in `interval`.
"""

from adjoint.enclosure.interval import Interval, segment
from adjoint.enclosure.walk import evaluate

__all__ = ["Interval", "evaluate", "segment"]

"""The graph: types, nodes, tracing and evaluation.

Everything Adjoint does is a function from graph to graph.  This floor knows what a node is and how
plain NumPy code makes nodes; it knows no primitive by name.
"""

from adjoint.graph import operators  # noqa: F401  (gives traced values their operators)

"""Pictures, with Matplotlib: `pip install adjoint[plots]`.

Every function returns a Matplotlib figure, to be shown in a notebook or kept with ``savefig``, and
draws on the ``axes`` it is given, if any.
"""

from adjoint.plots.one_variable import plot_convergence, plot_secants, plot_tangent, plot_taylor
from adjoint.plots.two_variables import plot_gradient_field, plot_path

__all__ = [
    "plot_convergence",
    "plot_gradient_field",
    "plot_path",
    "plot_secants",
    "plot_tangent",
    "plot_taylor",
]

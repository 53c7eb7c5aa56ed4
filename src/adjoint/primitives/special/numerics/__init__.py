"""Numerical kernels for derivatives that neither NumPy nor SciPy can evaluate."""

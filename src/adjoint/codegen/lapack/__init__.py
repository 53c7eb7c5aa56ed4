"""Linear algebra in kernels: LAPACK through the pointers that SciPy exports."""

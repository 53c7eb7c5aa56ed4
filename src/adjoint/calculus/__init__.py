"""The public transforms: derivatives of every kind, as functions of functions."""

"""Derivatives as linear maps that keep their structure: products and solves without the array."""

from adjoint.operators.structured import StructuredOperator

__all__ = ["StructuredOperator"]

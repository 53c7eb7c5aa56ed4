"""Why NumPy evaluates a scalar function between native segments: the functions without native code,
each with its reason. Every other one in the registry has an emitter."""

from __future__ import annotations

from adjoint.codegen.special_symbols import FLOAT_ORDERS, special_name
from adjoint.codegen.vector_math import scalar_function
from adjoint.graph.primitive import Primitive
from adjoint.primitives.special.function import SpecialFunction

_CUTS = "it warns where a float order is cut to an integer; integer orders are native"
_UNEXPORTED = "SciPy exports no C function of it"
_COMPLEX = "it computes with complex numbers"
_ALGORITHM = "an algorithm on whole arrays, whose number of steps depends on the values"

REASONS: dict[str, str] = {
    **dict.fromkeys(FLOAT_ORDERS, _CUTS),
    **dict.fromkeys(
        ("cosine_cdf", "iv_ratio", "lgam1p", "log1mexp", "log1pmx", "riemann_zeta", "scaled_exp1",
         "smirnovp", "spherical_in", "spherical_jn", "spherical_kn", "spherical_yn", "zeta"),
        _UNEXPORTED,
    ),
    **dict.fromkeys(
        ("lambertw", "hankel1", "hankel1e", "hankel2", "hankel2e", "wofz", "kelvin_0", "kelvin_1",
         "kelvin_2", "kelvin_3", "modfresnelm_0", "modfresnelm_1", "modfresnelp_0",
         "modfresnelp_1"),
        _COMPLEX,
    ),
    "bitwise_count": "its result has 8 unsigned bits, a type that loops do not compute with",
    "frexp_exponent": "an algorithm of NumPy on the bits",
    "gcd": _ALGORITHM,
    "lcm": _ALGORITHM,
}  # fmt: skip

FAMILIES = {"i0": _ALGORITHM, "sinc": _ALGORITHM}
"""Functions with all their derivatives, i0_0, i0_1, …, which are made when they are asked for."""


def reason_for_numpy(primitive: Primitive) -> str:
    """Why a function has no native code for float64 and float32; "" where it should have some.

    >>> from adjoint.primitives.special import load_rows
    >>> reason_for_numpy(load_rows()["wofz"].primitive)
    'it computes with complex numbers'
    """
    name = primitive.name
    if isinstance(primitive, SpecialFunction):
        name = name.removeprefix("scipy.")
        ours = not special_name(primitive)[0] and scalar_function(name) is None
        if name not in REASONS and ours:
            return _ALGORITHM
    family, _, order = name.rpartition("_")
    return (
        FAMILIES.get(family, "")
        if order.isdigit() and family in FAMILIES
        else (REASONS.get(name, ""))
    )

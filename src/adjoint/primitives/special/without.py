"""The ufuncs of `scipy.special` that have no row at all, each with the reason an error quotes."""

__all__ = ["WITHOUT_DERIVATIVE"]

_CHARACTERISTIC = "it is an eigenvalue found by iteration, and SciPy has no derivative of it"
_NONCENTRAL = (
    "it solves for the degrees of freedom of a noncentral distribution, in which SciPy has no "
    "derivative of the distribution"
)
_SECOND_KIND = (
    "SciPy's values of it have errors of order one at ordinary points, so no derivative would "
    "agree with them"
)

WITHOUT_DERIVATIVE: dict[str, str] = {
    "mathieu_a": _CHARACTERISTIC,
    "mathieu_b": _CHARACTERISTIC,
    "pro_cv": _CHARACTERISTIC,
    "obl_cv": _CHARACTERISTIC,
    "pro_rad2": _SECOND_KIND,
    "pro_rad2_cv": _SECOND_KIND,
    "obl_rad2": _SECOND_KIND,
    "obl_rad2_cv": _SECOND_KIND,
    "chndtridf": _NONCENTRAL,
    "ncfdtridfd": _NONCENTRAL,
    "ncfdtridfn": _NONCENTRAL,
    "nctdtridf": _NONCENTRAL,
}

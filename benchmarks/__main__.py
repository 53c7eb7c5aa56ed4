"""Run benchmarks by name:  python -m benchmarks [--all-cores] [core] [native] [peers] …

Without a name, all that compare Adjoint with NumPy and with other libraries.  Every suite runs on
one core with one BLAS thread, so that its ratios mean something; with ``--all-cores``, which only
``peers`` knows, on those that are free.
"""

import importlib
import importlib.util
import os
import platform
import sys

from benchmarks.measure import cores, pin

SUITES = {
    "core": "benchmarks.core",
    "native": "benchmarks.native",
    "linear_algebra": "benchmarks.linear_algebra",
    "peers": "benchmarks.peers",
    "products": "benchmarks.products",
    "taylor": "benchmarks.taylor",
    "loops": "benchmarks.loops",
    "calls": "benchmarks.call_overhead",
    "simplification": "benchmarks.simplification",
    "likelihoods": "benchmarks.likelihoods",
    "vector_math": "benchmarks.vector_math_accuracy",
}
BY_DEFAULT = (
    "core", "native", "linear_algebra", "peers", "taylor", "loops", "calls", "simplification",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run the suites named, or those that compare."""
    all_cores = "--all-cores" in names
    names = [name for name in names if name != "--all-cores"] or ["peers"] * all_cores
    present = {name for name, module in SUITES.items() if importlib.util.find_spec(module)}
    unknown = [name for name in names if name not in present]
    if unknown or {"-h", "--help"} & set(names):
        stream = sys.stdout if {"-h", "--help"} & set(names) else sys.stderr
        if stream is sys.stderr:
            print(f"benchmarks: there is no suite {unknown[0]}.", file=stream)
        print(f"python -m benchmarks [--all-cores] [{'] ['.join(sorted(present))}]", file=stream)
        return 2 if stream is sys.stderr else 0
    if all_cores and names != ["peers"]:
        print("benchmarks: --all-cores is for peers; the others measure one core.", file=sys.stderr)
        return 2
    where = _use_cores(all_cores)
    numpy = importlib.import_module("numpy")
    print(f"Python {platform.python_version()}, NumPy {numpy.__version__}, {platform.machine()}, "
          f"{where}, BLAS threads: {os.environ['OPENBLAS_NUM_THREADS']}")  # fmt: skip
    for name in names or [n for n in BY_DEFAULT if n in present]:
        # A suite reads the command line too: it is not meant for it.
        sys.argv = [name]
        importlib.import_module(SUITES[name]).main()
    return 0


def _use_cores(every: bool) -> str:
    """Bind the process to its cores, and BLAS to as many threads; NumPy reads that when it is
    first imported."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if every:
            os.environ[variable] = str(cores())
        else:
            os.environ.setdefault(variable, "1")
    return f"on {cores()} cores" if every else pin()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

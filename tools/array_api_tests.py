"""Runs the public array-api-tests suite on adjoint.numpy and on NumPy, and compares.

The suite is a project of its own (data-apis/array-api-tests).  Where a checkout with its submodule
is present, name it:

    ARRAY_API_TESTS=path/to/array-api-tests python tools/array_api_tests.py [--max-examples 5]

Without one the script says so and exits with 0.  It exits with 1 if a test passes for NumPy and
fails for adjoint.numpy, each of these having been run once more for both: the suite draws its
examples at random.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = re.compile(
    r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (array_api_tests/\S+?::.*?)(?: - .*)?$"
)
OUTCOMES = {"PASSED", "FAILED", "ERROR"}


def outcomes(
    suite: Path, module: str, examples: int, tests: list[str], limit: int
) -> dict[str, str]:
    """How each test ended, by its name."""
    environment = {**os.environ, "ARRAY_API_TESTS_MODULE": module, "OPENBLAS_NUM_THREADS": "1"}
    source = str(ROOT / "src")
    environment["PYTHONPATH"] = os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", *(tests or ["array_api_tests"]), "-q", "-rA"]
    command += ["--tb=no", "-p", "no:cacheprovider", "--disable-deadline", "--derandomize"]
    command += [f"--max-examples={examples}"]
    run = subprocess.run(
        command, cwd=suite, env=environment, capture_output=True, text=True, timeout=limit
    )
    found = {m[2]: m[1] for line in run.stdout.splitlines() if (m := RESULT.match(line))}
    if not OUTCOMES & set(found.values()):
        sys.exit(f"the suite did not run for {module}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return found


def worse(ours: dict[str, str], numpys: dict[str, str]) -> list[str]:
    """The tests that pass for NumPy and not for us."""
    return sorted(t for t in numpys if numpys[t] == "PASSED" and ours.get(t) != "PASSED")


def count(found: dict[str, str]) -> str:
    passed = sum(outcome == "PASSED" for outcome in found.values())
    failed = sum(outcome in ("FAILED", "ERROR") for outcome in found.values())
    return f"{passed} passed, {failed} failed"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--max-examples", type=int, default=5)
    parser.add_argument("--limit", type=int, default=280, help="seconds for each of the two runs")
    parser.add_argument("tests", nargs="*", help="files or tests of the suite; all by default")
    options = parser.parse_args()
    place = os.environ.get("ARRAY_API_TESTS", "")
    suite = Path(place) if place else ROOT / "array-api-tests"
    if not (suite / "array_api_tests").is_dir():
        print("array-api-tests: no checkout here; set ARRAY_API_TESTS to the path of one.")
        return 0
    runs = {
        module: outcomes(suite, module, options.max_examples, options.tests, options.limit)
        for module in ("numpy", "adjoint.numpy")
    }
    for module, found in runs.items():
        print(f"{module:14} {count(found)}")
    suspects = worse(runs["adjoint.numpy"], runs["numpy"])
    if suspects:
        again = [
            outcomes(suite, module, options.max_examples, suspects, options.limit)
            for module in ("adjoint.numpy", "numpy")
        ]
        suspects = worse(*again)
    for test in suspects:
        print(f"passes for NumPy only: {test}")
    return 1 if suspects else 0


if __name__ == "__main__":
    sys.exit(main())

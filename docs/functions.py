"""Write the table of functions:  python docs/functions.py

The table is that of `adjoint primitives --markdown`: every function of the registry, tried on a
small sample.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from adjoint.cli.inventory import Entry, inventory
from adjoint.cli.primitives import RULES, as_markdown

TARGET = Path(__file__).with_suffix(".md")

HEAD = """\
# Functions

What can be traced, found by trying: each function is called on traced values, differentiated
forward and in reverse, expanded to third order (Taylor), batched with `vmap`, and translated for
the native back end. `adjoint primitives` prints this table, and `adjoint primitives NAME` one row.

* *zero*: the derivative is 0 wherever it exists.
* *partly*: compiled, with some steps left to NumPy.
* *-*: there is nothing to differentiate, or nothing to do.

{counts}

"""


def counts(entries: list[Entry]) -> str:
    """How many functions have each rule, as a sentence."""
    able = Counter(rule for e in entries for rule in RULES if getattr(e, rule) in ("yes", "partly"))
    parts = ", ".join(f"{rule} {able[rule]}" for rule in RULES)
    return f"{len(entries)} functions; of these {parts}."


def main() -> None:
    """Write the table beside this script."""
    entries = inventory()
    TARGET.write_text(HEAD.format(counts=counts(entries)) + as_markdown(entries) + "\n", "utf-8")
    print(TARGET)


if __name__ == "__main__":
    main()

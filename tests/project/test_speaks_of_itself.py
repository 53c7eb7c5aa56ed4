"""The repository holds for every reader: it names no folder and no package index of one machine."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTING = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")

# Put together from pieces, so that this file passes its own test.
FOLDERS = ("work", "root", "home", "Users", "tmp/brief")
OPTIONS = ("index-url", "find-links", "trusted-host")
LOCAL = re.compile(
    r"(?<![\w.~}])/(?:" + "|".join(FOLDERS) + r")/\w"
    r"|(?:--|PIP_)(?:extra[-_])?(?:" + "|".join(OPTIONS).replace("-", "[-_]") + ")",
    re.IGNORECASE,
)


def files_of_the_project() -> list[Path]:
    """What git tracks or would track; outside a repository, all that is not hidden."""
    listing = subprocess.run(LISTING, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not hidden(path.relative_to(ROOT))]
    return [path for path in paths if path.is_file()]


def hidden(path: Path) -> bool:
    return any(part.startswith(".") and part != ".ci" for part in path.parts)


def mentions(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if LOCAL.search(line):
            yield f"{number}: {line.strip()[:100]}"


def text_of(path: Path) -> str:
    """The text of a file, or nothing if it holds something else, such as a picture."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_file_names_a_place_on_one_machine() -> None:
    files = files_of_the_project()
    assert files
    found = [f"{path.relative_to(ROOT)}:{hit}" for path in files for hit in mentions(text_of(path))]
    assert not found, "\n  ".join(["these lines hold on one machine only:", *found])


@pytest.mark.parametrize(
    "line",
    [
        "see /" + "work/notes.txt",
        "open('/" + "home/someone/data.csv')",
        "pip install --extra-" + "index-url there",
        "PIP_" + "INDEX_URL=there make test",
    ],
    ids=["folder", "data", "option", "variable"],
)
def test_a_local_place_is_seen(line: str) -> None:
    assert list(mentions(line)) == [f"1: {line}"]


@pytest.mark.parametrize("line", ["src/work/notes.txt", "PYTHON=/path/to/python3", "a / root / b"])
def test_other_paths_are_fine(line: str) -> None:
    assert not list(mentions(line))

"""Where in the user's file a node was made."""

from __future__ import annotations

import linecache
import os
import sys
from types import CodeType

import numpy as np

Site = tuple[CodeType, int]

_NUMPY = os.path.dirname(os.path.abspath(np.__file__))
_NOT_THE_USERS = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
    _NUMPY + os.sep,
    os.path.join(os.path.dirname(_NUMPY), "scipy", ""),
)


def current_site() -> Site | None:
    """The innermost frame of the user; its line is found only when it is printed."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        back = frame.f_back
        if back is None:
            return None
        frame = back
    return frame.f_code, frame.f_lasti


def line_number(site: Site) -> int:
    """The line of the instruction at a site."""
    code, instruction = site
    position = instruction // 2
    for index, (line, *_rest) in enumerate(code.co_positions()):
        if index == position:
            return line or code.co_firstlineno
    return code.co_firstlineno


def describe_site(site: Site | None) -> str:
    """``at model.py:18:  return A @ x - b``, or nothing when there is no user code."""
    if site is None:
        return ""
    filename, line = site[0].co_filename, line_number(site)
    text = linecache.getline(filename, line).strip()
    shown = os.path.basename(filename) if os.path.sep in filename else filename
    return f"at {shown}:{line}:  {text}" if text else f"at {shown}:{line}"


def here() -> str:
    """The description of the current user line."""
    return describe_site(current_site())

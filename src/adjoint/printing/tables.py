"""Tables that print as aligned text, and as HTML in notebooks."""

from __future__ import annotations

import html
from collections.abc import Sequence


class Table:
    """A base for results that are tables: what has ``headings`` and ``rows`` prints itself.

    ``right`` says that columns are aligned at the right, as numbers are; ``title`` and ``remark``
    stand above and below.
    """

    headings: tuple[str, ...] = ()
    right = False

    @property
    def rows(self) -> Sequence[tuple[str, ...]]:
        """The cells as text, one tuple per row."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """A line above the table, or nothing."""
        return ""

    @property
    def remark(self) -> str:
        """A line below the table, or nothing."""
        return ""

    def __str__(self) -> str:
        table = [self.headings, *self.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(self.headings))]
        adjust = str.rjust if self.right else str.ljust
        lines = [
            "  ".join(adjust(c, w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join(line for line in (self.title, *lines, self.remark) if line)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(h)}</th>" for h in self.headings)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>"
            for row in self.rows
        )
        around = [
            f"<p>{html.escape(text)}</p>" if text else "" for text in (self.title, self.remark)
        ]
        return f"{around[0]}<table><tr>{head}</tr>{body}</table>{around[1]}"


__all__ = ["Table"]

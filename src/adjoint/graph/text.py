"""Graphs as text, for error messages and for people."""

from __future__ import annotations

from typing import Any

from adjoint.graph.arraytype import describe
from adjoint.graph.ir import Graph, Node
from adjoint.graph.scope import NO_SCOPES


def format_graph(graph: Graph) -> str:
    """One line per node: ``c: f64[3] = add a b``."""
    names: dict[Node, str] = {}

    def name(node: Node) -> str:
        if node.scopes is NO_SCOPES and node.primitive.name == "constant":
            return describe(node.value)
        return names.setdefault(node, _letters(len(names)))

    inputs = ", ".join(f"{name(n)}: {n.type}" for n in graph.inputs)
    lines = [f"({inputs}) ->"]
    for node in graph.nodes:
        args = " ".join(name(n) for n in node.inputs)
        params = "".join(f" {k}={_short(v)}" for k, v in node.params.items())
        types = node.result_type
        shown = types if not isinstance(types, list) else tuple(types)
        lines.append(f"  {name(node)}: {shown} = {node.primitive.name} {args}{params}")
    lines.append("  return " + ", ".join(name(n) for n in graph.outputs))
    return "\n".join(lines)


def _letters(index: int) -> str:
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(97 + rest) + text
    return text


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else text[:57] + "..."

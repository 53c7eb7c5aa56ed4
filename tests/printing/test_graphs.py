"""The computation graph as a picture: its layout, its text formats, and its size."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentError

A = np.array([[2, 1], [1, 20]])
DATA = np.random.default_rng(0).normal(size=(32, 8))


def worked(x):
    return np.sqrt(x**2 + np.exp(x**2)) + np.cos(x**2 + np.exp(x**2))


def network(W, b, v):
    return ((np.tanh(DATA @ W + b) @ v) ** 2).mean()


def loop(x, steps):
    s = x
    for _ in range(steps):
        s = np.sin(s) * x
    return s


def network_graph():
    return ad.graph(network, values=True)(np.ones((8, 32)), np.zeros(32), np.ones(32))


GRAPHS = {
    "worked": lambda: ad.graph(worked, values=True)(1.1),
    "matrix": lambda: ad.graph(lambda x: x @ A @ x + x[0], values=True)(np.ones(2)),
    "network": network_graph,
    "choice": lambda: ad.graph(lambda x: np.where(x > 0, x, -x) * 1.0)(2.0),
    "loop": lambda: ad.graph(lambda x: loop(x, 20), values=True)(1.1),
}
EVERY = pytest.mark.parametrize("name", GRAPHS)

# A flowchart of Mermaid in which every text is quoted: what may then stand between the quotes is
# all but quotes, line ends, and tags other than <br/>.
_TEXT = r'"(?:[^"<>&\n]|<br/>)+"'
_NODE = re.compile(rf"  n\d+\[{_TEXT}\]")
_EDGE = re.compile(rf"  n\d+ -->(?:\|{_TEXT}\|)? n\d+")


def assert_is_flowchart(text: str) -> None:
    first, *lines = text.split("\n")
    assert first == "graph TD"
    for line in lines:
        assert _NODE.fullmatch(line) or _EDGE.fullmatch(line), line


@EVERY
def test_mermaid_is_a_flowchart(name):
    assert_is_flowchart(GRAPHS[name]().mermaid())


@pytest.mark.parametrize(
    "wrong", ["  n0 -->|∂f/∂x = [ 8. 82.]| n1", '  n0["x\n[1. 2.]"]', '  n0["a > 0"]', "  n0[x]"]
)
def test_the_checker_of_flowcharts_can_fail(wrong):
    with pytest.raises(AssertionError):
        assert_is_flowchart(f"graph TD\n{wrong}")


@EVERY
def test_boxes_and_bends_do_not_overlap(name):
    layout = GRAPHS[name]().layout
    width, height = layout.size
    for row in layout.rows:
        for item in row:
            x, y = layout.where[item]
            half = layout.width(item) / 2
            assert half <= x <= width - half and layout.height / 2 < y < height
        for a, b in pairwise(row):
            apart = layout.where[b][0] - layout.where[a][0]
            assert apart >= (layout.width(a) + layout.width(b)) / 2 + 10


@EVERY
def test_every_edge_is_a_line_from_box_to_box(name):
    graph = GRAPHS[name]()
    above = {}
    for upper, lower in graph.layout.links:
        above.setdefault(lower, []).append(upper)

    def source(item):
        return item if isinstance(item, int) else item[0]

    assert {(source(u), b) for b in above if isinstance(b, int) for u in above[b]} == {*graph.edges}
    for bend in (i for i in above if not isinstance(i, int)):
        assert [source(u) for u in above[bend]] == [bend[0]]


@EVERY
def test_lines_pass_no_box_and_arrive_apart(name):
    layout = GRAPHS[name]().layout
    ends = [points[-1] for points, tip in layout.lines() if tip]
    assert len({*ends}) == len(ends)
    for points, _ in layout.lines():
        for _, y in points:
            boxes = [layout.where[i] for i in layout.where if isinstance(i, int)]
            assert all(abs(y - at) >= layout.height / 2 - 1e-9 or x != points[0][0]
                       for x, at in boxes)  # fmt: skip


def test_texts_stay_in_their_boxes():
    graph = network_graph()
    root = ElementTree.fromstring(graph.svg())
    boxes = [e for e in root.iter() if e.tag.endswith("rect")]
    texts = [e for e in root.iter() if e.tag.endswith("text")]
    assert any("∂f/∂W" in (t.text or "") for t in texts)
    for text in texts:
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        assert any(
            float(b.get("x", "")) <= x <= float(b.get("x", "")) + float(b.get("width", ""))
            and float(b.get("y", "")) + 8 <= y <= float(b.get("y", "")) + float(b.get("height", ""))
            and 7.5 * len(text.text or "") <= float(b.get("width", ""))
            for b in boxes
        )


def test_each_box_is_as_wide_as_its_text():
    graph = network_graph()
    widths = {graph.layout.width(i) for i in range(len(graph.steps))}
    assert len(widths) > 3 and graph.layout.size[0] < 1000


def test_inputs_stand_right_above_what_reads_them():
    graph = network_graph()
    depth = dict(zip((s.name for s in graph.steps), graph.layout.depth, strict=True))
    assert depth["W"] == depth["DATA"] == 0
    assert depth["b"] == depth["a"] and depth["v"] == depth["d"]


def test_an_array_from_outside_is_a_box_with_its_name():
    graph = ad.graph(lambda x: x @ A @ x)(np.ones(2))
    assert 'n3["A: i64[2,2]"]' in graph.mermaid() and 'n1["a = x @ A"]' in graph.mermaid()
    unnamed = ad.graph(lambda x: x @ np.array([[2, 1], [1, 20]]) @ x)(np.ones(2))
    assert unnamed.mermaid() == graph.mermaid()


def test_a_function_of_nothing_is_an_empty_picture():
    graph = ad.graph(lambda: 3.0)()
    assert graph.mermaid() == "graph TD" and "<rect" not in graph.svg()


def test_keyword_arguments_are_inputs():
    graph = ad.graph(lambda x, y: x * y, values=True)(1.0, y=3.0)
    assert [s.name for s in graph.steps] == ["x", "y", "a"]


def test_three_thousand_steps_take_seconds_and_say_their_size():
    began = time.process_time()
    graph = ad.graph(lambda x: loop(x, 1500), values=True)(1.1)
    picture = graph.svg()
    assert time.process_time() - began < 10
    assert picture.count("<rect") == 3001
    width, height = graph.layout.size
    assert width < 1000
    said = f"3001 steps: a picture of {width:.0f} × {height:.0f} dots"
    assert said in repr(graph) and graph._repr_svg_() is None
    assert len(picture) < 3001 * 1000


def test_many_long_edges_run_straight():
    def stacked(x):
        kept = [x]
        for _ in range(300):
            kept.append(np.sin(kept[-1]))
        return np.stack(kept)

    layout = ad.graph(stacked)(1.1).layout
    assert len(layout.where) <= 20_000 + 302 and len(layout.links) >= 600


def test_a_picture_too_large_for_png_says_so(tmp_path: Path):
    graph = ad.graph(lambda x: loop(x, 1500))(1.1)
    with pytest.raises(ArgumentError, match=r"a PNG of 3001 steps would have \d+ × \d+ dots"):
        graph.save(tmp_path / "f.png")


@pytest.mark.parametrize("name", ["高さ", "ഉയരം", "\U00012000"])
def test_names_in_any_script_are_drawn(tmp_path: Path, name):
    spaces: dict[str, object] = {"np": np}
    exec(f"def f({name}): return np.sin({name})", spaces)  # a name that this file need not hold
    target = ad.graph(spaces["f"], values=True)(1.0).save(tmp_path / "f.png")  # type: ignore[arg-type]
    assert target.read_bytes().startswith(b"\x89PNG")


def test_an_arrowhead_only_where_a_line_ends(tmp_path: Path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, _: drawn.append(self))
    graph = ad.graph(worked)(1.1)
    graph.save(tmp_path / "f.png")
    curves, tips, boxes = drawn[0].axes[0].collections
    assert len(curves.get_paths()) == len(graph.layout.links) and len(boxes.get_paths()) == 7
    tops = sorted(y - graph.layout.height / 2 for y in
                  (graph.layout.where[b][1] for _, b in graph.edges))  # fmt: skip
    found = sorted(float(path.vertices[0][1]) for path in tips.get_paths())
    assert np.allclose(found, tops)

"""The layout of our own: nothing overlaps, data flows one way, and both pictures show all of it."""

import shutil
from xml.etree import ElementTree

import pytest

from caffe_compat.inspect.graph import Graph, _lay_out
from caffe_compat.log import names

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def without_graphviz(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


def sample(rankdir="TB"):
    """Two branches of different length, a long edge, a lonely node and a source that is read late."""
    graph = Graph('a "net" & more', rankdir)
    for key in ("start", "one", "two", "three", "other", "late", "end", "alone"):
        graph.nodes[key] = (f"{key}\n<second> line", {"fillcolor": "#FFD6CC"})
    graph.edges = [
        *[("start", "one", "1×2"), ("one", "two", ""), ("two", "three", "x & y"), ("three", "end", "")],
        *[("start", "other", ""), ("other", "end", ""), ("start", "end", "far"), ("late", "end", "")],
    ]
    graph.frames = [("3 times", ["one", "two"])]
    return graph


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
def test_data_flows_one_way_and_nothing_overlaps(rankdir):
    graph = sample(rankdir)
    layout = _lay_out(graph)
    axis, sign = (1 if rankdir in ("TB", "BT") else 0), (1 if rankdir in ("TB", "LR") else -1)
    for a, b, _ in graph.edges:
        assert sign * (layout.boxes[b][axis] - layout.boxes[a][axis]) > 0, (a, b)
    boxes = list(layout.boxes.items())
    for i, (one, (x, y, w, h)) in enumerate(boxes):
        assert x >= 0 and y >= 0 and x + w <= layout.width and y + h <= layout.height, one
        for other, (x2, y2, w2, h2) in boxes[i + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, (one, other)
    # A source stands next to what reads it, not at the start.
    ahead = sorted(layout.boxes, key=lambda key: sign * layout.boxes[key][axis])
    assert ahead.index("late") > ahead.index("two")


def test_a_long_edge_goes_around_boxes():
    layout = _lay_out(sample())
    points = next(points for points, label in layout.routes if label == "far")
    assert len(points) == 5
    for x, y in points[1:-1]:
        for bx, by, w, h in layout.boxes.values():
            assert not (bx < x < bx + w and by < y < by + h)


def test_an_edge_back_and_a_loop():
    graph = Graph(
        "loop", "TB", {"a": ("a", {}), "b": ("b", {})}, [("a", "b", ""), ("b", "a", "back"), ("a", "a", "")]
    )
    layout = _lay_out(graph)
    assert layout.boxes["a"][1] < layout.boxes["b"][1]
    (_, (back, label), _) = layout.routes
    assert label == "back"
    assert back[0][1] > back[-1][1]
    assert "back" in graph.create("svg").decode()


def test_svg_is_whole():
    root = ElementTree.fromstring(sample().create("svg"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts.count("<second> line") == 8
    assert {"start", "alone", "1×2", "x & y", "far", "3 times"} <= set(texts)
    assert len([p for p in root.findall(f"{SVG}path")]) == 8
    assert root.find(f"{SVG}title").text == 'a "net" & more'


def test_png_has_the_size_of_the_layout():
    np = pytest.importorskip("numpy")
    cv2 = pytest.importorskip("cv2")
    image = cv2.imdecode(np.frombuffer(sample().create("png"), np.uint8), cv2.IMREAD_COLOR)
    layout = _lay_out(sample())
    assert image.shape == (int(layout.height) + 1, int(layout.width) + 1, 3)
    assert ((image == (0xCC, 0xD6, 0xFF)).all(2)).sum() > 8 * 1000


def test_control_characters_of_names_are_shown():
    graph = Graph(
        "a\x1b[2J" + names.decode(b"\xe9"), "TB", {"x\x07": ("x\x07", {})}, [("x\x07", "x\x07", "b\x9b")]
    )
    assert ElementTree.fromstring(graph.create("svg")).find(f"{SVG}title").text == r"a\x1b[2J\xe9"
    dot = graph.create("dot").decode()
    assert r'digraph "a\\x1b[2J\\xe9"' in dot and r'"x\\x07" -> "x\\x07" [label="b\\x9b"]' in dot

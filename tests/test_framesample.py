"""Which frames are drawn, and what is said of them."""

import json

import pytest

from loadtests.errors import ScenarioError
from loadtests.framesample import MOST_CHARACTERS, MOST_WAITING, FrameSample

SCHEMA = {
    "type": "object",
    "properties": {"seq": {"type": "integer"}, "data": {"type": "array", "items": {"$ref": "#/$defs/name"}}},
    "additionalProperties": {"type": "boolean"},
    "required": ["seq"],
    "$defs": {"name": {"type": "string"}},
}


def test_judged_once():
    """Each is judged once, by its own time; what is wrong is told by place and rule, and never by value."""
    sample = FrameSample(SCHEMA, 1, 1)
    frames = [{"seq": 1}, {"seq": "hunter2"}, {"seq": 1, "data": ["a", {"hunter2": 1}]}, {}, ["hunter2"]]
    frames.append({"seq": 1, "hunter2": 1})
    for at, text in enumerate([*map(json.dumps, frames), "{hunter2", "[" * 200_000]):
        sample.offer(text, at)
    assert list(sample.judged()) == [
        (0, None),
        (1, 'frame at seq: the value is not of type "integer"'),
        (2, 'frame at data.*: the value is not of type "string"'),
        (3, 'frame: "seq" is a required property'),
        (4, 'frame: the value is not of type "object"'),
        (5, 'frame at *: the value is not of type "boolean"'),
        (6, "the frame is not JSON"),
        (7, "the frame is not JSON"),
    ]
    assert list(sample.judged()) == []


def test_share():
    """Of 10,000 frames a tenth is drawn, to five standard deviations (sqrt(10,000 x .1 x .9) = 30)."""
    sample, drawn = FrameSample(SCHEMA, 0.1, 1), 0
    for at in range(10_000):
        sample.offer('{"seq": 1}', at)
        drawn += len(list(sample.judged()))
    assert abs(drawn - 1000) <= 150


def test_let_go():
    """A second's bulk and a giant are not kept."""
    sample = FrameSample(SCHEMA, 1, 1)
    sample.offer('{"seq": 1}' + " " * MOST_CHARACTERS, 0)
    assert list(sample.judged()) == []
    for at in range(MOST_WAITING + 50):
        sample.offer('{"seq": 1}', at)
    assert len(list(sample.judged())) == MOST_WAITING


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "strnig"}, "cannot be used"),
        ({"$ref": "#/$defs/nobody"}, "cannot be used"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "lies elsewhere, and is not fetched"),
        ({"$ref": "file:///etc/passwd"}, "lies elsewhere, and is not fetched"),
        (7, "cannot be used"),
    ],
)
def test_no_schema(schema, said):
    """What cannot be used is refused before the load; nothing is fetched to make it so."""
    with pytest.raises(ScenarioError, match=said):
        FrameSample(schema, 1, 1)

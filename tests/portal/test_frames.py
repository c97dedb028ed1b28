"""What is understood on the socket, and what is not."""

import json
from typing import Any

import pytest

from portal.frames import FrameError, Publish, Subscribe, Unsubscribe, parse_frame

PUBLISH: dict[str, Any] = {
    "type": "publish",
    "id": 9,
    "channel": "agent.17",
    "publisher": "p3",
    "seq": 0,
    "intended_ns": 1,
    "sent_ns": 2,
    "data": {"a": [1, None, "x"]},
}


def test_the_three_frames_are_understood() -> None:
    """As the protocol writes them; an id may be a number, a text or missing."""
    assert parse_frame('{"type":"subscribe","channels":["agent.1"],"id":"s1"}') == Subscribe(
        type="subscribe", channels=["agent.1"], id="s1"
    )
    assert parse_frame('{"type":"unsubscribe","channels":["agent.1"]}') == Unsubscribe(
        type="unsubscribe", channels=["agent.1"], id=None
    )
    assert parse_frame(json.dumps(PUBLISH)) == Publish(**PUBLISH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        '{"type":"subscribe"',
        "[" * 10_000,
        '{"type":"shout","channels":["agent.1"]}',
        '{"channels":["agent.1"]}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","channels":[]}',
        '{"type":"subscribe","channels":"agent.1"}',
        '{"type":"subscribe","channels":["agents"]}',  # there is no channel of everything
        '{"type":"subscribe","channels":["agent."]}',
        '{"type":"subscribe","channels":["agent.1\\n"]}',
        '{"type":"subscribe","channels":["agent.%s"]}' % ("1" * 64),
        '{"type":"subscribe","channels":["agent.1"],"id":{}}',
        '{"type":"subscribe","channels":["agent.1"],"colour":"red"}',
        '{"type":"subscribe","channels":["agent.1"],"after":{"agent.2":1}}',
        '{"type":"subscribe","channels":["agent.1"],"after":{"agent.1":-1}}',
        '{"type":"subscribe","channels":["agent.1"],"after":["agent.1"]}',
        json.dumps({"type": "subscribe", "channels": [f"agent.{i}" for i in range(1001)]}),
    ],
)
def test_what_is_not_understood(text: str) -> None:
    """Anything else is refused with a sentence."""
    with pytest.raises(FrameError) as caught:
        parse_frame(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": -1},
        {"seq": "0"},
        {"seq": 2**63},
        {"intended_ns": 1.5},
        {"sent_ns": None},
        {"data": [1]},
        {"data": None},
        {"publisher": ""},
        {"publisher": "rest"},  # the portal's own name
        {"channel": "x" * 65},
    ],
)
def test_what_is_wrong_in_a_publish(wrong: dict[str, Any]) -> None:
    """The frame's id comes back with the refusal."""
    with pytest.raises(FrameError) as caught:
        parse_frame(json.dumps(PUBLISH | wrong))
    assert caught.value.frame_id == 9


def test_an_id_that_is_no_id_does_not_come_back() -> None:
    """Nothing unbounded or structured is echoed."""
    for frame_id in ({"a": 1}, "x" * 65, True, 1.5):
        with pytest.raises(FrameError) as caught:
            parse_frame(json.dumps(PUBLISH | {"id": frame_id}))
        assert caught.value.frame_id is None

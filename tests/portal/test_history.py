"""What is kept for those who come back."""

import random

from portal.history import CHANNEL_BYTES, FRAME_BYTES, History, Missed


def test_what_came_after_a_number_is_given_or_named_as_lost() -> None:
    """Against lists that forget nothing: every number after is either in the answer or in the gap before it."""
    draw = random.Random(7)
    history, everything = History(max_frames=4, max_bytes=10 * (CHANNEL_BYTES + FRAME_BYTES)), {}
    for _ in range(3_000):
        name = f"agent.{draw.randint(1, 12)}"
        events = everything.setdefault(name, [])
        events.append(f"{name} {len(events) + 1} " + "x" * draw.randint(0, 900))
        history.record(name, events[-1])
        for asked, all_of_it in everything.items():
            after = draw.randint(0, len(all_of_it))
            missed = history.after(asked, after, len(all_of_it))
            assert len(missed.frames) <= 4
            given_from = len(all_of_it) - len(missed.frames)
            assert missed.frames == all_of_it[given_from:]
            assert missed.lost == ((after + 1, given_from) if given_from > after else None)
    assert history.after("agent.99", 0, 0) == Missed([], None)


def test_the_channel_that_was_silent_longest_is_forgotten_first() -> None:
    """An event on a channel makes it the youngest; a bound is a bound, however long the frames."""
    weight = CHANNEL_BYTES + FRAME_BYTES + 10
    history = History(max_frames=9, max_bytes=3 * weight)
    for name in ("a.1", "a.2", "a.3"):
        history.record(name, "x" * 10)
    assert history.bytes == 3 * weight
    history.record("a.1", "y" * 10)
    assert history.after("a.2", 0, 1) == Missed([], (1, 1))
    assert history.after("a.3", 0, 1) == Missed(["x" * 10], None)
    assert history.after("a.1", 0, 2) == Missed(["x" * 10, "y" * 10], None)
    history.record("a.4", "z" * 10_000)  # longer than all that may be kept
    assert history.bytes == 0
    assert history.after("a.4", 0, 1) == Missed([], (1, 1))

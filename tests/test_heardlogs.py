"""Two processes hear the same numbers, and read the server's clock each with an error of its own."""

from __future__ import annotations

import pytest

from loadtests.heardlogs import HeardLogs

MS = 1_000_000
S = 1000 * MS
SOURCE = (True, "news", "")


class Hearing:
    """The logs of one process, whose reading of the server's clock is ahead by so much, as it may be."""

    def __init__(self, ahead_ns: int = 0) -> None:
        self.logs, self._ahead_ns = HeardLogs(), ahead_ns
        self.logs.wrong_ns = abs(ahead_ns)

    def hear(self, number: int, sent_ns: int) -> str:
        """A message came; the stream that it was entered in."""
        sent_ns += self._ahead_ns
        log = self.logs.on(SOURCE, number, sent_ns, stamped=True)
        log.heard(number, sent_ns)
        return log.stream

    def learn(self, other: Hearing) -> None:
        """What the other process heard."""
        self.logs.learn(other.logs.news())
        self.published()

    def published(self) -> dict[str, int]:
        """Of each stream: up to which number the server must have published."""
        return {log.stream: log.highest for log, _, _ in self.logs.taken(1 << 62)}


def heard(one: Hearing, other: Hearing, last: int) -> None:
    """Both hear 0 to ``last``, one in 10 ms, the last of them at 10 s; and a millisecond later both lose everybody."""
    for number in range(last + 1):
        for each in (one, other):
            each.hear(number, 10 * S - (last - number) * 10 * MS)
    one.published()
    for each in (one, other):
        each.logs.silence(10 * S + MS)


@pytest.mark.parametrize("ahead_ns", [0, 5 * MS, -5 * MS, 40 * MS])
def test_the_last_number_before_a_silence_is_not_heard_after_it(ahead_ns: int) -> None:
    """Whatever the clock's error: the numbers did not begin again, and go on where they were."""
    one, other = Hearing(), Hearing(ahead_ns)
    heard(one, other, 99)
    one.learn(other)
    assert one.logs.restarts == []
    assert {one.hear(number, 13 * S) for number in range(100, 110)} == {"\tnews"}
    assert one.published() == {"\tnews": 109}


def test_what_the_server_kept_is_not_sent_after_the_silence() -> None:
    """It sends its last ten once more to whoever comes back, with the times that it had sent them at."""
    one = Hearing(5 * MS)
    heard(one, Hearing(), 99)
    assert {one.hear(number, 10 * S - (99 - number) * 10 * MS) for number in range(90, 100)} == {"\tnews"}
    assert one.logs.restarts == []


def test_a_number_that_only_the_other_heard_decides_nothing() -> None:
    """It was sent just before the silence: that the numbers begin again after it is seen all the same."""
    one, other = Hearing(), Hearing(5 * MS)
    heard(one, other, 99)
    other.hear(100, 10 * S)
    one.learn(other)
    assert one.hear(0, 13 * S) == "\tnews\t1"
    assert one.published() == {"\tnews": 100, "\tnews\t1": 0}
    (told,) = one.logs.restarts
    assert told.startswith('the server began its numbers of "news" again at 0, after 100;')


@pytest.mark.parametrize("ahead_ns", [0, 5 * MS, -5 * MS])
def test_news_of_the_first_numbers_after_they_began_again(ahead_ns: int) -> None:
    """They are none of those from before, which ended with 1."""
    one, other = Hearing(), Hearing(ahead_ns)
    heard(one, other, 1)
    one.hear(0, 13 * S)
    for number in range(4):
        other.hear(number, 13 * S + number * MS)
    one.learn(other)
    assert one.published() == {"\tnews": 1, "\tnews\t1": 3}
    assert [len(each.logs.restarts) for each in (one, other)] == [1, 1]


@pytest.mark.parametrize("back_ms", [2, 60])
def test_who_knows_the_clock_sees_a_server_that_is_back_at_once(back_ms: int) -> None:
    """On one machine the clock is one: what was sent a millisecond after the silence is new."""
    one = Hearing()
    heard(one, Hearing(), 99)
    assert one.hear(0, 10 * S + back_ms * MS) == "\tnews\t1"


def test_what_others_hear_is_no_end_of_a_silence_here() -> None:
    """The other still has listeners, then none: both restarts are seen here, where nobody listened meanwhile."""
    one, other = Hearing(), Hearing()
    heard(one, Hearing(), 99)
    for number in range(100):
        other.hear(number, 10 * S - (99 - number) * 10 * MS)
    for life, begun_ns in enumerate((10 * S + 2 * MS, 20 * S, 30 * S)):
        for number in range(100 if not life else 0, 103 if not life else 5):
            stream = other.hear(number, begun_ns + number * MS)
        assert stream == "\tnews" + (f"\t{life}" if life else "")
        one.learn(other)
        other.logs.silence(begun_ns + S)
    assert one.published() == {"\tnews": 102, "\tnews\t1": 4, "\tnews\t2": 4}
    assert one.hear(5, 30 * S + 5 * MS) == "\tnews\t2"
    assert one.hear(3, 40 * S) == "\tnews\t2", "somebody listens here, so this one was kept"


def test_a_late_number_from_before_what_others_heard() -> None:
    """One below the highest that the other heard, but sent earlier, is none of numbers that began again."""
    one, other = Hearing(), Hearing()
    heard(one, other, 99)
    for number in range(100, 110):
        other.hear(number, 10 * S + 2 * MS + number * MS)
    one.learn(other)
    assert one.hear(105, 10 * S + 2 * MS + 105 * MS) == "\tnews"
    assert one.logs.restarts == []

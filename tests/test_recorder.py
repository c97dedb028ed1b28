"""The recorder: every sample is counted once, in its own second, on its own side."""

import struct
import tracemalloc
from collections import Counter
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.histogram import Histogram
from loadtests.interval import Interval, merge
from loadtests.parts import at_once
from loadtests.recorder import OTHER_SERIES, Recorder
from loadtests.sample import Outcome, Sample

T0 = 5_000_000_000_000
S = 1_000_000_000
MS = 1_000_000
LIMIT = 200 * MS


def sample(at_s=0.0, late_ms=0, service_ms=10, outcome=Outcome.OK, series="GET /", size_bytes=0):
    """Return one sample, due at a second of the run."""
    intended = T0 + round(at_s * S)
    started = intended + round(late_ms * MS)
    return Sample(series, intended, started, started + round(service_ms * MS), outcome, size_bytes)


def folded(samples, limits=(LIMIT,)):
    """Return the Intervals of samples by series and second."""
    recorder = Recorder(T0, lambda _: limits)
    for one in samples:
        recorder.add(one)
    return {(interval.series, interval.second): interval for interval in recorder.fold()}


def test_second_of_the_intended_start():
    """A request belongs to the second in which it was due, even when it left and ended in later ones."""
    found = folded([sample(at_s=0.9, late_ms=1500, service_ms=2000)])
    due, left, ended = (found["GET /", second] for second in (0, 2, 4))
    assert (due.count, due.ok, due.started, due.completed) == (1, 1, 0, 0)
    assert (left.count, left.started, left.completed) == (0, 1, 0)
    assert (ended.count, ended.started, ended.completed) == (0, 0, 1)
    assert due.response.percentile_us(100) == 3_500_000
    assert due.service.percentile_us(100) == 2_000_000
    assert due.lateness.percentile_us(100) == 1_500_000
    assert not left.response.total
    assert not ended.response.total


def test_many_ends():
    """Successes that differ by their ends are what they are one by one; a time that is none leaves nothing."""
    one_by_one, together = Recorder(T0, lambda _: (LIMIT,)), Recorder(T0, lambda _: (LIMIT,))
    ends = [T0 + k * 37 * MS for k in range(1, 30)]
    for end in ends:
        one_by_one.record("s", T0, T0 + MS, end, 0, 70)
    together.record_all("s", T0, T0 + MS, np.array(ends), 70)
    found = [[one.to_json() for one in each.fold()] for each in (one_by_one, together)]
    assert found[0] == found[1]
    for wrong in (4.5e9, 2**63, -(2**63) - 1, None):
        with pytest.raises(struct.error):
            together.record_all("s", wrong, T0, np.array(ends), 70)
    assert together.fold() == []


def test_folded_in_parts():
    """Ten thousand are folded before the second is over, fewer are not; together they are what they are at once."""
    samples = [
        sample(
            k / 4000, late_ms=k % 3, service_ms=k % 300, outcome=Outcome(k % 7 % 4), size_bytes=k, series=f"s{k % 2}"
        )
        for k in range(25_000)
    ]
    whole, in_parts = Recorder(T0, lambda _: (LIMIT,)), Recorder(T0, lambda _: (LIMIT,))
    folds = []
    for k, one in enumerate(samples, 1):
        whole.add(one, error="refused")
        in_parts.add(one, error="refused")
        if k % 1000 == 0:
            with patch.object(in_parts, "_folded", wraps=in_parts._folded) as fold:
                at_once(in_parts.fold_much())
            folds += [k] * fold.call_count
    assert folds == [10_000, 20_000]
    found = [{(one.series, one.second): one.to_json() for one in each.fold()} for each in (whole, in_parts)]
    assert found[0] == found[1]
    assert sum(one["count"] for one in found[0].values()) == 25_000
    assert in_parts.fold() == []


def test_what_is_recorded_between_the_parts_of_a_fold():
    """It is in the next one, whatever part it came after; nothing is in both or in none."""
    recorder, at_ns = Recorder(0, lambda _series: (5 * MS,)), 0
    first = []

    def folding():
        first.extend((yield from recorder.folding()))

    recorder.record("GET /a", 0, 0, MS)
    recorder.record("GET /b", S, S, S + 9 * MS, int(Outcome.ERROR), 0, "status 500")
    for _ in folding():
        at_ns += MS
        recorder.record("GET /a", at_ns, at_ns, at_ns + MS)
        recorder.record("GET /b", at_ns, at_ns, at_ns + MS, int(Outcome.ERROR), 0, "status 500")
        recorder.record("GET /c", at_ns, at_ns, at_ns + MS)
    parts, second = at_ns // MS, recorder.fold()
    assert parts > 3
    assert {(one.series, one.second, one.count, one.error_count) for one in first if one.count} == {
        ("GET /a", 0, 1, 0),
        ("GET /b", 1, 1, 1),
    }
    assert {(one.series, one.count, one.error_count) for one in second} == {
        ("GET /a", parts, 0),
        ("GET /b", parts, parts),
        ("GET /c", parts, 0),
    }
    assert recorder.fold() == []


@pytest.mark.parametrize(
    ("at_s", "second"), [(0.0, 0), (0.999999999, 0), (1.0, 1), (-0.000000001, -1), (-1.0, -1), (3600.5, 3600)]
)
def test_seconds(at_s, second):
    """Seconds begin at their own start; those before the run are negative."""
    assert folded([sample(at_s, service_ms=0)]).keys() == {("GET /", second)}


@pytest.mark.parametrize(
    ("outcome", "upper", "lower", "started", "completed", "response", "failed_response", "lateness"),
    [
        (Outcome.OK, 0, 0, 1, 1, 1, 0, 1),
        (Outcome.ERROR, 1, 1, 1, 0, 0, 1, 1),
        (Outcome.TIMEOUT, 1, 1, 1, 0, 0, 1, 1),  # kept with its censored time
        (Outcome.LOST, 1, 1, 1, 0, 0, 0, 1),  # it left, and there is no time at which it came
        (Outcome.DROPPED, 1, 0, 0, 0, 0, 0, 0),  # bad for the user; the target never saw it
        (Outcome.UNSENT, 1, 0, 0, 0, 0, 0, 0),
    ],
)
def test_outcomes(outcome, upper, lower, started, completed, response, failed_response, lateness):
    """A quick sample of each outcome: on which sides it is bad, which rates it is part of, which histograms hold it."""
    never = outcome in (Outcome.DROPPED, Outcome.UNSENT)
    interval = folded([sample(service_ms=0 if never else 10, outcome=outcome)])["GET /", 0]
    assert interval.count == 1
    assert interval.bad == {LIMIT: (upper, lower)}
    assert (interval.started, interval.completed) == (started, completed)
    assert (interval.response.total, interval.service.total) == (response, response)
    assert (interval.failed_response.total, interval.failed_service.total) == (failed_response, failed_response)
    assert interval.lateness.total == lateness
    kinds = (interval.ok, interval.error_count, interval.timeouts, interval.lost, interval.dropped, interval.unsent)
    assert kinds == tuple(int(outcome is each) for each in Outcome)


@pytest.mark.parametrize(
    ("late_ns", "service_ns", "upper", "lower"),
    [
        (0, LIMIT, 0, 0),  # "at most" holds at the limit itself
        (0, LIMIT + 1, 1, 1),  # and not a nanosecond above, though both share a bucket
        (1, LIMIT, 1, 0),  # late by our own fault: bad for the user, not for the target
        (LIMIT, 1, 1, 0),
        (LIMIT - 1, 1, 0, 0),
    ],
)
def test_limit(late_ns, service_ns, upper, lower):
    """Bad is counted by comparing nanoseconds, the upper side by response time and the lower by service time."""
    recorder = Recorder(T0, lambda _: (LIMIT,))
    recorder.record("GET /", T0, T0 + late_ns, T0 + late_ns + service_ns)
    assert recorder.fold()[0].bad == {LIMIT: (upper, lower)}


def test_limits_of_a_series():
    """Each series is held to its own limits, several at once or none, asked for once."""
    asked = []

    def limits_ns(series):
        asked.append(series)
        return {"GET /a": (5 * MS, 10 * MS, 20 * MS)}.get(series, ())

    recorder = Recorder(T0, limits_ns)
    for _ in range(3):
        recorder.add(sample(service_ms=10, series="GET /a"))
        recorder.add(sample(service_ms=10, series="GET /b"))
    a, b = recorder.fold()
    assert a.bad == {5 * MS: (3, 3), 10 * MS: (0, 0), 20 * MS: (0, 0)}
    assert b.bad == {}
    assert asked == ["GET /a", "GET /b"]


def test_microseconds_are_rounded_up():
    """An error of less than a microsecond is on the side of slower."""
    recorder = Recorder(T0)
    for service_ns in (0, 1, 999, 1000, 1001):
        recorder.record("GET /", T0, T0, T0 + service_ns)
    assert recorder.fold()[0].response == Histogram.of([0, 1, 1, 1, 2])


def test_errors_by_kind():
    """Errors are counted by kind, each in its second; one without a kind is called so."""
    recorder = Recorder(T0)
    for at_s, kind in ((0, "http 503"), (0, "http 503"), (0, "connection reset"), (1, "http 503"), (1, "")):
        recorder.add(sample(at_s, outcome=Outcome.ERROR), kind)
    recorder.add(sample(0, outcome=Outcome.TIMEOUT), "timeout")
    found = {interval.second: interval for interval in recorder.fold() if interval.count}
    assert found[0].errors == {"http 503": 2, "connection reset": 1}
    assert found[1].errors == {"http 503": 1, "error": 1}
    assert (found[0].count, found[0].timeouts) == (4, 1)


def test_alike():
    """So many at once are so many."""
    one, many = Recorder(T0, lambda _: (LIMIT,)), Recorder(T0, lambda _: (LIMIT,))
    for _ in range(3):
        one.record("ws deliver", T0, T0 + MS, T0 + S, int(Outcome.LOST))
    many.record_alike(3, "ws deliver", T0, T0 + MS, T0 + S, int(Outcome.LOST))
    assert many.fold() == one.fold()


def test_notes():
    """What is noted of a sample lands in its Interval, by the second of its intended start, or in its pool's."""
    recorder = Recorder(T0, max_series=1)
    for at_s, series, parts in ((0.5, "GET /", {"db": 700}), (0.9, "GET /", {"db": 5, "auth": 2}), (1, "b", {"db": 1})):
        recorder.add(sample(at_s=at_s, series=series))
        recorder.note(series, T0 + round(at_s * S), partial(Interval.add_server_us, parts=parts))
        recorder.note(
            series, T0 + round(at_s * S), partial(Interval.add_checked, violation="x" if at_s == 0.5 else None)
        )
    found = {(i.series, i.second): (i.server_n, i.server_us, i.checked, i.violations) for i in recorder.fold()}
    assert found["GET /", 0] == (2, {"db": 705, "auth": 2}, 2, {"x": 1})
    assert found[OTHER_SERIES, 1] == (1, {"db": 1}, 1, {})
    recorder.add(sample())
    assert [(i.server_n, i.server_us) for i in recorder.fold()] == [(0, {})]


def test_notes_without_a_sample():
    """What is noted where nothing was recorded has an Interval of its own, with nothing else in it."""
    recorder = Recorder(T0)
    recorder.note("ws deliver", T0 + 2 * S, partial(Interval.add_checked, violation="x"))
    (found,) = recorder.fold()
    assert found == Interval("ws deliver", 2, checked=1, violations={"x": 1})
    assert recorder.fold() == []


def test_bytes():
    """Bytes add up."""
    assert folded([sample(size_bytes=n) for n in (0, 5, 7 << 40)])["GET /", 0].size_bytes == (7 << 40) + 5


def test_many_series():
    """Series beyond the limit are pooled, in their seconds and with their errors, and named; none of them is lost."""
    recorder = Recorder(T0, max_series=3)
    for n in range(50):
        recorder.add(sample(n % 2, series=f"GET /{n}", outcome=Outcome(n % 5 == 0)), "http 500")
    found = recorder.fold()
    assert {interval.series for interval in found} == {"GET /0", "GET /1", "GET /2", OTHER_SERIES}
    assert sum(interval.count for interval in found) == 50
    assert sum(interval.errors.get("http 500", 0) for interval in found) == 10
    pooled = [interval.count for interval in found if interval.series == OTHER_SERIES and interval.count]
    assert sorted(pooled) == [23, 24]
    assert "GET /3" in recorder.overflowing
    assert len(recorder.overflowing) <= 20


def test_fold_again():
    """What was folded is gone, and the next fold holds what came since."""
    recorder = Recorder(T0)
    recorder.add(sample(), "")
    recorder.add(sample(outcome=Outcome.ERROR), "http 500")
    assert [interval.count for interval in recorder.fold()] == [2]
    assert recorder.fold() == []
    recorder.add(sample(service_ms=1))
    assert [(interval.count, interval.errors) for interval in recorder.fold()] == [(1, {})]


@pytest.mark.parametrize("times", [(None, T0, T0), (T0, "now", T0), (T0, T0, 2**63), (T0, T0, 1.5)])
def test_no_time(times):
    """A time that is no integer is refused where it is recorded, and the others are kept."""
    recorder = Recorder(T0)
    recorder.add(sample())
    with pytest.raises(struct.error):
        recorder.record("GET /", *times)
    assert [interval.count for interval in recorder.fold()] == [1]


samples = st.builds(
    sample,
    at_s=st.floats(-3, 10),
    late_ms=st.floats(0, 3000),
    service_ms=st.floats(0, 3000),
    outcome=st.sampled_from(Outcome),
    series=st.sampled_from(["GET /", "POST /", "GET /{id}", "ws deliver"]),
    size_bytes=st.integers(0, 10**6),
)


def slow(samples):
    """Count sample by sample, from the definitions."""
    found = {}

    def at(series, at_ns):
        second = (at_ns - T0) // S
        return found.setdefault((series, second), Interval(series, second))

    for s in samples:
        interval = at(s.series, s.intended_ns)
        interval.count += 1
        interval.size_bytes += s.size_bytes
        never = s.outcome in (Outcome.DROPPED, Outcome.UNSENT)
        upper, lower = interval.bad.get(LIMIT, (0, 0))
        failed = s.outcome is not Outcome.OK
        interval.bad[LIMIT] = (
            upper + (failed or s.response_ns > LIMIT),
            lower + (not never and (failed or s.service_ns > LIMIT)),
        )
        if s.outcome is Outcome.ERROR:
            interval.errors["error"] = interval.errors.get("error", 0) + 1
        else:
            name = {"TIMEOUT": "timeouts"}.get(s.outcome.name, s.outcome.name.lower())
            setattr(interval, name, getattr(interval, name) + 1)
        times = {"lateness": s.lateness_ns} if not never else {}
        if s.outcome is Outcome.OK:
            times |= {"response": s.response_ns, "service": s.service_ns}
        elif s.outcome in (Outcome.ERROR, Outcome.TIMEOUT):
            times |= {"failed_response": s.response_ns, "failed_service": s.service_ns}
        for name, ns in times.items():
            setattr(interval, name, getattr(interval, name) + Histogram.of([-(-ns // 1000)]))
        if not never:
            at(s.series, s.started_ns).started += 1
        if s.outcome is Outcome.OK:
            at(s.series, s.ended_ns).completed += 1
    return found


@given(st.lists(samples, max_size=60))
@settings(max_examples=60)
def test_fold_is_the_slow_count(several):
    """The vectorised fold counts what counting by hand does."""
    assert folded(several) == slow(several)


@given(st.lists(st.lists(samples, max_size=20), max_size=6))
@settings(max_examples=60)
def test_nothing_is_lost_between_folds(batches):
    """However often it is folded, every sample is counted once, and the outcomes add up to their number."""
    recorder = Recorder(T0, lambda _: (LIMIT,))
    parts = []
    for batch in batches:
        for one in batch:
            recorder.add(one)
        parts += recorder.fold()
    everything = [one for batch in batches for one in batch]
    total = merge(parts, series="*")
    of = Counter(one.outcome for one in everything)
    assert total.count == len(everything)
    assert total.count == total.ok + total.error_count + total.timeouts + total.lost + total.dropped + total.unsent
    assert total.started == total.count - total.never_started
    assert total.completed == total.ok == total.response.total == of[Outcome.OK]
    assert total == merge(folded(everything).values(), series="*")


def test_memory():
    """Memory follows what came since the last fold, not what ever came."""
    recorder = Recorder(T0)

    def second(k):
        for n in range(2000):
            recorder.record("GET /", T0 + k * S + n, T0 + k * S + n, T0 + k * S + n + 10_000_000 + n, 0, 100)
        recorder.fold()

    second(0)
    tracemalloc.start()
    try:
        for k in range(1, 4):
            second(k)
        before = tracemalloc.get_traced_memory()[0]
        for k in range(4, 24):
            second(k)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2000  # a byte a sample of one second, after twenty of them

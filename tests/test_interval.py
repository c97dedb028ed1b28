"""Intervals: sums, whatever was added to what, and the same after any journey."""

import json
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.histogram import Histogram
from loadtests.interval import HISTOGRAMS, Interval, merge

LIMITS = (200_000_000, 1_000_000_000)
COUNTS = (
    "count",
    "ok",
    "timeouts",
    "lost",
    "dropped",
    "unsent",
    "started",
    "completed",
    "size_bytes",
    "server_n",
    "checked",
    "untimed",
)

numbers = st.integers(0, 1000)
histograms = st.lists(st.integers(-5, 70_000_000), max_size=5).map(Histogram.of)
pairs = st.tuples(numbers, numbers)
intervals = st.builds(
    Interval,
    series=st.just("GET /agents"),
    second=st.just(7),
    errors=st.dictionaries(st.sampled_from(["http 503", "connection reset", "check: é, |"]), st.integers(1, 9)),
    violations=st.dictionaries(st.sampled_from(["status 500 is not documented", "status 200: é"]), st.integers(1, 9)),
    server_us=st.dictionaries(st.sampled_from(["db", "auth", "total"]), st.integers(1, 9)),
    bad=st.dictionaries(st.sampled_from(LIMITS), pairs),
    **dict.fromkeys(COUNTS, numbers),
    **dict.fromkeys(HISTOGRAMS, histograms),
)


def test_fields():
    """Nothing in an Interval is left out of its sums: every field is a name, a count, or one of the four maps."""
    assert {f.name for f in fields(Interval)} == {
        "series",
        "second",
        "errors",
        "violations",
        "server_us",
        "bad",
        *COUNTS,
        *HISTOGRAMS,
    }


@given(st.lists(intervals, min_size=1, max_size=5), st.randoms())
@settings(max_examples=60)
def test_merge(parts, order):
    """Parts add up to the same in any order and in any nesting, count by count."""
    whole = merge(parts, series="GET /agents", second=7)
    for name in COUNTS:
        assert getattr(whole, name) == sum(getattr(part, name) for part in parts)
    for name in HISTOGRAMS:
        assert getattr(whole, name) == Histogram.sum(getattr(part, name) for part in parts)
    for limit in LIMITS:
        known = [part.bad[limit] for part in parts if limit in part.bad]
        assert whole.bad.get(limit) == (tuple(map(sum, zip(*known, strict=True))) if known else None)
    for part in ("db", "auth", "total"):
        assert whole.server_us.get(part, 0) == sum(each.server_us.get(part, 0) for each in parts)
    assert sum(whole.violations.values()) == sum(sum(each.violations.values()) for each in parts)
    assert sum(whole.errors.values()) == sum(part.error_count for part in parts)
    order.shuffle(parts)
    nested = parts[0]
    for part in parts[1:]:
        nested = nested + part
    assert nested == merge(parts, series="GET /agents", second=7) == whole


@given(intervals)
def test_json(interval):
    """Through a pipe and back nothing changes."""
    assert Interval.from_json(json.loads(json.dumps(interval.to_json()))) == interval


@given(intervals)
def test_counts_json(interval):
    """The plain counts and the histograms, stored apart, are the whole again; clamped values are among the counts."""
    read = Interval.from_json(json.loads(json.dumps(interval.counts_json())))
    stored = Interval("GET /agents", 7)
    for name, histogram in interval.histograms():
        setattr(stored, name, Histogram.decode(histogram.encode(), max_us=histogram.max_us))
    assert merge([stored, read], series="GET /agents", second=7) == interval


def test_json_is_sparse():
    """What did not happen takes no room."""
    assert Interval("GET /", 3).to_json() == {"series": "GET /", "second": 3}


def test_sum_keeps_the_first_name():
    """A sum over seconds is called what its left side is called."""
    both = Interval("GET /", 3, count=1) + Interval("GET /other", 4, count=2)
    assert (both.series, both.second, both.count) == ("GET /", 3, 3)


def test_derived():
    """Failed is everything not answered rightly; a time-out is no error, and what was dropped never started."""
    interval = Interval("GET /", 0, count=21, ok=6, timeouts=5, lost=4, dropped=2, unsent=1, errors={"a": 1, "b": 2})
    assert (interval.failed, interval.error_count, interval.never_started) == (15, 3, 3)


def test_merge_leaves_its_parts_alone():
    """Adding up makes something new."""
    one, other = Interval("GET /", 0, errors={"a": 1}), Interval("GET /", 0, errors={"a": 1})
    assert merge([one, other], series="GET /").errors == {"a": 2}
    assert one.errors == other.errors == {"a": 1}

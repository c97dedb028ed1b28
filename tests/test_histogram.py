"""The histogram against the HdrHistogram package's own scalar code and against sorted lists."""

import itertools
import json
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from loadtests.histogram import HIGHEST_US, Histogram, blank, bucket_index, bucket_lowest_us
from tests.oracles import hlog

KNOWN = sorted(
    {*range(5001), *(2**k for k in range(53)), *(2**k - 1 for k in range(53))}
    | {random.Random(1).randrange(2 ** random.Random(k).randrange(1, 52)) for k in range(20_000)}
)
"""The small, the edges, and the random."""

values = st.one_of(st.integers(0, 5000), st.integers(0, HIGHEST_US))
samples = st.lists(values, min_size=1, max_size=300)
anything = st.lists(st.one_of(values, st.integers(-(10**12), 10**12)), max_size=50)


def width_us(value):
    """Return the width of a value's bucket: the value keeps 11 bits."""
    return 2 ** max(0, value.bit_length() - 11)


def filled(recorded):
    """Return the package's own histogram, filled value by value."""
    full = blank()
    for value in recorded:
        assert full.record_value(value)
    return full


def test_bucket_index():
    """Every index is the one that HdrHistogram computes, for small values, edges and random ones."""
    scalar = blank()
    assert bucket_index(np.array(KNOWN)).tolist() == [scalar._counts_index_for(value) for value in KNOWN]


def test_bucket_lowest():
    """A bucket's lowest value is the value with all bits after the eleventh taken away."""
    lowest = bucket_lowest_us(bucket_index(np.array(KNOWN))).tolist()
    assert lowest == [value - value % width_us(value) for value in KNOWN]
    assert [hlog.lowest_value(index) for index in range(17_408)] == bucket_lowest_us(np.arange(17_408)).tolist()


def test_relative_width():
    """No bucket is wider than 1/1024 of its values: 128 us at 200 ms."""
    assert width_us(200_000) == 128
    assert all(width_us(value) <= max(1, value / 1024) for value in KNOWN)


@pytest.mark.parametrize("n", [1, 300, 1023, 1024, 20_000])
def test_encode_is_the_packages(n):
    """However it is filled, the encoded histogram is the package's own, to the byte."""
    draw = random.Random(n)
    recorded = [draw.randrange(2 ** draw.randrange(1, 26)) for _ in range(n)]
    assert Histogram.of(recorded).encode() == filled(recorded).encode().decode()


def test_encode_nothing():
    """An empty histogram is encoded as one."""
    assert Histogram().encode() == blank().encode().decode()
    assert Histogram.decode(Histogram().encode()) == Histogram()


@given(samples, st.decimals(0, 100, places=2))
def test_percentile(recorded, percentile):
    """A percentile is never under the exact value of rank ceil(p n), and less than its bucket's width above."""
    rank = max(1, math.ceil(Fraction(percentile) * len(recorded) / 100))
    exact = sorted(recorded)[rank - 1]
    found = Histogram.of(recorded).percentile_us(float(percentile))
    assert exact <= found < exact + width_us(exact)


def test_rank_is_raised_and_not_rounded():
    """p95 of 19 values is the 19th: 18 of 19 are only 94.7 %. The package says the 18th."""
    recorded = range(1, 20)
    assert Histogram.of(recorded).percentile_us(95) == 19
    assert filled(recorded).get_value_at_percentile(95) == 18


@pytest.mark.parametrize(
    ("percentile", "expected"),
    [
        (99.9, 5),  # rank 999,000,000 of 1e9, the last 5
        (99.90000011, 7),  # a rank further
        (100, 7),
        (0, 5),
    ],
)
def test_rank_of_a_billion(percentile, expected):
    """The rank is exact where floating point multiplication is not."""
    histogram = Histogram(np.array([5, 7]), np.array([999_000_000, 1_000_000]), max_us=7)
    assert histogram.percentile_us(percentile) == expected


def test_nothing():
    """Nothing has no percentile; 0 would pass any objective."""
    assert Histogram().percentile_us(95) is None
    assert Histogram().mean_us() is None
    assert Histogram().total == 0
    assert Histogram.of([]) == Histogram() == Histogram.sum([]) == Histogram.sum([Histogram(), Histogram()])


def test_percentile_stays_under_the_maximum():
    """The highest value of the top bucket may never have been measured; the maximum was."""
    assert Histogram.of([200_001]).percentile_us(99) == 200_001


@given(samples)
def test_mean(recorded):
    """The mean is off by half a bucket at most."""
    exact = Fraction(sum(recorded), len(recorded))
    assert abs(Fraction(Histogram.of(recorded).mean_us()) - exact) <= Fraction(width_us(max(recorded)), 2)


@given(samples, values)
def test_count_above(recorded, limit):
    """Only buckets wholly above the limit count."""
    first_above = limit - limit % width_us(limit) + width_us(limit)
    assert Histogram.of(recorded).count_above_us(limit) == sum(value >= first_above for value in recorded)


@given(samples)
def test_decode(recorded):
    """What is encoded reads back, with the exact maximum beside it, and without it to the top bucket's end."""
    histogram = Histogram.of(recorded)
    assert Histogram.decode(histogram.encode(), max_us=max(recorded)) == histogram
    top = max(recorded) - max(recorded) % width_us(max(recorded)) + width_us(max(recorded)) - 1
    assert Histogram.decode(histogram.encode()).max_us == top


@given(anything)
def test_json(recorded):
    """Through a pipe and back nothing changes."""
    histogram = Histogram.of(recorded)
    assert Histogram.from_json(json.loads(json.dumps(histogram.to_json()))) == histogram


@pytest.mark.parametrize(
    ("lowest", "highest", "digits"), [(1, 3_600_000_000, 3), (1, HIGHEST_US, 2), (2, HIGHEST_US, 3)]
)
def test_other_configurations(lowest, highest, digits):
    """A histogram of another layout is refused, since its counts would land in the wrong buckets."""
    other = HdrHistogram(lowest, highest, digits)
    other.record_value(1000)
    with pytest.raises(ValueError, match="another configuration"):
        Histogram.decode(other.encode().decode())


@given(st.lists(anything, min_size=1, max_size=5), st.randoms())
def test_merge(shards, order):
    """Shards added up in any order, or in any nesting, are the histogram of everything."""
    union = Histogram.of(list(itertools.chain.from_iterable(shards)))
    parts = [Histogram.of(shard) for shard in shards]
    order.shuffle(parts)
    assert Histogram.sum(parts) == union
    nested = Histogram()
    for part in parts:
        nested = nested + part
    assert nested == union
    assert nested.encode() == union.encode()


@given(st.lists(st.tuples(st.one_of(values, st.integers(-9, 10**9)), st.integers(0, 7)), max_size=80))
def test_each(pairs):
    """Many groups counted at once are each what they are by themselves; a group of nothing is left out."""
    recorded = [np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True)] or [np.empty(0, np.int64)] * 2
    expected = {which: Histogram.of([v for v, w in pairs if w == which]) for which in {w for _, w in pairs}}
    assert Histogram.each(*recorded) == expected


@given(anything)
def test_nothing_is_lost(recorded):
    """Every value is counted, those outside the range at its ends and by themselves too."""
    histogram = Histogram.of(recorded)
    assert histogram.total == len(recorded)
    assert histogram.overflow == sum(value > HIGHEST_US for value in recorded)
    assert histogram.underflow == sum(value < 0 for value in recorded)
    if recorded:
        assert histogram.max_us == min(max(0, *recorded, 0), HIGHEST_US)


@pytest.mark.parametrize(
    ("recorded", "overflow", "underflow", "max_us"),
    [
        ([0], 0, 0, 0),
        ([HIGHEST_US], 0, 0, HIGHEST_US),
        ([HIGHEST_US + 1], 1, 0, HIGHEST_US),
        ([-1], 0, 1, 0),
        ([-(2**63), 2**63 - 1], 1, 1, HIGHEST_US),
        ([2**70], 1, 0, HIGHEST_US),  # more than 64 bits
        (np.array([2**64 - 1], dtype=np.uint64), 1, 0, HIGHEST_US),  # and no negative number
        ([math.inf, -math.inf, 7.9], 1, 1, HIGHEST_US),
        (np.array([5], dtype=np.int32), 0, 0, 5),
    ],
)
def test_range(recorded, overflow, underflow, max_us):
    """At the range's ends and beyond, whatever the type."""
    histogram = Histogram.of(recorded)
    assert (histogram.total, histogram.overflow, histogram.underflow, histogram.max_us) == (
        len(recorded),
        overflow,
        underflow,
        max_us,
    )


@pytest.mark.parametrize("recorded", [[math.nan], [1.0, math.nan], [None], ["slow"]])
def test_no_number(recorded):
    """What is no number is refused aloud."""
    with pytest.raises(ValueError, match=r"NaN|could not convert"):
        Histogram.of(recorded)


def test_equality():
    """Histograms compare by their counts, and with nothing else; they are no keys."""
    assert Histogram.of([1, 2]) != Histogram.of([1, 3])
    assert Histogram.of([1]) != [1]
    with pytest.raises(TypeError, match="unhashable"):
        hash(Histogram())

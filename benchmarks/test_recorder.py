"""What a sample costs the generator: recorded, and folded once a second; the aim is half a microsecond.

The peer is the least that three latencies of a sample (response, service, lateness) would cost one by one: three calls
of HdrHistogram's ``record_value``.
"""

import pytest

from loadtests.heap import keep_heap
from loadtests.histogram import blank
from loadtests.recorder import Recorder

S = 1_000_000_000
PER_SECOND = 10_000


@pytest.fixture(autouse=True)
def generator():
    """Memory as in the generator's processes."""
    keep_heap()


@pytest.mark.parametrize("series", [1, 8])
def test_record_and_fold(beside, series):
    """A second of ten thousand samples, one latency limit on each series."""
    recorder = Recorder(0, lambda _: (200_000_000,))
    names = [f"GET /{k}" for k in range(series)]
    histograms = [blank() for _ in range(3)]
    second = iter(range(10**9))

    def stamps():
        started = next(second) * S
        for name in names * (PER_SECOND // series):
            started += S // PER_SECOND - 2000
            yield name, started - 50_000, started, 20_000_000 + started + started % 100_003, 0, 512

    def ours():
        record = recorder.record
        for name, intended, started, ended, outcome, size in stamps():
            record(name, intended, started, ended, outcome, size)
        recorder.fold()

    def making_stamps():
        for _name, _intended, _started, _ended, _outcome, _size in stamps():
            pass

    def peer():
        response, service, lateness = (histogram.record_value for histogram in histograms)
        for k in range(PER_SECOND):
            response(20_050 + k)
            service(20_000 + k)
            lateness(50)

    beside(f"a sample of {series} series", ours, peer, PER_SECOND, "three record_value()", less=making_stamps)


def test_record(beside):
    """The part of it that a request waits for."""
    recorder = Recorder(0)
    histogram = blank()

    def ours():
        for _ in range(PER_SECOND):
            recorder.record("GET /", 100, 150, 20_000_000, 0, 512)
        recorder._rows["GET /"] = bytearray()

    def peer():
        for _ in range(PER_SECOND):
            histogram.record_value(20_000)

    beside("recording alone", ours, peer, PER_SECOND, "one record_value()")


def test_small_fold(beside):
    """A second of the smoke profile, 120 samples of 8 series: the hiccup that a fold makes."""
    recorder = Recorder(0, lambda _: (200_000_000,))
    histogram = blank()

    def ours():
        for k in range(120):
            recorder.record(f"GET /{k % 8}", k, k + 50_000, k + 20_000_000 + k * 1_000_000, 0, 512)
        recorder.fold()

    beside("a fold of 8 series", ours, histogram.encode, 1, "one encode()")

"""The histogram's vectorised operations beside the HdrHistogram package's own, on the same counts."""

import random

import pytest

from loadtests.histogram import Histogram, blank

VALUES = [random.Random(1).randrange(1000, 300_000) for _ in range(20_000)]


@pytest.fixture(scope="module")
def histogram():
    """Twenty thousand values from 1 to 300 ms."""
    return Histogram.of(VALUES)


@pytest.fixture(scope="module")
def package():
    """The package's own, of the same values."""
    full = blank()
    for value in VALUES:
        full.record_value(value)
    return full


def test_fill(beside):
    """Counting values."""

    def peer():
        full = blank()
        for value in VALUES:
            full.record_value(value)

    beside("counting a value", lambda: Histogram.of(VALUES), peer, len(VALUES), "record_value()")


def test_percentile(beside, histogram, package):
    """A percentile, whose rank the package rounds."""
    beside("p95", lambda: histogram.percentile_us(95), lambda: package.get_value_at_percentile(95))


def test_mean(beside, histogram, package):
    """A mean."""
    beside("mean", histogram.mean_us, package.get_mean_value)


def test_encode(beside, histogram, package):
    """The text form; ours fills the package's histogram first."""
    beside("encode", histogram.encode, package.encode)


def test_decode(beside, histogram):
    """Back from the text form."""
    text = histogram.encode()
    beside("decode", lambda: Histogram.decode(text), lambda: type(blank()).decode(text))


def test_sum(beside):
    """A minute of one series, second by second."""
    seconds = [Histogram.of(VALUES[k::60]) for k in range(60)]
    packages = []
    for k in range(60):
        full = blank()
        for value in VALUES[k::60]:
            full.record_value(value)
        packages.append(full)

    def peer():
        total = blank()
        for full in packages:
            total.add(full)

    beside("adding a second", lambda: Histogram.sum(seconds), peer, 60, "add()")

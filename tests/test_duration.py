"""Durations, rates and fractions, against arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.duration import NS_PER_S, format_ns, parse_duration_ns, parse_fraction, parse_rate_per_s
from loadtests.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("1ns", 1),
        ("7us", 7_000),
        ("7µs", 7_000),
        ("200ms", 200_000_000),
        ("1.5s", 1_500_000_000),
        ("60s", 60 * NS_PER_S),
        ("10m", 600 * NS_PER_S),
        ("10min", 600 * NS_PER_S),
        ("1h", 3_600 * NS_PER_S),
        ("1h30m", 5_400 * NS_PER_S),
        (" 1h 30m 5s ", 5_405 * NS_PER_S),
        ("0.1s", 100_000_000),
        ("0.3s", 300_000_000),
    ],
)
def test_duration(text, expected_ns):
    """A number and a unit, or several of them, are nanoseconds."""
    assert parse_duration_ns(text) == expected_ns


@pytest.mark.parametrize(
    "text", ["", " ", "60", "60sec", "s", "-5s", "5s-", "0s", "1e3s", "1,5s", "60 seconds", "1h30"]
)
def test_no_duration(text):
    """What is no positive number with a unit is refused, with examples of what is."""
    with pytest.raises(UsageError) as refused:
        parse_duration_ns(text)
    assert f'"{text}" is not a duration' in str(refused.value)
    assert '"200ms", "60s", "1h30m"' in str(refused.value)


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), millis=st.integers(1, 59_999))
def test_duration_adds_its_parts(hours, minutes, millis):
    """Parts add up, whatever their units."""
    expected_ns = hours * 3_600 * NS_PER_S + minutes * 60 * NS_PER_S + millis * 1_000_000
    assert parse_duration_ns(f"{hours}h{minutes}m{millis}ms") == expected_ns


@given(st.integers(1, 10**15))
def test_whole_nanoseconds_are_exact(duration_ns):
    """Nanoseconds up to eleven days survive being read."""
    assert parse_duration_ns(f"{duration_ns}ns") == duration_ns


@pytest.mark.parametrize(
    ("text", "expected"),
    [("120/s", 120.0), ("6000/min", 100.0), ("90/m", 1.5), ("7200/h", 2.0), ("0.5/s", 0.5), ("3", 3.0), (3, 3.0)],
)
def test_rate(text, expected):
    """A rate is per second, whatever it was written per."""
    assert parse_rate_per_s(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "fast", "120/d", "120 per s", "/s", "inf", "nan"])
def test_no_rate(text):
    """What is no positive rate is refused."""
    with pytest.raises(UsageError, match="is not a rate"):
        parse_rate_per_s(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("0.1%", 0.001), ("100%", 1.0), ("0", 0.0), ("0.05", 0.05), ("5 %", 0.05)]
)
def test_fraction(text, expected):
    """Percents and plain fractions are the same thing."""
    assert parse_fraction(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("text", ["", "101%", "1.5", "-1%", "some"])
def test_no_fraction(text):
    """What lies outside 0 to 1 is no fraction."""
    with pytest.raises(UsageError, match="is not a fraction"):
        parse_fraction(text)


@pytest.mark.parametrize(
    ("duration_ns", "expected"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 µs"),
        (1_234, "1.23 µs"),
        (200_000_000, "200 ms"),
        (12_340_000, "12.3 ms"),
        (1_500_000_000, "1.5 s"),
        (60 * NS_PER_S, "60 s"),
    ],
)
def test_format(duration_ns, expected):
    """Three significant digits in the unit that reads best."""
    assert format_ns(duration_ns) == expected


@given(st.integers(1_000, 10**12))
def test_format_reads_back(duration_ns):
    """What is written reads back to within its three digits."""
    assert parse_duration_ns(format_ns(duration_ns)) == pytest.approx(duration_ns, rel=0.005)

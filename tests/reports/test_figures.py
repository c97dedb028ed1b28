"""Numbers as people read them."""

from __future__ import annotations

import pytest

from reports.figures import apart, change, clock, duration, percent, plain, rate, significant, size, span, tied


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.04567, "0.0457"),
        (9.995, "9.99"),
        (9.996, "10.0"),
        (99.96, "100"),
        (1234.4, "1,234"),
        (-74.06, "-74.1"),
    ],
)
def test_significant_keeps_three_digits(value: float, text: str) -> None:
    """9.995 is a little less than itself in binary; 99.96 gains a digit by rounding."""
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value_ns", "text"),
    [
        (0, "0 ms"),
        (999, "999 ns"),
        (999_600, "1.00 ms"),
        (812_345, "812 µs"),
        (74_120_000, "74.1 ms"),
        (999_999_999, "1.00 s"),
        (1_204_000_000, "1.20 s"),
        (1_234_000_000_000, "1,234 s"),
        (None, "–"),  # noqa: RUF001 - an en dash
    ],
)
def test_duration_chooses_the_unit(value_ns: float | None, text: str) -> None:
    """A value that rounds up to 1000 takes the next unit."""
    assert duration(value_ns) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.9997, "99.97 %"),
        (0.61, "61.0 %"),
        (0.00123, "0.123 %"),
        (3.4, "340 %"),
        (12, "1,200 %"),
    ],
)
def test_percent_is_never_rounded_to_all(fraction: float, text: str) -> None:
    """99.97 % is not 100 %."""
    assert percent(fraction) == text


def test_a_value_is_told_from_its_limit() -> None:
    """199.96 ms beside a limit of 200 ms takes the digits that show on which side it is."""
    assert apart(duration, 199.96e6, 200e6) == "199.96 ms"
    assert apart(duration, 200e6, 200e6) == "200 ms"
    assert apart(duration, 120e6, 200e6) == "120 ms"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (plain(200e6), "200 ms"),
        (plain(1.5e9), "1.5 s"),
        (plain(1e9), "1 s"),
        (rate(119.96), "120/s"),
        (rate(7.1), "7.10/s"),
        (size(512), "512 B"),
        (size(208_400_000), "208 MB"),
        (span(60), "60 s"),
        (span(119.5), "120 s"),
        (span(600), "10 min"),
        (span(1234), "20 min 34 s"),
        (span(4800), "80 min"),
        (span(8 * 3600), "8 h"),
        (clock(41.9), "00:41"),
        (clock(3723), "1:02:03"),
        (clock(-0.5), "−00:01"),  # noqa: RUF001 - a true minus
        (change(100, 112.3), "+12.3 %"),
        (change(100, 88), "−12.0 %"),  # noqa: RUF001 - a true minus
        (change(None, 1), "–"),  # noqa: RUF001 - an en dash
        (tied("p95 was 74 ms, 37 % of it; 3 minutes"), "p95 was 74\u00a0ms, 37\u00a0% of it; 3 minutes"),
    ],
)
def test_other_figures(text: str, expected: str) -> None:
    """Limits, rates, sizes, lengths, moments and changes."""
    assert text == expected

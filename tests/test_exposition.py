"""What is kept of a target's metrics, from texts whose content is known (Prometheus text format 0.0.4)."""

import pytest

from loadtests.exposition import MOST_LINES, MOST_OF_A_NAME, MOST_SERIES, Exposition
from loadtests.redaction import Redactor

TEXT = """# HELP hits Answers.
# TYPE hits_total counter
hits_total 5
# TYPE hits_created gauge
hits_created 1.7e9
# TYPE open gauge
open{kind="a \\"b\\"\\\\"} 3
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 2
wait_seconds_bucket{route="/",le="+Inf"} 4
wait_seconds_sum 0.75
wait_seconds_count 4
# TYPE size summary
size{quantile="0.5"} 8
size_sum 80
size_count 9
plain 7
plain_total 8
"""


def test_what_is_kept():
    """Counters, gauges, sums and counts, as given; no buckets, quantiles or moments of creation."""
    exposition = Exposition()
    assert exposition.read(TEXT) == [5, 3, 0.75, 4, 80, 9, 7, 8]
    assert exposition.series == [
        ("hits_total", "counter"),
        ('open{kind="a \\"b\\"\\\\"}', "gauge"),
        ("wait_seconds_sum", "counter"),
        ("wait_seconds_count", "counter"),
        ("size_sum", "counter"),
        ("size_count", "counter"),
        ("plain", "gauge"),
        ("plain_total", "counter"),
    ]
    assert exposition.left_out == ""


def test_places_stay():
    """A series keeps its place when others come before it or it goes; what is no number has no value."""
    exposition = Exposition()
    assert exposition.read("b 1\n") == [1]
    assert exposition.read("a 2\nb 3\n") == [3, 2]
    assert exposition.read("a NaN\n") == [None, None]
    assert exposition.read("a +Inf\nb 4") == [4, None]


@pytest.mark.parametrize(
    ("lines", "kept", "said"),
    [
        ([f"m{i} 1" for i in range(MOST_SERIES + 1)], MOST_SERIES, "more than 200 series"),
        ([f'm{{k="{i}"}} 1' for i in range(MOST_OF_A_NAME + 1)] + ["z 1"], MOST_OF_A_NAME + 1, "m has more than 40"),
        (["m 1"] * MOST_LINES + ["z 1"], 1, "more than 5,000 lines"),
        (['m{k="' + "x" * 300 + '"} 1', "z 1"], 1, "longer than 300 characters"),
    ],
)
def test_bounds(lines, kept, said):
    """Each bound holds, leaves what is within it, and is said."""
    exposition = Exposition()
    assert len(exposition.read("\n".join(lines))) == len(exposition.series) == kept
    assert said in exposition.left_out


def test_room_at_the_bound():
    """What just fits a bound is kept, and nothing is said."""
    exposition = Exposition()
    text = "\n".join(f'm{i // MOST_OF_A_NAME}{{k="{i}"}} 1' for i in range(MOST_SERIES))
    assert len(exposition.read(text)) == MOST_SERIES
    assert exposition.left_out == ""


@pytest.mark.parametrize("text", ["<html>", "a 1\nb{", 'a{b="c} 1', "# TYPE a bogus\na 1", "a one", "{} 1"])
def test_malformed(text):
    """What is not in the format is refused whole."""
    with pytest.raises(ValueError, match="not in Prometheus text format"):
        Exposition().read(text)


def test_secrets_are_redacted():
    """A name that holds a secret does not carry it into the run, nor add up with another that looks the same then."""
    exposition = Exposition(Redactor(["hunter2"]))
    assert exposition.read('m{user="hunter2"} 1\nm{user="***"} 2') == [1]
    assert exposition.series == [('m{user="***"}', "gauge")]
    assert exposition.read('n{route="/auth/token",status="200",token="x y"} 3\n') == [None, 3]
    assert exposition.series[1] == ('n{route="/auth/token",status="200",token="***"}', "gauge")

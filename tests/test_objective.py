"""Objective lines: what they reduce to, and how a wrong one is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.errors import ObjectiveError
from loadtests.objective import COUNTS, Kind, limits_ns, parse_objective


@pytest.mark.parametrize(
    ("line", "kind", "metric", "limit", "budget", "percentile"),
    [
        ("p95 < 200ms", Kind.LATENCY, "p95", 200e6, 0.05, 95.0),
        ("P99 <= 1s", Kind.LATENCY, "p99", 1e9, 0.01, 99.0),
        ("p99.9 < 1.5s", Kind.LATENCY, "p99.9", 1.5e9, 0.001, 99.9),
        ("p50<5ms", Kind.LATENCY, "p50", 5e6, 0.5, 50.0),
        ("errors < 0.1%", Kind.SHARE, "errors", 0.001, 0.001, None),
        ("lost <= 0.01", Kind.SHARE, "lost", 0.01, 0.01, None),
        ("delivered >= 99.99%", Kind.LEAST, "lost", 0.9999, 0.0001, None),
        ("connected > 99.9%", Kind.LEAST, "errors", 0.999, 0.001, None),
        ("deliver.last p99 < 200ms", Kind.LATENCY, "p99", 200e6, 0.01, 99.0),
        ("duplicated <= 0.01%", Kind.SHARE, "errors", 0.0001, 0.0001, None),
        ("recovered >= 99%", Kind.LEAST, "errors", 0.99, 0.01, None),
        ("displacement <= 3", Kind.DISPLACEMENT, "displacement", 3.0, None, None),
        ("lost == 0", Kind.COUNT, "lost", 0.0, None, None),
        ("errors == 0", Kind.COUNT, "errors", 0.0, None, None),
        ("throughput > 140/s", Kind.THROUGHPUT, "throughput", 140.0, None, None),
        ("throughput >= 6000/min", Kind.THROUGHPUT, "throughput", 100.0, None, None),
    ],
)
def test_line(line, kind, metric, limit, budget, percentile):
    """A line is a bad fraction held against a budget, a count held against 0, or a least rate."""
    objective = parse_objective(line)
    assert (objective.text, objective.kind, objective.metric) == (line, kind, metric)
    assert objective.limit == pytest.approx(limit, rel=1e-12)
    assert (objective.budget, objective.percentile) == (budget, percentile)


@pytest.mark.parametrize("metric", COUNTS)
def test_every_count_may_be_asked_to_be_zero(metric):
    """All that is counted may be held against 0."""
    assert parse_objective(f"{metric} == 0").kind is Kind.COUNT


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("", 'expected a line such as "p95 < 200ms"'),
        ("p95 200ms", "does not parse"),
        ("p95 < 200", '"200" is not a duration'),
        ("p95 > 200ms", '">" makes no sense here, expected < or <='),
        ("p0 < 1s", "a percentile lies between 0 and 100"),
        ("p100 < 1s", "a percentile lies between 0 and 100"),
        ("errors < 2", '"2" is not a fraction'),
        ("errors < 0%", 'to allow none at all write "errors == 0"'),
        ("lost == 3", 'a count is held against 0, as in "lost == 0"'),
        ("throughput < 5/s", '"<" makes no sense here, expected > or >='),
        ("throughput > fast", '"fast" is not a rate'),
        ("error < 1%", 'did you mean "errors"?'),
        ("troughput > 1/s", 'did you mean "throughput"?'),
        ("delivered >= 100%", 'to allow no loss at all write "lost == 0"'),
        ("recovered >= 100%", 'to allow no loss at all write "unrecovered == 0"'),
        ("recovered < 1%", '"<" makes no sense here, expected > or >='),
        ("displacement <= 0", 'write "reordered == 0"'),
        ("displacement <= 2.5", "expected by how many numbers a delivery may come late"),
        ("displacement < 3", '"<" makes no sense here, expected <='),
        ("displacment <= 3", 'did you mean "displacement"?'),
        ("delivered < 99%", '"<" makes no sense here, expected > or >='),
        ("deliver.last < 99ms", 'of which percentile? Write "deliver.last p99 < 5ms"'),
        ("deliver.worst p99 < 99ms", "does not parse"),
        (
            "GET /a b p95 < 200ms",
            'stands beside it, in a scenario file: series = "GET /a b" and must = ["p95 < 200ms"]',
        ),
        ("* /api/* errors < 1%", 'series = "* /api/*" and must = ["errors < 1%"]'),
        (
            "Deliver p95 < 200ms",
            'series = "ws deliver" and must = ["p95 < 200ms"], or "deliver.last p95 < 200ms" for a message to have '
            "reached everybody",
        ),
        ("ws connect omission_gap p99 < 5ms ", 'series = "ws connect" and must = ["omission_gap p99 < 5ms"]'),
        ("deliver lost == 0", 'series = "ws deliver" and must = ["lost == 0"]'),
        ('GET "x" P95 < 1s', r'series = "GET \"x\"" and must = ["P95 < 1s"]'),
        ("deliver last p95 < 5ms", 'did you mean "deliver.last p95 < 5ms"?'),
        ("omission gap p99 < 5ms", 'did you mean "omission_gap p99 < 5ms"?'),
        ("error rate < 1%", 'does not parse; expected a line such as "p95 < 200ms"'),
        ("p95 latency < 200ms", 'does not parse; expected a line such as "p95 < 200ms"'),
        ("average < 1s", '"average" is not a thing that is measured; expected'),
        ("dropped < 1%", 'one is one too many; write "dropped == 0"'),
        ("foreign <= 1%", 'one is one too many; write "foreign == 0"'),
        ("late < 0", 'to allow none at all write "late == 0"'),
        ("late >= 1%", '">=" makes no sense here, expected < or <='),
    ],
)
def test_wrong_line(line, part):
    """A line that does not parse is answered with the line and what was expected."""
    with pytest.raises(ObjectiveError) as refused:
        parse_objective(line)
    assert f'objective "{line}"' in str(refused.value)
    assert part in str(refused.value)


@given(percentile=st.integers(1, 999), limit_ms=st.integers(1, 100_000), strict=st.booleans())
def test_latency_budget(percentile, limit_ms, strict):
    """The budget of pX is 1 - X/100 and the limit is whole nanoseconds."""
    objective = parse_objective(f"p{percentile / 10:g} {'<' if strict else '<='} {limit_ms}ms")
    assert objective.budget == pytest.approx((1000 - percentile) / 1000, abs=1e-12)
    assert objective.limit_ns == limit_ms * 1_000_000


@pytest.mark.parametrize(
    ("glob", "series", "expected"),
    [
        ("*", "GET /api/v1/agents", True),
        ("* /api/*", "GET /api/v1/agents/{agent_id}", True),
        ("* /api/*", "ws deliver", False),
        ("GET *", "POST /api/v1/tasks", False),
        ("get *", "GET /api/v1/agents", False),
        ("GET /items/[id]", "GET /items/[id]", True),
        ("GET /items/[id]", "GET /items/i", False),
        ("ws ?eliver", "ws deliver", True),
    ],
)
def test_series(glob, series, expected):
    """``*`` and ``?`` are wild, brackets and case are themselves."""
    assert parse_objective("errors == 0", series=glob).matches(series) is expected


def test_limits_of_a_series():
    """Latency limits of all objectives on a series, each once, ascending."""
    objectives = [
        parse_objective("p99 < 1s", series="GET *"),
        parse_objective("p95 < 200ms"),
        parse_objective("p90 < 200ms"),
        parse_objective("errors < 1%"),
        parse_objective("p95 < 5ms", series="POST *"),
    ]
    assert limits_ns(objectives, "GET /a") == (200_000_000, 1_000_000_000)


@pytest.mark.parametrize(
    ("line", "series"),
    [
        ("deliver.first p50 < 1ms", "ws deliver first"),
        ("deliver.median p99.9 <= 2ms", "ws deliver median"),
        ("Deliver.Last p99 < 3ms", "ws deliver last"),
        ("connected >= 99.9%", "ws connected"),
        ("duplicated <= 0.01%", "ws duplicated"),
        ("reordered < 1%", "ws reordered"),
        ("late < 0.1%", "ws late"),
        ("recovered >= 99%", "ws missed"),
    ],
)
def test_its_own_series(line, series):
    """Some lines name what they are about, whatever they stand under; a glob does not reach there."""
    objective = parse_objective(line, series="GET *", scope="each")
    assert (objective.series, objective.scope) == (series, "pool")
    assert objective.matches(series)
    assert not objective.matches("ws deliver")
    assert not parse_objective("p99 < 1ms", series="ws *").matches(series)
    assert parse_objective("p99 < 1ms", series=series).matches(series)

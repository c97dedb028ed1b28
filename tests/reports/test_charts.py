"""Charts say what the data says, and keep the rules."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from loadtests.header import PhaseSpan
from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from reports.charts.canvas import inline_svg
from reports.charts.curve import curve, curve_message
from reports.charts.frame import Label, Room, end_labels, frame
from reports.charts.heatmap import density, heatmap
from reports.charts.overtime import over_time, over_time_message
from reports.charts.rates import offered_and_achieved
from reports.sampling import missing
from reports.subject import Limit, Subject
from reports.timeline import Bin, Timeline
from tests.reports.synthetic import header, many

LIMIT = Limit(95.0, 200e6, "p95 < 200ms")


def run_of(directory: Path, intervals: dict[str, dict[int, Interval]], **changes: object) -> Run:
    """A run with given Intervals."""
    final = header(**changes)
    RunWriter(directory, final).close(final)
    run = Run(directory)
    run.intervals = intervals
    return run


def bins_of(values: int) -> list[Bin]:
    """Empty bins of one second."""
    return [Bin(second, 1, 1, Interval("", second)) for second in range(values)]


@pytest.mark.parametrize(
    ("values_ms", "limits", "message"),
    [
        ([70] * 60, (), "p95 stayed under 71 ms"),
        ([70] * 41 + [310] + [70] * 18, (), "p95 stayed under 71 ms; one spike to 310 ms at 00:41"),
        ([70, 150, 70, 400, 70, 70, 70, 70, 70], (), "p95 stayed under 71 ms; 2 spikes, the worst to 400 ms at 00:03"),
        ([70] * 30 + [250] * 30, (LIMIT,), "p95 was over its 200 ms limit in 30 of 60 bins, first at 00:30"),
        ([250] * 60, (LIMIT,), "p95 was over its 200 ms limit in every bin, from the start"),
        ([10, 60, 12, 70, 11, 90], (), "p95 was unsteady: 10.0 ms to 90.0 ms"),
    ],
)
def test_message_over_time(values_ms: list[float], limits: tuple[Limit, ...], message: str) -> None:
    """The title is computed, and the round figure is one that the values are truly under."""
    assert (
        over_time_message(list(zip(bins_of(len(values_ms)), [v * 1e6 for v in values_ms], strict=True)), 95.0, limits)
        == message
    )


def test_curve_says_how_near_the_limit_is() -> None:
    """Uniform 1..1000 ms: p95 is 950 ms, and waiting adds what was added."""
    us = np.arange(1, 1001) * 1000
    one = Interval("x", 0, response=Histogram.of(us + 500_000), service=Histogram.of(us))
    message = curve_message((Limit(95.0, 2e9, ""),), one)
    assert re.match(r"p95 is 1\.45 s, 73 % of its 2 s limit; waiting adds (499|500|501) ms at p99", message)
    assert "waiting" not in curve_message((), one, closed=True)


def test_curve_says_when_failures_decide() -> None:
    """Failed requests have no time on the curve, so a good p95 of the successes must not look like a PASS."""
    one = Interval("x", 0, 1_100, 1_000, response=Histogram.of([70_000] * 1_000), errors={"HTTP 503": 100})
    assert curve_message((LIMIT,), one) == "p95 of the successes is 70.0 ms; 100 failed ones count as too slow"


def test_curve_ends_where_the_sample_does() -> None:
    """500 requests carry p98 and no more; ten carry nothing worth drawing."""
    one = Interval(
        "x", 0, response=Histogram.of(np.arange(1, 501) * 100), service=Histogram.of(np.arange(1, 501) * 100)
    )
    chart = curve(Subject("x", ("x",), (LIMIT,)), one, "c")
    assert chart is not None
    assert "ends at p98" in chart.caption
    assert "p95 &lt; 200 ms" in chart.svg
    few = Interval("x", 0, response=Histogram.of([1] * 10))
    assert curve(Subject("x", ("x",)), few, "c") is None


@pytest.mark.parametrize(
    ("percentile", "n", "more"),
    [(50, 20, 0), (50, 19, 1), (95, 200, 0), (99, 400, 600), (99.9, 9_999, 1), (99.9, 10_000, 0), (99.99, 0, 100_000)],
)
def test_ten_must_lie_beyond(percentile: float, n: int, more: int) -> None:
    """10 / (1 - p), by exact decimals."""
    assert missing(percentile, n) == more


@pytest.mark.parametrize(
    ("values_ms", "limits_ms", "log"),
    [([20, 80], [200], False), ([2, 8], [500], True), ([5, 900], [200], True), ([50], [], False)],
)
def test_axis_starts_at_zero_or_is_log_and_shows_the_limit(
    values_ms: list[int], limits_ms: list[int], log: bool
) -> None:
    """A limit far above the data makes the axis logarithmic instead of squashing it."""
    room = Room.of([v * 1e6 for v in values_ms], [v * 1e6 for v in limits_ms])
    assert room.log == log
    assert (room.low == 0) != log
    assert all(room.low < v * 1e6 < room.high for v in (*values_ms, *limits_ms))


def test_labels_never_overlap() -> None:
    """Six labels at one height come out a line apart and inside the drawing."""
    figure, axes = frame()
    axes.set_ylim(0, 100)
    end_labels(axes, [Label(99.0, f"line {i}") for i in range(6)])
    svg = inline_svg(figure, "x", "t", "d")
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>line', svg))
    assert np.diff(heights).min() >= 16
    assert heights[0] > 0


def test_heat_map_counts_every_request_once(tmp_path: Path) -> None:
    """The cells add up to the successes of the whole seconds."""
    run = run_of(tmp_path, many(2, 75, n=25))
    bins = Timeline(run).bins(run.intervals, 2)
    grid = density(bins, 1e6, 1e9)
    assert grid.shape == (26, 38)
    assert grid.sum() == 2 * 75 * 25
    chart = heatmap(run.intervals, [LIMIT], Timeline(run), [], "h")
    assert chart is not None
    assert "p95 &lt; 200 ms" in chart.svg


def test_bins_keep_phases_apart_and_time_whole(tmp_path: Path) -> None:
    """Binned, not thinned: 10,007 s keep every request in under 122 bins, none across a phase's edge."""
    seconds = {s: Interval("x", s, count=1, ok=1) for s in range(10_007)}
    phases = (PhaseSpan("warm-up", "warm-up", 0, 100), PhaseSpan("steady", "steady", 100, 10_007))
    timeline = Timeline(run_of(tmp_path, {"x": seconds}, phases=phases))
    bins = timeline.bins(["x"])
    assert len(bins) <= 122
    assert sum(one.interval.count for one in bins) == sum(one.seconds for one in bins) == 10_007
    assert 100 in [one.start_s for one in bins]


def test_partial_second_is_marked_and_left_out(tmp_path: Path) -> None:
    """A run killed at 30.5 s: no bin holds second 30, and a band marks it."""
    run = run_of(tmp_path, many(1, 31, n=50), state="running", ended_wall_s=None)
    timeline = Timeline(run)
    assert (timeline.whole, timeline.partial) == (range(30), (30,))
    chart = over_time(Subject("x", tuple(run.intervals)), timeline, [], "o")
    assert chart is not None
    assert "cut short" in chart.caption
    assert "f-warning" in chart.svg


def test_offered_and_achieved_says_when_the_plan_was_not_kept(tmp_path: Path) -> None:
    """From second 40 on only half of what was due was started."""
    intervals = many(1, 75, n=50)
    for second, one in intervals["GET /resource-00/{id}"].items():
        one.started = one.completed = one.count if second < 40 else one.count // 2
    run = run_of(tmp_path, intervals)
    chart = offered_and_achieved(run, list(run.intervals), Timeline(run), [], "r")
    assert chart is not None
    # 25 s of 51 and 35 s of 25 make 2,150 in 60 s
    assert chart.title == "The plan was not kept: 35.8/s started of 51.0/s due, from 00:40"


def test_drawing_has_no_ids_but_its_own(tmp_path: Path) -> None:
    """And nothing that differs from one drawing to the next."""
    figure, axes = frame()
    axes.scatter([0.5], [0.5])
    first = inline_svg(figure, "x", "a & b", "<d>")
    assert re.findall(r'id="([^"]+)"', first) == ["x-t", "x-d"]
    assert "a &amp; b" in first
    assert first == inline_svg(figure, "x", "a & b", "<d>")

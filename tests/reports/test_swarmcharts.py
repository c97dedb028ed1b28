"""The swarm's pictures say what its records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from reports.charts import resources
from reports.charts.bars import Bar, bars
from reports.charts.fanout import fan_out_curve, fan_out_faults, reaches, slope_us
from reports.charts.recovery import recovery_curve, waves
from reports.charts.swarm import swarm_charts
from reports.failures import failure_rows
from reports.ledger import ledger
from tests.reports.synthetic import header


def run_of(
    folder: Path,
    *,
    fan_outs: list[dict[str, int]] | None = None,
    deliveries: dict[str, int] | None = None,
    swarm: dict[str, Any] | None = None,
    intervals: dict[str, dict[int, Interval]] | None = None,
) -> Run:
    """A run with these records and no others."""
    final = header()
    writer = RunWriter(folder, final)
    for row in fan_outs or ():
        writer.fan_out(row)
    if deliveries:
        writer.deliveries(deliveries)
    if swarm:
        writer.swarm(
            {
                "closes": {},
                "fairness": {},
                "slow": {},
                "stamped": 0,
                "clock": {},
            }
            | swarm
        )
    writer.close(final)
    run = Run(folder)
    if intervals is not None:
        run.intervals = intervals
    return run


def row(subscribers: int, last_us: int, messages: int = 1, first_us: int = 100) -> dict[str, int]:
    """Messages to so many subscribers, that took so long each."""
    sums = {"first_us": first_us, "median_us": (first_us + last_us) // 2, "last_us": last_us}
    return {"second": 1, "subscribers": subscribers, "messages": messages} | {k: v * messages for k, v in sums.items()}


def test_each_further_subscriber(tmp_path: Path) -> None:
    """Where subscriber i waits i milliseconds, the slope is one millisecond."""
    rows = [row(n, 1000 * n + 300, messages=1 + n % 3) for n in range(1, 21)]
    assert slope_us(reaches(rows)) == pytest.approx(1000)
    chart = fan_out_curve(run_of(tmp_path, fan_outs=rows), "x")
    assert chart is not None
    assert chart.title == "20 subscribers all had a message after 20.3 ms; each further one adds 1.00 ms"
    assert "over 41 messages" in chart.caption


def test_many_sizes_share_steps() -> None:
    """At most forty points, each with the means of its messages; the slope stays."""
    found = reaches([row(n, 10 * n, messages=2) for n in range(1, 1001)])
    assert len(found) == 40
    assert sum(one.messages for one in found) == 2000
    assert found[0].subscribers == 13  # 1 to 25
    assert found[0].last_us == 130
    assert slope_us(found) == pytest.approx(10)


def test_lost_by_size(tmp_path: Path) -> None:
    """What was lost stands by how many subscribers were due it; the times are of those alone that reached all."""
    rows = [row(n, 1000 * n, messages=9) for n in range(1, 11)]
    rows += [{"second": 2, "subscribers": n, "incomplete": 1, "lost": n - 8} for n in (9, 10)]
    found = reaches(rows)
    assert [(one.due, one.faults["lost"], one.incomplete) for one in found[-3:]] == [
        (72, 0, 0),
        (90, 1, 1),
        (100, 2, 1),
    ]
    assert slope_us(found) == pytest.approx(1000)
    chart = fan_out_faults(run_of(tmp_path / "a", fan_outs=rows), "x")
    assert chart is not None
    assert chart.title == "Messages to 10 subscribers lost most: 2.00 %"
    due = 9 * sum(range(1, 9)) + 90 + 100
    assert chart.caption.startswith(f"Of {due} deliveries over the whole run: 3 lost. 2 of 92 messages did not reach")
    assert fan_out_faults(run_of(tmp_path / "b", fan_outs=rows[:10]), "x") is None
    assert fan_out_faults(run_of(tmp_path / "c", fan_outs=rows[-1:]), "x") is None
    only_lost = [{"second": 2, "subscribers": n, "incomplete": 1, "lost": 1} for n in (3, 4, 5)]
    assert fan_out_curve(run_of(tmp_path / "d", fan_outs=only_lost), "x") is None


def test_faults_by_size(tmp_path: Path) -> None:
    """What came late, twice or out of order stands by the subscribers of its message, whenever that was known."""
    rows = [row(n, 1000 * n, messages=10) for n in range(1, 11)]
    rows += [{"second": 2, "subscribers": n, "late": n, "duplicated": 2} for n in (5, 10)]
    assert reaches([row(5, 5000, messages=10) | {"untimed": 40}])[0].due == 250
    found = reaches(rows)
    assert [one.share("late") for one in found] == [0, 0, 0, 0, 5 / 57, 0, 0, 0, 0, 10 / 112]
    assert [one.share("duplicated") for one in found[4:5] + found[9:]] == [2 / 57, 2 / 112], "of what came"
    chart = fan_out_faults(run_of(tmp_path, fan_outs=[*rows, {"second": 3, "subscribers": 4, "reordered": 6}]), "x")
    assert chart is not None
    assert chart.title == "Messages to 10 subscribers brought most too late: 8.93 %"
    assert chart.caption == "Of 550 deliveries over the whole run: 15 late, 4 duplicated, 6 reordered."


def test_more_copies_than_were_due() -> None:
    """Where everything comes four times, three of four that came are copies; what was lost is of what was due."""
    (found,) = reaches([{"second": 2, "subscribers": 10, "incomplete": 8, "lost": 20, "duplicated": 180}])
    assert (found.share("duplicated"), found.share("lost")) == (180 / 240, 20 / 80)


@pytest.mark.parametrize("sizes", [[], [8], [7, 8]])
def test_no_curve(tmp_path: Path, sizes: list[int]) -> None:
    """One size or two make no curve."""
    assert fan_out_curve(run_of(tmp_path, fan_outs=[row(n, 100) for n in sizes]), "x") is None


def restored(tmp_path: Path, took_ms: list[int], never: int = 0) -> str:
    """The title of the recovery curve."""
    one = Interval("ws restore", 3, len(took_ms) + never, len(took_ms), timeouts=never)
    one.response = Histogram.of([ms * 1000 for ms in took_ms])
    chart = recovery_curve(run_of(tmp_path, intervals={"ws restore": {3: one}}), "x")
    return chart.title if chart else ""


def test_recovery(tmp_path: Path) -> None:
    """When half, 95 % and all of the lost connections were back; those that never were count."""
    assert (
        restored(tmp_path / "a", list(range(10, 1010, 10)))
        == "Back were half after 500 ms, 95 % after 950 ms, all after 1.00 s"
    )
    assert restored(tmp_path / "b", [100] * 60, never=40) == "Back were half after 100 ms, 40 of 100 never"
    assert restored(tmp_path / "c", [100], never=3) == "1 of 4 came back"
    assert restored(tmp_path / "d", [], never=3) == "None of 3 lost connections came back"
    assert recovery_curve(run_of(tmp_path / "e", intervals={}), "x") is None


def test_recovery_storm_by_storm(tmp_path: Path) -> None:
    """Each of two storms has a line and its own times; what was lost one by one is counted beside them."""

    def second(at_s: int, took_ms: list[int], never: int = 0) -> Interval:
        one = Interval("ws restore", at_s, len(took_ms) + never, len(took_ms), timeouts=never)
        one.response = Histogram.of([ms * 1000 for ms in took_ms])
        return one

    lost = [second(35, [100] * 6), second(36, [200, 300, 400, 500]), second(50, [70]), second(65, [4000] * 12, 3)]
    run = run_of(tmp_path, intervals={"ws restore": {one.second: one for one in lost}})
    assert [(wave.at_s, wave.lost.count) for wave in waves(run)] == [(35, 10), (50, 1), (65, 15)]
    chart = recovery_curve(run, "x")
    assert chart is not None
    assert chart.title == "All 10 lost at 00:35 were back after 500 ms; of 15 lost at 01:05 12 came back"
    assert ">of 00:35<" in chart.svg
    assert ">of 01:05<" in chart.svg
    assert chart.caption == (
        "00:35: Back were half after 100 ms, 95 % after 500 ms, all after 500 ms. "
        "01:05: Back were half after 4.00 s, 3 of 15 never. "
        "1 more were lost at other times, fewer than 10 together."
    )


def test_bars_show_what_is_not_nothing() -> None:
    """One in a million is seen as a sliver; nothing is none."""
    chart = bars([Bar("many", 1_000_000), Bar("one", 1, "failure"), Bar("no", 0)], "x", "t", "d")
    assert chart is not None
    assert ">1,000,000<" in chart.svg
    assert chart.svg.count('class="f-failure"') == 2  # the sliver and its figure
    assert bars([Bar("no", 0)], "x", "t", "d") is None


def test_closes_and_ledger(tmp_path: Path) -> None:
    """Who ended connections, and what came of deliveries, in words and figures."""
    closes = {"we: end of the run": 5, "the server: closed 1013": 2, "nobody said: connection reset": 1, "we: storm": 4}
    closes["the storm: closed 1012"] = 3
    deliveries = {"expected": 1000, "delivered": 990, "lost": 10, "away": 30, "recovered": 20, "received": 1010}
    run = run_of(
        tmp_path,
        deliveries=deliveries,
        swarm={
            "closes": closes,
            "fairness": {"subscribers": 2, "a": 4.0, "b": 4.0, "aa": 10.0, "bb": 10.0, "ab": 10.0},
        },
    )
    titles = [chart.title for chart in swarm_charts(run, "l")]
    assert titles == [
        "990 of 1,000 due deliveries arrived; 10 were lost (1.00 %)",
        "3 connections ended that nobody had planned to end",
    ]
    rows = {word: (figure, wrong) for word, figure, _, wrong in ledger(run)}
    assert rows["lost"] == ("10", True)
    assert rows["away"] == ("30", False)
    assert rows["recovered"] == ("20", False)
    assert rows["fairness"] == ("0.800", False)  # 16 / (2 x 10)


def test_who_was_refused_beside_who_ended_as_planned(tmp_path: Path) -> None:
    """That connections ended as planned is not said without those that never came to be."""
    refused = {"ws connect": {1: Interval("ws connect", 1, 40, 10, timeouts=3, errors={"HTTP 503": 27})}}
    run = run_of(tmp_path, intervals=refused, swarm={"closes": {"we: end of the run": 10}})
    (chart,) = swarm_charts(run, "l")
    assert chart.title == (
        "No connection ended but as planned; 27 of 40 handshakes failed (HTTP 503); 3 of 40 handshakes failed (timeout)"
    )


def test_nothing_is_told_twice(tmp_path: Path) -> None:
    """A lost delivery is one failure, though three fan-out series know of it too."""
    lost = {
        name: {1: Interval(name, 1, 10, 9, lost=1)} for name in ("ws deliver", "ws deliver first", "ws deliver last")
    }
    assert [(one.series, one.count) for one in failure_rows(run_of(tmp_path, intervals=lost))] == [("ws deliver", 1)]


def test_old_runs(tmp_path: Path) -> None:
    """A run from before these records has no such pictures."""
    run = run_of(tmp_path, intervals={})
    for name in ("swarm.jsonl", "fanout.jsonl"):
        (tmp_path / name).unlink()
    assert swarm_charts(run, "l") == []
    (tmp_path / "swarm.jsonl").write_text(json.dumps({"closes": {"we: storm": 1}}) + "\n")


@pytest.mark.parametrize(
    ("swarm", "busiest"), [({"swarm_cpu_percent": 40.0}, 40), ({"swarm_cpu_percent": 2.0}, 3), ({}, 3)]
)
def test_the_swarm_is_of_the_generator(swarm, busiest):
    """Whichever of its processes was busiest is told, also where that is one of the swarm's."""
    peaks = {"target_cpu_percent": 7.0, "generator_cpu_percent": 3.0} | swarm
    said = f"Peaks: the target at 7 % and the generator's busiest process at {busiest} % of one core"
    assert resources._cpu_message(peaks, []) == said

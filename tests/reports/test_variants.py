"""Runs that are unlike the good one: failed, invalid, undecided, closed, empty, huge, hostile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.header import PhaseSpan
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.verdict import Status
from reports import render_junit, render_report, render_summary, write_report
from reports.figures import NOTHING
from tests.reports.reading import parse, table_with
from tests.reports.synthetic import CHECKS, FAILED, HOSTILE, INCONCLUSIVE, INVALID, PASSED, build, header, many, verdict


def empty(directory: Path, **changes: object) -> Run:
    """A run without a single request."""
    final = header(**changes)
    RunWriter(directory, final).close(final)
    return Run(directory)


def test_failed_run_puts_the_failed_objective_first(small: Path) -> None:
    """With its reason, a bar that goes off the scale, and a value that is not rounded onto its limit."""
    run, _ = build(small, FAILED, rate_per_s=40, live=False)
    root = parse(render_report(run))
    rows = list(next(next(table for table in root.all("table")).all("tbody")).all("tr"))
    assert "FAIL" in rows[0].text
    assert "17 % of requests were slower" in rows[0].text
    assert "INCONCLUSIVE" in rows[1].text
    assert "79.99996 ms" in rows[1].text
    assert "340 %" in rows[0].text


def test_partial_run_says_so_and_draws_no_line_through_the_cut_second(small: Path) -> None:
    """A banner, the breached checks first, and the second at 48 s marked as cut short."""
    run, _ = build(
        small,
        INVALID,
        rate_per_s=40,
        end_s=48.4,
        live=False,
        state="partial",
        partial="interrupted by Ctrl-C after 48 s",
        ended_wall_s=header().started_wall_s + 48.4,
    )
    text = parse(render_report(run)).text
    assert "Partial run. It ended before its plan did: interrupted by Ctrl-C after 48 s." in text
    assert "Can this run be trusted? No. ✗ The plan was kept? No: 87.20% sent (allowed: at least 99 %)" in text
    assert "The second at 00:48 was cut short; it is marked and not drawn." in text


def test_a_run_that_was_stopped_because_it_was_failing(small: Path) -> None:
    """A banner says after how long, by which evidence, and what that means for the others."""
    stopped = {"after_s": 150, "objective": "p95 < 200ms", "series": "GET /a", "n": 18_000, "bad": 1_700}
    run, _ = build(small, INVALID, rate_per_s=40, end_s=48.4, live=False, state="stopped", stopped=stopped)
    assert (
        "Stopped early. After 150 s of steady state it was certainly failing p95 < 200ms of GET /a (1,700 of 18,000 "
        "were bad), so the rest was spared."
    ) in parse(render_report(run)).text


def test_a_run_that_cites_a_calibration(small: Path) -> None:
    """Its floor stands beside every latency objective of requests, at that percentile; else that it is not known."""
    cited = {
        "id": "20261101-0900-ab12",
        "floor_ms": {"50": 0.5, "95": 1.5, "99": 2.5, "100": 9.0},
        "headroom": 4.8,
        "rate_per_s": 100.0,
        "made_wall_s": 0.0,
        "broken": [],
    }
    run, _ = build(small, PASSED, rate_per_s=40, live=False, calibration=cited)
    text = parse(render_report(run)).text
    latencies = [one for one in PASSED.verdicts if one.kind == "latency" and not one.series.startswith("ws ")]
    assert text.count("our floor 1.50 ms") == sum(one.objective.startswith("p95") for one in latencies) > 0
    assert text.count("our floor") == len(latencies)
    row = ("our own floor", NOTHING, NOTHING, "500 µs", "1.50 ms", "1.50 ms", "2.50 ms", "9.00 ms", "9.00 ms")
    assert "".join(row) in text
    assert "20261101-0900-ab12: floor p50 500 µs, p95 1.50 ms, p99 2.50 ms, max 9.00 ms; drove 4.8 times 100/s" in text
    plain, _ = build(small.with_name("plain"), PASSED, rate_per_s=40, live=False)
    text = parse(render_report(plain)).text
    assert "our floor" not in text
    assert "none speaks for this run, so its floor is not known" in text


def test_the_part_that_was_still_settling_is_shaded(small: Path) -> None:
    """Both windows are on the charts: what was judged, and from when on it was steady by its own signals."""
    told = "Lightly shaded: judged, but not yet steady by its own signals, to 00:25."
    run, _ = build(small, replace(PASSED, settled_s=25), rate_per_s=40, live=False)
    assert told in parse(render_report(run)).text
    for k, settled_s in enumerate((None, int(run.header.steady[0].start_s))):
        other, _ = build(small.with_name(f"other{k}"), replace(PASSED, settled_s=settled_s), rate_per_s=40, live=False)
        assert "Lightly shaded" not in parse(render_report(other)).text


def test_inconclusive_run(small: Path) -> None:
    """Its own word, and what it would take."""
    run, _ = build(small, INCONCLUSIVE, rate_per_s=40, live=False)
    text = parse(render_report(run)).text
    assert "With reservations." in text
    assert "needs about 70 s of steady state" in text


def test_closed_model_has_no_response_time(small: Path) -> None:
    """The banner says why, the table has service time alone, no chart speaks of response time."""
    run, _ = build(small, rate_per_s=40, live=False, model="closed", planned=None)
    root = parse(render_report(run))
    assert "Response time from an intended start does not exist here" in root.text
    assert len(table_with(root, "Succeeded")["GET /tasks"]) == 8
    assert not any("response" in next(svg.all("desc")).text.lower() for svg in root.all("svg"))


def test_run_without_any_data(small: Path) -> None:
    """Nothing recorded, nothing judged: a page nevertheless."""
    text = parse(render_report(empty(small))).text
    assert "NOT JUDGED" in text
    assert "The run holds no request." in text
    assert render_summary(Run(small))
    assert b"<skipped" in render_junit(Run(small))


def test_killed_run_still_reads(small: Path) -> None:
    """Its header says running for ever."""
    text = parse(render_report(empty(small, state="running", ended_wall_s=None))).text
    assert "it was never closed" in text


def test_one_request(small: Path) -> None:
    """A single request carries no percentile and breaks nothing."""
    run = empty(small)
    run.intervals = {"GET /": {20: many(1, 1, n=1)["GET /resource-00/{id}"][0]}}
    assert "needs 19 more" in parse(render_report(run)).text


def test_thirty_series_of_ten_minutes_stay_under_400_kb(small: Path) -> None:
    """The first screen shows five objectives; the other 25 are folded away, and time is binned."""
    run = empty(small, phases=(PhaseSpan("warm-up", "warm-up", 0, 30), PhaseSpan("steady", "steady", 30, 600)))
    run.intervals = many(30, 600)
    run.verdict = replace(
        PASSED,
        verdicts=tuple(
            verdict(name, "p95 < 200ms", Status.PASS, 200e6, 9e7 + i) for i, name in enumerate(run.intervals)
        ),
    )
    run.resources = [{"at_s": float(s), "target_cpu_percent": 50.0, "generator_cpu_percent": 20.0} for s in range(600)]
    page = render_report(run)
    assert len(page.encode()) < 400_000
    root = parse(page)
    assert "25 more objectives" in root.text
    assert len(list(next(next(root.all("table")).all("tbody")).all("tr"))) == 5


def test_a_leak_of_descriptors_is_said(small: Path) -> None:
    """The first and the last tenth of the readings, in a sentence: one more a second, from 40 to 139."""
    run = empty(small, phases=(PhaseSpan("steady", "steady", 0, 100),))
    run.intervals = many(1, 100)
    run.resources = [{"at_s": float(s), "target_fds": 40.0 + s} for s in range(100)]
    # means of 40..49 and of 130..139 are 44.5 and 134.5; halves go to the even number
    assert "open descriptors grew from 44 to 134" in parse(render_report(run)).text
    run.resources = [{"at_s": float(s), "target_fds": 40.0} for s in range(100)]
    assert "open descriptors stayed at 40" in parse(render_report(run)).text


def test_a_swarm_alone_has_no_users(small: Path) -> None:
    """Nothing is said of users where there were none at any time; else of all."""
    run = empty(small, phases=(PhaseSpan("steady", "steady", 0, 100),))
    run.intervals = many(1, 100)
    nobody = {"users": 0.0, "in_flight": 0.0, "waiting": 0.0, "connections": 30.0}
    run.resources = [{"at_s": float(s)} | nobody for s in range(100)]
    text = parse(render_report(run)).text
    assert "At most 30 connections" in text
    assert "waiting for a user" not in text
    run.resources[50]["users"] = 1.0
    said = "At most 1 user, 30 connections, 0 requests in flight, 0 waiting for a user"
    assert said in parse(render_report(run)).text


def test_stress_run_has_a_row_for_each_step(small: Path) -> None:
    """Offered and achieved of every steady phase."""
    steps = tuple(PhaseSpan(f"step {i}", "steady", 20 * i, 20 * i + 20, f"{i + 1}0/s") for i in range(3))
    run = empty(small, phases=steps)
    run.intervals = many(2, 60, n=10)
    rows = table_with(parse(render_report(run)), "Phase")
    assert list(rows) == ["step 0", "step 1", "step 2"]
    assert rows["step 1"][:3] == ["20/s", "22.0/s", "20.0/s"]


def test_hostile_names_stay_names(small: Path) -> None:
    """Escaped in HTML, XML and Markdown, in charts too; a dollar sign makes no formula."""
    phases = (PhaseSpan(HOSTILE[0], "warm-up", 0, 30, HOSTILE[4]), PhaseSpan(HOSTILE[5], "steady", 30, 90, HOSTILE[1]))
    run = empty(
        small,
        name=HOSTILE[0],
        target=HOSTILE[1],
        load=HOSTILE[5],
        command=HOSTILE[0],
        phases=phases,
        host={"os": HOSTILE[0]},
    )
    data = list(many(len(HOSTILE), 90, n=30).values())
    run.intervals = dict(zip(HOSTILE, data, strict=True))
    run.events = [{"at_s": 40, "kind": HOSTILE[0], "text": text} for text in HOSTILE]
    run.exemplars = [{"series": name, "outcome": "error", "error": "HTTP 503", "detail": name} for name in HOSTILE]
    run.verdict = replace(
        PASSED,
        sentence=HOSTILE[0],
        verdicts=tuple(verdict(name, "p95 < 200ms", Status.FAIL, 200e6, 3e8, reason=name) for name in HOSTILE),
        checks=(replace(CHECKS[0], title=HOSTILE[0], value=HOSTILE[1]),),
    )
    paths = write_report(run, small)
    page, summary = (path.read_text(encoding="utf-8") for path in paths[:2])
    assert "<script" not in page
    assert "\x00" not in page
    assert "\x1b" not in page
    root = parse(page)
    assert not list(root.all("script"))
    assert HOSTILE[3] in root.text
    assert HOSTILE[0] in table_with(root, "Succeeded")
    assert "<script" not in summary.replace("\\<", "")
    assert "@everyone" not in summary


@pytest.mark.parametrize("series", ["GET /tasks", "* (2 series)", "GET * (2 series)", "something that matches nothing"])
def test_objectives_bind_by_name_and_glob(small: Path, series: str) -> None:
    """A pool, a glob, a name and a stranger all make a page."""
    run = empty(small)
    run.intervals = dict(zip(("GET /tasks", "GET /agents"), many(2, 75).values(), strict=True))
    run.verdict = replace(PASSED, verdicts=(verdict(series, "p95 < 200ms", Status.PASS, 200e6, 1e8),))
    text = parse(render_report(run)).text
    assert ("p95 < 200 ms" in text) == (series != "something that matches nothing")

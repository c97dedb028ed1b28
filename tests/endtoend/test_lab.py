"""Known faults in the portal, and what a run says of them: the right series, the right size, and nothing else.

The expected figures come from the switches' arithmetic. Switches that touch different series are on at once, so that
two runs prove them all: what a run shows beside them would be a fault of ours.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from loadtests.run import Run
from loadtests.series import is_request
from reports.failures import failure_rows
from tests.endtoend.harness import ROOT, Portal, loadtests, portal, summary

pytestmark = [pytest.mark.slow, pytest.mark.timed]

LABORATORY = ROOT / "tests" / "endtoend" / "laboratory"
SLOW, FAILING = "GET /api/v1/agents/{agent_id}", "GET /api/v1/tasks/{task_id}"
HANGING = "POST /api/v1/integrations/commands"
EVERY_FAILURE, EVERY_LOSS, EVERY_SWAP, EVERY_COPY = 3, 40, 25, 15
LISTENERS = 8


def run(scenario: str, target: Portal, out: Path) -> Run:
    """Make a run of a scenario on a portal, and read it back; nobody else asks it for anything."""
    done = loadtests("run", LABORATORY / scenario, "--host", target.url, "--no-witness", "--out", out)
    assert (out / "summary.json").exists(), done.stdout + done.stderr
    return Run(out)


def failures(made: Run) -> dict[str, Counter[str]]:
    """The report's table of failures, over the whole run."""
    found: dict[str, Counter[str]] = {}
    for row in failure_rows(made):
        found.setdefault(row.series, Counter())[row.kind.partition(":")[0]] = row.count
    return found


def requests(made: Run, series: str) -> int:
    """How many requests of a series there were, in the whole run."""
    return sum(interval.count for interval in made.intervals[series].values())


def test_slow_failing_hanging_and_misdelivered(tmp_path: Path) -> None:
    """A route is slow, one fails, the external service hangs, events go astray: each in its own series alone.

    Of D deliveries, each of the eight listeners' turns one: what is due to be lost, swapped and doubled at once is
    lost, and what is due to be swapped and doubled is swapped. Who waits for a next event at the end has lost it.
    """
    with portal(PORTAL_LAB_LATENCY_MS="60000") as target:
        target.switch(
            routes={SLOW: {"delay_ms": 1_000}, FAILING: {"fail": {"status": 503, "every": EVERY_FAILURE}}},
            events={"drop_every": EVERY_LOSS, "swap_every": EVERY_SWAP, "duplicate_every": EVERY_COPY},
        )
        made = run("switches.toml", target, tmp_path / "run")
        done = target.done()
    figures = summary(tmp_path / "run")

    ledger = made.deliveries
    turns = range(1, ledger["expected"] + 1)
    lost = [n for n in turns if n % EVERY_LOSS == 0]
    swapped = [n for n in turns if n % EVERY_SWAP == 0 and n % EVERY_LOSS]
    unswapped = [n for n in swapped if n + LISTENERS > ledger["expected"]]
    doubled = [n for n in turns if n % EVERY_COPY == 0 and n % EVERY_SWAP and n % EVERY_LOSS]
    assert ledger["expected"] == LISTENERS * requests(made, "ws publish") > 1_000
    assert ledger["lost"] == len(lost) + len(unswapped)
    assert ledger["reordered"] == len(swapped) - len(unswapped)
    assert ledger["duplicated"] == len(doubled)
    assert ledger["late"] == ledger["outside"] == ledger["foreign"] == 0

    failed = failures(made)
    assert failed.keys() == {FAILING, HANGING, "ws deliver"}
    assert failed[FAILING] == {"http 503": requests(made, FAILING) // EVERY_FAILURE}
    assert failed["ws deliver"] == {"lost": ledger["lost"]}
    assert done["delayed"] == requests(made, SLOW)

    # Twice four calls are under way for 2 s until five time-outs in a row open the circuit; the last three of them time
    # out too or are dropped with the connection. Then it is 12 s or more from trial to trial: two or fewer in the 33 s.
    # All others are refused at once, though the service takes a minute.
    assert failed[HANGING].keys() <= {"http 502", "http 503", "http 504"}
    assert failed[HANGING].total() == requests(made, HANGING)
    assert failed[HANGING]["http 504"] > 5
    assert failed[HANGING]["http 504"] + failed[HANGING]["http 502"] <= 8 + 33 // 12
    assert failed[HANGING]["http 502"] <= 3
    assert figures["series"][HANGING]["failed_response_ms"]["p50"] < 200

    times = {name: row["response_ms"] for name, row in figures["series"].items() if name not in (HANGING, SLOW)}
    assert 1_000 <= figures["series"][SLOW]["response_ms"]["p50"] < 1_500
    assert len(times) >= 10
    assert {name: row["p50"] for name, row in times.items() if row["p50"] >= 250} == {}
    assert figures["verdict"] == "FAIL"
    assert {(o["objective"], o["series"]) for o in figures["objectives"] if o["status"] == "FAIL"} == {
        ("p95 < 500ms", SLOW),
        ("p95 < 500ms", FAILING),  # what failed was not answered in time either
        ("errors < 2%", FAILING),
        ("p95 < 500ms", HANGING),
        ("errors < 2%", HANGING),
        ("lost == 0", "ws deliver"),
        ("duplicated == 0", "ws deliver"),
        ("reordered == 0", "ws deliver"),
    }


@pytest.mark.long
def test_freezes_leaks_and_closed_sockets(tmp_path: Path) -> None:
    """All stands still for a second in five, each request leaves 256 KiB and a descriptor, sockets close after 80.

    With arrivals at a steady rate P(response > x) = (S - x) / T, so p90 is S - 0.1 T = 0.5 s; 12 users who meet a
    freeze are 4 % of the 300 who come in 5 s, so the service time's p90 shows none of it.
    """
    leaked_bytes, events = 256 * 1024, 80
    with portal() as target:
        before = target.process.num_fds()
        target.switch(
            freeze={"for_s": 1.0, "every_s": 5.0},
            leak={"bytes": leaked_bytes, "fds": 1},
            sockets={"close_code": 4_321, "after_events": events},
        )
        made = run("standstill.toml", target, tmp_path / "run")
        done = target.done()
    figures = summary(tmp_path / "run")["series"]

    asked = [name for name in figures if is_request(name) and figures[name]["count"] > 60]
    assert len(asked) >= 4
    for name in (*asked, "ws publish", "ws deliver"):
        assert 600 < figures[name]["response_ms"]["max"] < 2_000, name
        assert figures[name]["response_ms"]["p50"] < 500, name
    for name in asked:
        assert figures[name]["response_ms"]["p90"] > 250, name
        assert figures[name]["service_ms"]["p90"] < figures[name]["response_ms"]["p90"] / 2, name

    # Each closed socket had so many events, each open one has had fewer.
    assert failures(made) == {"ws connection": {"closed 4321": done["closed"]}}
    assert 0 <= made.deliveries["received"] - events * done["closed"] < LISTENERS * events
    assert done["closed"] >= LISTENERS
    assert made.deliveries["expected"] > 0
    assert all(made.deliveries[name] == 0 for name in ("lost", "duplicated", "reordered", "late", "foreign"))

    # The portal leaks 256 descriptors at most; 12 users and nine sockets are connected too.
    rows = made.resources
    assert done["leaked_fds"] == 256
    assert rows[-1]["target_fds"] - before == pytest.approx(256 + 12 + 9, abs=15)
    first, last = (min(rows, key=lambda row: abs(row["at_s"] - at_s)) for at_s in (2, 12))
    leaked = 60 * (last["at_s"] - first["at_s"]) * leaked_bytes
    assert last["target_rss_bytes"] - first["target_rss_bytes"] == pytest.approx(leaked, rel=0.2)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "memory grew from" in page
    assert "open descriptors grew from" in page

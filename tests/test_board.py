"""What is shown while a run goes on, from Intervals fed by hand; time is a parameter."""

import io

import pytest
from rich.console import Console

from loadtests import liveboard
from loadtests.board import PlainBoard, Progress
from loadtests.header import PhaseSpan
from loadtests.liveboard import LiveBoard, board_for
from loadtests.sample import Outcome
from tests.runs import folded, parsed, sample, stream

PHASES = (
    PhaseSpan("warm-up", "warm-up", 0, 15),
    PhaseSpan("spike", "steady", 15, 75),
    PhaseSpan("cool-down", "cool-down", 75, 80),
)
P95 = ("p95 < 200ms", "GET *", "pool")
ERRORS = ("errors < 1%", "GET *", "pool")


def _progress(samples=(), lines=(P95, ERRORS), at_s=30.0, **more):
    objectives = parsed(lines)
    progress = Progress(PHASES, objectives, at_s=at_s, **more)
    progress.add(folded(list(samples), objectives))
    return progress


def _spent(progress):
    return [None if spent is None else round(spent, 6) for _, spent in progress.budgets()]


def test_rates():
    """Rates are means of the last five whole seconds that every process has reported, the two latest not yet."""
    samples = [
        *stream(10, 5, first_s=24, service_ms=600, odd_every=5, odd={"outcome": Outcome.ERROR}),  # 24 .. 28
        *stream(99, 2, first_s=29),  # not told yet
        *stream(7, 80, series="ws deliver"),  # no request
        sample(26.5, series="task Buyer", outcome=Outcome.ERROR),  # neither
    ]
    progress = _progress(samples)
    assert progress.recent(progress.offered) == 10
    # Of the ten due in a second .4 and .9 fail, .0 to .3 end in it and .5 to .8 in the next one.
    assert progress.recent(progress.completed) == pytest.approx((4 + 4 * 8) / 5)
    assert progress.failed == 10


@pytest.mark.parametrize(("at_s", "offered"), [(0.0, 0.0), (1.9, 0.0), (2.0, 20.0), (3.5, 20.0)])
def test_rates_at_the_start(at_s, offered):
    """In the first seconds the mean is of as many as there are, and of none it is 0."""
    progress = _progress(stream(20, 60), at_s=at_s)
    assert progress.recent(progress.offered) == offered


@pytest.mark.parametrize(
    ("at_s", "phase"), [(0, "warm-up"), (15, "spike"), (74.9, "spike"), (75, "cool-down"), (80, None)]
)
def test_phase(at_s, phase):
    """A phase lasts from its start to just before its end; after the last one the run drains."""
    progress = _progress(at_s=at_s)
    assert (progress.phase.name if progress.phase else None) == phase
    assert progress.line().startswith(f"{phase or 'draining'} {at_s:.0f}/80 s; ")
    assert progress.end_s == 80


def test_gauges_add_up():
    """A gauge is the sum over all processes, and 0 where none reported it."""
    progress = _progress(gauges={"worker-0": {"users": 7, "waiting": 2}, "worker-1": {"users": 5}})
    assert [progress.gauge(name) for name in ("users", "waiting", "connections")] == [12, 2, 0]


def test_offered_rate():
    """What came due is told by the generator's processes; where none tells it, by what was recorded."""
    samples = stream(20, 30)
    assert _progress(samples).offered_per_s() == 20
    told = {"worker-0": {"offered_per_s": 61.0}, "worker-1": {"offered_per_s": 59.0}, "worker-0.swarm": {}}
    assert _progress(samples, gauges=told).offered_per_s() == 120


def test_lateness():
    """Lateness is p99 of the last half minute."""
    assert _progress(stream(10, 30, late_ms=1.5)).lateness_p99_ms() == 1.5
    assert _progress().lateness_p99_ms() == 0.0


# Of 20 requests a second from second 15 on every 50th is bad: 2 %. Read: objective, its budget spent.
BUDGETS = [
    (P95, {"service_ms": 300}, 0.4),  # 2 % of 5 %
    (P95, {"outcome": Outcome.TIMEOUT}, 0.4),
    (P95, {"outcome": Outcome.DROPPED}, 0.4),
    (P95, {"service_ms": 190}, 0.0),
    (ERRORS, {"outcome": Outcome.ERROR}, 2.0),
    (ERRORS, {"service_ms": 300}, 0.0),
    (ERRORS, {"series": "arrival Buyer", "outcome": Outcome.DROPPED}, 2.0),  # meant for any HTTP series
    (("lost < 1%", "GET *", "pool"), {"outcome": Outcome.LOST}, 2.0),
    (("errors < 1%", "ws *", "pool"), {"series": "arrival Buyer", "outcome": Outcome.DROPPED}, None),
    (("errors == 0", "*", "pool"), {"outcome": Outcome.ERROR}, float("inf")),
    (("errors == 0", "*", "pool"), {"outcome": Outcome.DROPPED}, 0.0),
    (("errors == 0", "*", "pool"), {"series": "task Buyer", "outcome": Outcome.ERROR}, 0.0),
    (("dropped == 0", "*", "pool"), {"outcome": Outcome.UNSENT}, float("inf")),
    (("dropped == 0", "*", "pool"), {"outcome": Outcome.ERROR}, 0.0),
    (("lost == 0", "ws *", "pool"), {}, None),
    (("throughput > 1/s", "*", "pool"), {}, None),
]


@pytest.mark.parametrize(("line", "odd", "spent"), BUDGETS)
def test_budgets(line, odd, spent):
    """Each objective shows the share of its budget that is spent so far."""
    progress = _progress(stream(20, 10, first_s=15, odd_every=50, odd=odd), [line])
    assert _spent(progress) == [spent]
    assert progress.budgets()[0][0] == f"{line[0]} [{line[1]}]"


def test_the_warm_up_spends_no_budget_but_counts():
    """Budgets are spent in the steady state alone, counts over the whole run, as they will be judged."""
    samples = [*stream(20, 15, outcome=Outcome.ERROR), *stream(20, 10, first_s=15)]
    assert _spent(_progress(samples, [P95, ("errors == 0", "*", "pool")])) == [0.0, float("inf")]


@pytest.mark.parametrize(
    ("line", "counts", "spent"),
    [
        ("lost == 0", {"expected": 9, "lost": 0}, 0.0),
        ("lost == 0", {"expected": 9, "lost": 3}, float("inf")),
        ("lost == 0", {"expected": 0, "lost": 0, "received": 50}, None),  # nothing was due, so none could be lost
        ("duplicated == 0", {"received": 50, "duplicated": 0}, 0.0),
        ("duplicated == 0", {"expected": 9, "received": 0}, None),
        ("unrecovered == 0", {"received": 50, "away": 0, "recovered": 0}, None),
        ("unrecovered == 0", {"received": 50, "away": 8, "recovered": 8}, 0.0),
        ("unrecovered == 0", {"received": 50, "away": 8, "recovered": 7}, float("inf")),
        ("contract == 0", {}, None),  # no frame was checked
    ],
)
def test_the_ledger_counts(line, counts, spent):
    """What the swarm's ledger counts is taken from it; of what nothing was counted yet, no budget is known."""
    progress = _progress(stream(series="ws deliver"), [(line, "ws *", "pool")], ledger=counts)
    assert _spent(progress) == [spent]
    assert ("most spent budget" in progress.line()) == (spent is not None)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, ""),
        ({"gauges": {"swarm": {"connections": 20}}}, "20 connections, 0 deliveries lost; "),
        ({"gauges": {"swarm": {"connections": 1}}}, "1 connection, 0 deliveries lost; "),
        ({"ledger": {"lost": 1}}, "0 connections, 1 delivery lost; "),
    ],
)
def test_a_swarm_alone(told, said):
    """Nothing is said of users and requests where there are none; what was lost are deliveries."""
    progress = _progress(stream(series="ws deliver"), [], users=False, resources={"swarm_cpu_percent": 3.0}, **told)
    assert progress.line() == f"spike 30/80 s; {said}generator CPU 3 %"
    drawn = _drawn(progress)
    assert "offered" not in drawn
    assert ("delivered, lost" in drawn) == bool(said)


def test_members_that_ask_over_http():
    """What they ask is told, and still nothing of users."""
    line = _progress(stream(20, 30), [], users=False).line()
    assert line == "spike 30/80 s; offered 20/s, completed 20/s; 0 failed; late p99 0.0 ms; generator CPU 0 %"


def test_line():
    """The line has phase, rates, users, failures, lateness, the generator's CPU and the objective most at risk."""
    samples = stream(20, 30, odd_every=50, odd={"outcome": Outcome.ERROR})
    progress = _progress(
        samples,
        gauges={"local": {"users": 12, "in_flight": 3, "waiting": 1, "connections": 60}},
        ledger={"lost": 2},
        resources={"generator_cpu_percent": 4.1, "swarm_cpu_percent": 31.4},
    )
    assert progress.line() == (
        "spike 30/80 s; offered 20/s, completed 20/s; 12 users, 3 in flight, 1 waiting; "
        "60 connections, 2 deliveries lost; 12 failed; late p99 0.0 ms; generator CPU 31 %; "
        "most spent budget: 200 % (errors < 1% [GET *])"
    )


def test_lateness_is_recent():
    """A slip shows while it lasts and for ten seconds more."""
    late = [sample(20, late_ms=50), sample(29)]
    shown = [_progress(late, at_s=at_s).lateness_p99_ms() for at_s in (25, 30, 31, 35)]
    assert [round(ms) for ms in shown] == [50, 50, 0, 0]


def test_line_of_a_count():
    """A count that is over has no percentage."""
    progress = _progress([sample(20, outcome=Outcome.ERROR)], [("errors == 0", "*", "pool")])
    assert progress.line().endswith("most spent budget: over (errors == 0 [*])")


def test_memory_is_bounded():
    """Over an hour, fed a second at a time, no more than the last half minute is kept, and budgets still add up."""
    objectives = parsed([P95])
    progress = Progress((PhaseSpan("steady", "steady", 0, 3600),), objectives)
    for second in range(3600):
        progress.at_s = float(second)
        progress.add(folded(stream(2, 1, first_s=second, odd_every=2, odd={"service_ms": 300}), objectives))
        assert max(len(progress.offered), len(progress.completed), len(progress.lateness)) <= 33
    assert _spent(progress) == [10.0]  # half are bad, of 5 %


def _fed(plain, at_s):
    for at in at_s:
        plain.show(_progress(at_s=at))


@pytest.mark.parametrize(
    ("at_s", "lines"),
    [
        ([0, 0, 0, 1, 2, 3, 4, 4.9], ["warm-up 0/80 s"]),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], ["warm-up 0/80 s", "warm-up 5/80 s", "warm-up 10/80 s"]),
        ([0.7, 1.7, 2.7, 3.7, 4.7, 5.7, 9.7, 10.7], ["warm-up 1/80 s", "warm-up 6/80 s", "warm-up 11/80 s"]),
        ([3, 17, 19, 20], ["warm-up 3/80 s", "spike 17/80 s", "spike 20/80 s"]),  # missed ones are not made up for
    ],
)
def test_plain_board(at_s, lines, capsys):
    """A line is printed at the start and then once in every five seconds of the run."""
    _fed(PlainBoard(), at_s)
    printed = capsys.readouterr()
    assert [line.split(";")[0] for line in printed.err.splitlines()] == lines
    assert printed.out == ""


def test_plain_board_says_at_once(capsys):
    """What is said once is printed at once."""
    plain = PlainBoard()
    plain.say("ending early: interrupted at 3 s")
    plain.close()
    assert capsys.readouterr().err == "ending early: interrupted at 3 s\n"


def _drawn(progress):
    console = Console(file=io.StringIO(), width=120)
    console.print(liveboard._draw(progress))
    return console.file.getvalue()


def test_drawing():
    """The table has what the line has, time left, and every objective with its budget."""
    text = _drawn(
        _progress(
            stream(20, 30, odd_every=50, odd={"service_ms": 300}),
            [P95, ("errors == 0", "GET *", "pool"), ("lost == 0", "ws *", "pool")],
            gauges={"local": {"users": 12}},
            ledger={"delivered": 12_345, "lost": 0},
            resources={"generator_cpu_percent": 31.4, "target_cpu_percent": 150.2},
        )
    )
    for part in ("spike", "30 s elapsed, 50 s left", "20/s", "12,345", "31 %, 150 %"):
        assert part in text
    rows = [line.strip() for line in text.splitlines()]
    assert any(row.startswith("p95 < 200ms [GET *]") and row.endswith("40 %") for row in rows)
    assert any(row.startswith("errors == 0 [GET *]") and row.endswith("0 %") for row in rows)
    assert any(row.startswith("lost == 0 [ws *]") and row.endswith("no data yet") for row in rows)


def test_drawing_takes_brackets_as_they_are():
    """A series with brackets in its name is no markup."""
    assert "p95 < 1s [GET /[red]x]" in _drawn(_progress(lines=[("p95 < 1s", "GET /[red]x", "pool")]))


def test_board_for():
    """A terminal gets a table that is drawn in place, anything else plain lines; both can be shown to and closed."""
    assert isinstance(board_for(Console(file=io.StringIO())), PlainBoard)
    live = board_for(Console(file=io.StringIO(), force_terminal=True, width=120))
    assert isinstance(live, LiveBoard)
    live.show(_progress())
    live.show(_progress())
    live.say("ending early: [interrupted] at 3 s")
    live.close()

"""The verdict in one sentence, for each way in which a run can end."""

import pytest

from loadtests.header import PhaseSpan
from loadtests.interval import Interval
from loadtests.judge import judge
from loadtests.sample import Outcome
from loadtests.swarmaccount import SwarmAccount
from tests.runs import accounting, remember_run, sample, stream

P95 = "p95 < 200ms"
WHO = "20 users for 60 s"
ROOM = "lower the rate, allow more users (--users), or share the load among more processes (--processes)"
EACH = (P95, "*", "each")
CUT = {"state": "partial", "partial": "interrupted at 60 s"}


def _sentence(samples, lines=(P95,), **changes):
    return judge(remember_run(samples, lines, **changes)).sentence


def _series(**service_ms):
    return [s for name, ms in service_ms.items() for s in stream(series=f"GET /{name}", service_ms=ms)]


def test_pass():
    """A PASS says under which load, and how near it was: 122 of 200 ms are 61 %."""
    samples = [*_series(a=12, b=122), *stream(series="ws deliver", service_ms=3)]
    ledger = {"expected": 1200, "delivered": 1200, "received": 1200}
    lines = [EACH, "errors < 1%", "lost == 0"]
    assert _sentence(samples, lines, users=120, connections=60, deliveries=ledger) == (
        "PASS: 120 users and 60 live connections for 60 s; every objective held; the closest is p95 of GET /b at 61 % "
        "of its limit"
    )


@pytest.mark.parametrize(
    ("line", "samples", "closest"),
    [
        ("errors < 5%", stream(odd_every=100, odd={"outcome": Outcome.ERROR}), "errors of GET /a at 20 % of"),
        ("throughput > 10/s", stream(service_ms=1), "throughput of GET /a at 50 % of"),
    ],
)
def test_how_near(line, samples, closest):
    """Errors are as near as the budget that they spent, throughput as near as its limit is to it."""
    assert closest in _sentence(samples, [(line, "GET *", "pool")])


def test_nothing_bad():
    """Where the objectives are shares and counts of nothing, nothing is near."""
    assert _sentence(stream(), ["errors < 1%", "errors == 0"]) == (
        f"PASS: {WHO}; every objective held, and nothing bad was seen"
    )


STEADY_ONLY = (PhaseSpan("warm-up", "warm-up", 0, 20), PhaseSpan("steady", "steady", 20, 60))
LISTENING = {"users": 0, "connections": 20}
HEARD = stream(series="ws deliver", service_ms=3)
LEDGER = {"expected": 1200, "delivered": 1200, "received": 1200}


@pytest.mark.parametrize(
    ("wanted_and_up", "who"),
    [
        ([(20, 20)] * 60, "20 live connections"),
        ([(20, 10)] * 60, "10 of 20 live connections"),
        ([(20, 0)] * 60, "0 of 20 live connections"),
        ([(20, 20)] * 30 + [(20, 0)] * 30, "10 of 20 live connections"),  # the server died half-way
        ([(15, 15)] * 60, "15 of 20 live connections"),  # the others' turn to connect had not come
        ([(20, 20)] * 59 + [(9, 9)], "20 live connections"),  # 19.8 wanted: the last second is a little short
        ([], "0 of 20 live connections"),  # known to have been down afterwards alone
        (None, "20 live connections"),  # a run of before that was counted
    ],
)
def test_connections_that_were_live(wanted_and_up, who):
    """They are those that were up in the steady state, on average; not those that the plan has."""
    run = remember_run(HEARD, ["lost == 0"], deliveries=LEDGER, **LISTENING)
    if wanted_and_up is not None:
        rows = {
            s: Interval("ws connected", s, wanted, up, errors={"down": wanted - up})
            for s, (wanted, up) in enumerate(wanted_and_up)
        }
        run.intervals["ws connected"] = rows or {60: Interval("ws connected", 60, 20, errors={"down": 20})}
    assert judge(run).sentence.startswith(f"PASS: {who} for 60 s; ")


def _beside(samples=(), lines=("lost == 0",), closes=None, **ledger):
    run = remember_run([*HEARD, *samples], lines, deliveries=LEDGER | ledger, **LISTENING)
    run.swarm = SwarmAccount(closes={"we: end of the run": 20} | (closes or {}))
    return judge(run).sentence.split(" for 60 s; ")[1]


REFUSED = [sample(t, series="ws connect", outcome=Outcome.ERROR) for t in range(30)]
CAME = [sample(t, series="ws connect") for t in range(20)]
BESIDE = {
    "nothing": ({}, ", and nothing bad was seen"),
    "connects": (
        {"samples": [*REFUSED, *CAME]},
        "; not asked about: 30 of 50 ws connect failed (http 503)",
    ),
    "ends": (
        {"closes": {"the server: closed 1013": 4, "we: no pong": 1}},
        "; not asked about: 4 connections ended (the server: closed 1013), 1 connection ended (we: no pong)",
    ),
    "planned ends": ({"closes": {"we: storm": 4, "the storm: closed 1012": 3}}, ", and nothing bad was seen"),
    "copies": ({"duplicated": 7, "received": 1207}, "; not asked about: 7 deliveries came twice"),
    "requests": (
        {"samples": [sample(t, outcome=Outcome.TIMEOUT) for t in range(3)]},
        "; not asked about: 3 of 3 GET /a failed (timeout)",
    ),
    "most": (
        {"samples": [*REFUSED, *CAME], "closes": {"a": 4, "b": 3}, "duplicated": 2, "received": 1202},
        "; not asked about: 4 connections ended (a), 3 connections ended (b), 30 of 50 ws connect failed (http 503) "
        "and 1 more",
    ),
    "asked for": (
        {"samples": [*REFUSED, *stream(200, 50, series="ws connect")], "lines": ["lost == 0", "errors < 5%"]},
        "; the closest is errors of all series together at 5 % of its limit",  # 30 of 11 230
    ),
    "a delivery's time": (
        {"samples": [sample(5, series="ws deliver", outcome=Outcome.LOST)], "lines": ["p95 < 300ms"]}
        | {"lost": 1, "expected": 1201},
        "; the closest is p95 of ws deliver at 1 % of its limit",
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_was_not_asked_about(name):
    """What failed beside the objectives is named, the first three of it; nothing bad is said of nothing bad alone."""
    happened, words = BESIDE[name]
    assert _beside(**happened) == f"every objective held{words}"


def test_what_failed_before_it_was_judged():
    """Failures of the warm-up are no reason to fail, nor to say that there were none."""
    samples = [*stream(20, 20, outcome=Outcome.ERROR), *stream(20, 40, first_s=20)]
    assert _sentence(samples, ["errors < 1%"], phases=STEADY_ONLY) == (
        "PASS: 20 users for 40 s; every objective held, and nothing bad was seen in the steady state"
    )


@pytest.mark.parametrize(("glob", "words"), [("*", "all series together"), ("GET /*", "GET /* together")])
def test_pool(glob, words):
    """A pool goes by its glob, or by what "*" means."""
    assert f"the closest is p95 of {words} at 10 % of its limit" in _sentence(
        _series(a=20, b=20), [(P95, glob, "pool")]
    )


@pytest.mark.parametrize(
    ("changes", "load"),
    [
        ({"users": 1}, "1 user for 60 s"),
        ({"users": 1200, "connections": 1}, "1,200 users and 1 live connection for 60 s"),
        ({"users": 0, "connections": 60}, "60 live connections for 60 s"),
        ({"users": 0}, "no load for 60 s"),
        ({"phases": (PhaseSpan("steady", "steady", 0, 150),)}, "20 users for 2.5 min"),
        ({"phases": (PhaseSpan("steady", "steady", 0, 9_000),)}, "20 users for 2.5 h"),
    ],
)
def test_load(changes, load):
    """The load is told in words, in the singular where there is one."""
    assert f": {load}; " in _sentence(stream(), **changes)


def test_fail_names_the_worst_first():
    """Of several failed objectives the one that is furthest over its limit comes first, wherever it stood."""
    assert _sentence(_series(a=12, b=210, c=620, d=300), [EACH]) == (
        f"FAIL: {WHO}; the worst is GET /c: p95 was 620 ms against a limit of 200 ms; 3 of 4 objectives failed"
    )


# Failed objectives, worst first: six times the limit, five times the budget, half of what was asked, one too many.
RANKED = [
    ("p95 < 200ms", "GET /slow", stream(series="GET /slow", service_ms=1200), "GET /slow: p95 was 1.2 s against"),
    (
        *("p95 < 200ms", "GET /bad"),
        stream(series="GET /bad", odd_every=4, odd={"outcome": Outcome.ERROR}),  # 25 % of 5 %
        "GET /bad: p95 lies beyond the answered requests: 300 of 1,200 failed",
    ),
    ("throughput > 40/s", "GET /few", stream(series="GET /few", service_ms=1), "GET /few: 20/s were completed"),
    (
        *("errors == 0", "GET /one"),
        [*stream(series="GET /one"), sample(3.3, series="GET /one", outcome=Outcome.ERROR)],
        "GET /one: 1 of 1,201 requests failed",
    ),
]


@pytest.mark.parametrize("first", range(len(RANKED)))
def test_fail_ranks_unlike_objectives(first):
    """Percentiles by their limit, shares by their budget, throughput by its limit; a count is over by its share."""
    rows = list(reversed(RANKED[first:]))
    samples = [s for _, _, stream_of, _ in rows for s in stream_of]
    sentence = _sentence(samples, [(line, series, "pool") for line, series, _, _ in rows])
    assert RANKED[first][3] in sentence


def test_fail_of_one_objective():
    """With one objective there is no worst."""
    assert _sentence(stream(outcome=Outcome.ERROR), ["errors < 1%"]) == (
        f"FAIL: {WHO}; GET /a: 1,200 of 1,200 failed, 100 % against 1 %"
    )


def test_fail_of_the_target():
    """A target that died says so, when no objective had failed by then."""
    cut = {"state": "partial", "partial": "the target ended with code 1 at 60 s", "fault": "target"}
    assert _sentence(stream(), **cut) == (
        f"FAIL: {WHO}; the target failed (the run ended early: the target ended with code 1 at 60 s)"
    )


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        (
            ["errors < 0.1%"],  # 2 995 requests at 20/s are 149.75 s
            "errors of GET /a could not be decided: too little evidence, it takes about 150 s of steady state",
        ),
        (
            ["errors < 0.1%", "errors < 0.2%"],
            "2 of 2 objectives could not be decided; the closest is errors of GET /a: too little evidence, it takes "
            "about 150 s of steady state",
        ),
        ([], "no objective was asked for, so nothing was judged"),
        (
            [("p95 < 1s", "PUT *", "pool")],
            'p95 of PUT * together could not be decided: no series matches "PUT *", so nothing can be said',
        ),
    ],
)
def test_inconclusive(lines, finding):
    """What could not be decided says what it would take."""
    assert _sentence(stream(), lines) == f"INCONCLUSIVE: {WHO}; {finding}"


def test_inconclusive_because_cut_short():
    """An interrupted run whose objectives held so far says how it ended."""
    assert _sentence(stream(), **CUT) == (
        f"INCONCLUSIVE: {WHO}; every objective held as far as the run went, but it did not go to its end (the run "
        "ended early: interrupted at 60 s)"
    )
    assert _sentence(stream(), state="running", accounting={}).endswith("but it did not go to its end")


def _raised(n):
    return [sample(t, series="task Buyer", outcome=Outcome.ERROR, service_ms=0) for t in range(n)]


INVALID = {
    "plan": (
        {"samples": stream(odd_every=4, odd={"outcome": Outcome.DROPPED})},
        "the generator did not keep its plan (75.00 % sent, worst 10 s 75.00 %, 300 never sent), so nothing is said of "
        f"the target: {ROOM}",
    ),
    "late": (
        {"samples": stream(odd_every=5, odd={"late_ms": 300})},
        f"requests left late by the generator's own fault, which decides p95 of GET /a: {ROOM}",
    ),
    "cpu": (
        {
            "samples": stream(service_ms=300),
            "resources": [{"at_s": float(t), "generator_cpu_percent": 99.0} for t in range(60)],
        },
        "GET /a: p95 was 300 ms against a limit of 200 ms, but without the 60 s in which the generator itself lapsed "
        "it does not fail: a Locust process wanted over 90 % of a core in 60 s, 99 % at 0 s; share the load among more "
        "processes (--processes), or give it more or quieter processors",
    ),
    "accounting": (
        {"samples": stream(), "accounting": accounting(stream()) | {"requests_begun": 1201}},
        "not every request is accounted for (1,200 of 1,200 arrivals, 1,200 of 1,201 requests, 3,600 of 3,600 times, "
        "2,400 of 2,400 starts and ends), so nothing is said of the target: make the run again, and report it should "
        "it happen twice",
    ),
    "deliveries": (
        {"samples": stream(series="ws deliver"), "deliveries": {"expected": 1199, "delivered": 1199, "received": 1199}},
        "not every delivery is accounted for (1,200 of 1,199 received and 0 of 0 lost ones found again), so nothing is "
        "said of the target: make the run again, and report it should it happen twice",
    ),
    "lost": (
        {"samples": stream(), "events": [("lost", "worker-1 (pid 12) was lost (signal 9)")]},
        "part of the load was lost (worker-1 (pid 12) was lost (signal 9)), so nothing is said of the target: see "
        "generator.log, then make the run again",
    ),
    "user code": (
        {"samples": [*stream(), *_raised(13)]},
        "the scenario's own code is broken (user code raised 13 times, see events.jsonl), so nothing is said of the "
        "target: mend it, then make the run again",
    ),
    "clock": (
        {"samples": [*stream(), *stream(1, 3, service_ms=-1)]},
        "clocks disagree (6 negative times), so nothing is said of the target: keep all of the load on one machine",
    ),
    "generator": (
        {
            "samples": stream(),
            "fault": "generator",
            "state": "partial",
            "partial": "the generator did not end in time at 99 s",
        },
        "the generator failed, so nothing is said of the target: see generator.log, then make the run again (the run "
        "ended early: the generator did not end in time at 99 s)",
    ),
}


@pytest.mark.parametrize("fault", INVALID)
def test_invalid_says_what_to_do(fault):
    """Whatever broke the run, the sentence names it and its remedy."""
    changes, finding = INVALID[fault]
    assert _sentence(**changes) == f"INVALID: {WHO}; {finding}"


@pytest.mark.parametrize(
    ("clocks", "found"),
    [
        (
            {"stamps": "one lies 3 s ahead of it"},
            "the server's stamps are of no clock of this machine: one lies 3 s ahead of it; name a field with",
        ),
        (
            {"clock": {"offset_ms": 3.0, "uncertainty_us": 50_000.0}},
            "the clocks of target and generator agree to within 50 ms, and 5% of the limit is allowed; let the server",
        ),
    ],
)
def test_invalid_for_its_clock(clocks, found):
    """Of 200 ms a clock may be wrong by 10: no more than that is said, and what to do."""
    heard = stream(series="ws deliver")
    ledger = {"expected": len(heard), "delivered": len(heard), "received": len(heard)}
    run = remember_run(heard, (P95,), deliveries=ledger)
    run.swarm = SwarmAccount(**clocks)
    assert judge(run).sentence.startswith(f"INVALID: {WHO}; ws deliver: {found}")


@pytest.mark.parametrize("fault", INVALID)
def test_one_sentence(fault):
    """It is one line, one sentence, and free of the words of the trade."""
    sentence = _sentence(**INVALID[fault][0])
    assert "\n" not in sentence
    assert ". " not in sentence
    assert not sentence.endswith(".")
    assert not {"Clopper", "effective", "bracket", "histogram", "upper", "design"} & set(sentence.split())

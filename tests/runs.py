"""Runs with known contents: Samples folded by the real Recorder, written by the real RunWriter, and read back."""

from collections import Counter
from dataclasses import replace

from loadtests.header import PhaseSpan, RunHeader
from loadtests.interval import merge
from loadtests.objective import limits_ns, parse_objective
from loadtests.recorder import Recorder
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.sample import Outcome, Sample
from loadtests.swarmaccount import SwarmAccount
from loadtests.witnessaccount import WitnessAccount

T0_NS = 7_000_000_000_000
MS = 1_000_000
S = 1_000_000_000
MINUTE = (PhaseSpan("steady", "steady", 0, 60, "20/s"),)
HEADER = RunHeader(
    name="shop",
    run_id="1a2b3c4d",
    started_wall_s=1_700_000_000.0,
    t0_ns=T0_NS,
    target="http://127.0.0.1:8000",
    model="open",
    load="open model, 20 arrivals/s (evenly spaced), at most 20 users",
    users=20,
    seed=1,
    phases=MINUTE,
    state="complete",
    ended_wall_s=1_700_000_060.0,
)


def sample(at_s, *, series="GET /a", service_ms=10.0, late_ms=0.0, outcome=Outcome.OK):
    """One request due at a second of the run; what never started has no times of its own."""
    intended = T0_NS + round(at_s * S)
    started = intended + round(late_ms * MS)
    never = outcome in (Outcome.DROPPED, Outcome.UNSENT)
    return Sample(series, intended, started, started + (0 if never else round(service_ms * MS)), outcome)


def stream(per_s=20, seconds=60, *, first_s=0, odd_every=0, odd=None, **usual):
    """Evenly spaced requests; every ``odd_every``-th is as ``odd`` says instead."""
    return [
        sample(first_s + k / per_s, **(usual | (odd or {}) if odd_every and k % odd_every == odd_every - 1 else usual))
        for k in range(per_s * seconds)
    ]


def parsed(lines):
    """Objectives of plain lines or of (line, series, scope)."""
    rows = [(line, "*", "pool") if isinstance(line, str) else line for line in lines]
    return [parse_objective(text, series=series, scope=scope) for text, series, scope in rows]


def accounting(samples):
    """What the generator would have counted at the source, each HTTP request being an arrival."""
    of = Counter(s.outcome for s in samples if not s.series.startswith(("ws ", "task ")))
    begun = of.total() - of[Outcome.DROPPED] - of[Outcome.UNSENT]
    return {
        "planned": of.total(),
        "offered": of.total(),
        "started": begun,
        "dropped": of[Outcome.DROPPED],
        "unsent": of[Outcome.UNSENT],
        "requests_begun": begun,
        "requests_in_flight": 0,
        "publishes_planned": sum(s.series == "ws publish" for s in samples),
    }


def header_of(samples, objectives, changes):
    """A header that fits the samples."""
    counted = accounting(samples)
    bound = tuple({"text": o.text, "series": o.series, "scope": o.scope} for o in objectives)
    return replace(HEADER, **({"planned": counted["planned"], "accounting": counted, "objectives": bound} | changes))


def folded(samples, objectives, error="http 503"):
    """Intervals of the samples, with the limits of the objectives counted exactly."""
    recorder = Recorder(T0_NS, lambda series: limits_ns(objectives, series))
    for one in samples:
        recorder.add(one, error if one.outcome is Outcome.ERROR else "")
    return recorder.fold()


def write_run(
    directory,
    samples,
    lines=(),
    *,
    known=None,
    deliveries=None,
    events=(),
    resources=(),
    witness=(),
    batches=1,
    **changes,
):
    """Write a run and read it back; ``known`` are the lines that the recorder knew of, ``changes`` the header's."""
    objectives = parsed(lines)
    header = header_of(samples, objectives, changes)
    writer = RunWriter(directory, header)
    for k in range(batches):
        writer.intervals(folded(samples[k::batches], objectives if known is None else parsed(known)))
    for kind, text in events:
        writer.event(1.0, kind, text)
    for row in resources:
        writer.resources(row)
    for row in witness:
        writer.witness(row)
    if deliveries is not None:
        writer.deliveries(deliveries)
    writer.close(header)
    return Run(directory)


def remember_run(
    samples, lines=(), *, known=None, deliveries=None, events=(), resources=(), vitals=(), witness=(), **changes
):
    """The same run without a disk, for tests that need many of them."""
    objectives = parsed(lines)
    run = Run.__new__(Run)
    run.header = header_of(samples, objectives, changes)
    run.intervals = {}
    for part in sorted(
        folded(samples, objectives if known is None else parsed(known)), key=lambda i: (i.series, i.second)
    ):
        by_second = run.intervals.setdefault(part.series, {})
        before = [by_second[part.second]] if part.second in by_second else []
        by_second[part.second] = merge([*before, part], series=part.series, second=part.second)
    run.events = [{"at_s": 1.0, "kind": kind, "text": text} for kind, text in events]
    run.resources = [dict(row) for row in resources]
    run.vitals = [dict(row) for row in vitals]
    run.deliveries = deliveries or {}
    run.swarm = SwarmAccount()
    run.witness = WitnessAccount.from_rows(witness)
    return run

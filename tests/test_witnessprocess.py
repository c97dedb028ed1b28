"""Whose turn it is, and what the witness tells of it."""

from loadtests.plan import OpenModel, Plan, Stage
from loadtests.probe import Answer
from loadtests.witnessprocess import Findings, Turns

S, MS = 1_000_000_000, 1_000_000
T0 = 7_000 * S


def test_turns():
    """Each moment is taken once, in order; those before the process was there are nobody's."""
    plan = Plan(OpenModel((Stage(2 * S, 2.0, 2.0),), "constant"), seed=1)
    turns = Turns(plan, T0, T0 + 300 * MS)
    assert [turns.take() for _ in range(4)] == [T0 + 500 * MS, T0 + S, T0 + 1500 * MS, None]


def test_turns_follow_the_plan():
    """A phase of four times the rate has four times the turns: 4 in its second, 1 in the other."""
    plan = Plan(OpenModel((Stage(S, 1.0, 1.0), Stage(S, 4.0, 4.0)), "constant"), seed=1)
    turns = Turns(plan, T0, T0)
    due = [turns.take() for _ in range(5)]
    assert [sum((d - T0) // S == second for d in due) for second in (0, 1)] == [1, 4]


def test_findings():
    """By the second of the start and the series; good answers have times, the others a kind."""
    findings = Findings(T0)
    findings.add("GET /a", Answer(T0 + 900 * MS, T0 + 1100 * MS, by_kernel=True))
    findings.add("GET /a", Answer(T0 + 950 * MS, T0 + 960 * MS))
    findings.add("GET /a", Answer(T0 + 2 * S, T0 + 3 * S, "status 429", by_kernel=True))
    findings.add("GET /b", Answer(T0, T0 + 7000, by_kernel=True))
    assert findings.take() == [
        {"second": 0, "series": "GET /a", "us": [200_000, 10_000], "by_kernel": 1},
        {"second": 0, "series": "GET /b", "us": [7], "by_kernel": 1},
        {"second": 2, "series": "GET /a", "us": [], "by_kernel": 0, "failed": {"status 429": 1}},
    ]
    assert findings.take() == []

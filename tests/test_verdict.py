"""Verdicts are values: they survive strict JSON unchanged."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.errors import ExitCode
from loadtests.verdict import Check, RunVerdict, Status, Verdict

finite = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | finite
verdicts = st.builds(
    Verdict,
    *(st.text(), st.text(), st.sampled_from(Status), st.text()),
    kind=st.sampled_from(["latency", "share", "count", "throughput"]),
    unit=st.sampled_from(["ns", "fraction", "count", "per_s"]),
    limit=finite | st.integers(0, 2**62),
    **dict.fromkeys(("observed", "lower", "upper", "n_effective", "bad_fraction", "bad_lower", "bad_upper"), maybe),
    **dict.fromkeys(("budget", "budget_spent"), maybe),
    **dict.fromkeys(("n", "bad"), st.integers(0, 10**12)),
    notes=st.lists(st.text()).map(tuple),
)
checks = st.builds(Check, *[st.text()] * 4, ok=st.booleans(), fatal=st.booleans())
run_verdicts = st.builds(
    RunVerdict,
    *(st.sampled_from(Status), st.text()),
    verdicts=st.lists(verdicts, max_size=3).map(tuple),
    checks=st.lists(checks, max_size=3).map(tuple),
    partial=st.none() | st.text(),
    notes=st.lists(st.text()).map(tuple),
)


@settings(max_examples=60)
@given(verdict=run_verdicts)
def test_json(verdict):
    """A run's verdict through strict JSON and back is the same verdict, floats to the last bit."""
    text = json.dumps(verdict.to_json(), allow_nan=False)
    assert RunVerdict.from_json(json.loads(text)) == verdict


def test_json_has_the_words_of_the_file():
    """The file's keys are public: verdict, sentence, partial, objectives, checks, notes, settled_s."""
    row = RunVerdict(Status.PASS, "PASS: ...").to_json()
    assert row == {
        "verdict": "PASS",
        "sentence": "PASS: ...",
        "partial": None,
        "objectives": [],
        "checks": [],
        "notes": [],
        "settled_s": None,
    }


def test_exit_codes():
    """Each status has its own exit code, and only PASS is 0."""
    assert {status.value: int(status.exit_code) for status in Status} == {
        "PASS": 0,
        "FAIL": 3,
        "INCONCLUSIVE": 4,
        "INVALID": 5,
    }
    assert {int(code) for code in ExitCode} == {0, 1, 2, 3, 4, 5, 130}

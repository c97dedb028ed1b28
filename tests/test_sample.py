"""Samples: three times and what follows from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.sample import Outcome, Sample

moments = st.integers(0, 2**62)


@given(moments, moments, moments)
def test_response_is_service_and_lateness(intended_ns, started_ns, ended_ns):
    """Response time is service time plus lateness, exactly, in whole nanoseconds."""
    sample = Sample("GET /", intended_ns, started_ns, ended_ns, Outcome.OK)
    assert sample.response_ns == sample.service_ns + sample.lateness_ns
    assert isinstance(sample.response_ns, int)


def test_late_request():
    """Due at 100, sent at 130, answered at 180: 80 for the user, 50 for most tools, 30 of our own making."""
    sample = Sample("GET /", 100, 130, 180, Outcome.OK)
    assert (sample.response_ns, sample.service_ns, sample.lateness_ns) == (80, 50, 30)


@pytest.mark.parametrize(
    ("outcome", "number"),
    [
        (Outcome.OK, 0),
        (Outcome.ERROR, 1),
        (Outcome.TIMEOUT, 2),
        (Outcome.LOST, 3),
        (Outcome.DROPPED, 4),  # this and the next never started: the recorder compares numbers
        (Outcome.UNSENT, 5),
    ],
)
def test_outcomes(outcome, number):
    """What started has a lower number than what never did."""
    assert int(outcome) == number

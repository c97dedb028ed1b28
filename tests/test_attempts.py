"""How long a connection waits before it is tried again, whatever became of it before."""

from __future__ import annotations

import pytest

from loadtests.attempts import Attempts
from loadtests.swarmspec import Member, Reconnect

S = 1_000_000_000
PAUSES = Reconnect(base=S // 2, cap=4 * S, jitter=False)


def attempts(churn: float | None = None) -> Attempts:
    """Of a member of ten, with pauses of .5, 1, 2 and then always 4 s."""
    return Attempts(Member.model_validate({"class": "m.py:M", "count": 10, "churn": churn}), PAUSES, "1 0")


def pauses(of: Attempts, lasted_s: list[float | None], *, left: bool = False) -> list[float]:
    """The pause after each attempt; None is one that never came up."""
    found = []
    for seconds in lasted_s:
        of.begin()
        if seconds is not None:
            of.lasted(seconds)
        found.append(of.pause_s(left=left))
    return found


@pytest.mark.parametrize(
    ("lasted_s", "expected"),
    [
        ([60.0, 60.0], [0.5, 0.5]),
        ([None, None, None, None, 60.0], [1.0, 2.0, 4.0, 4.0, 0.5]),
        ([0.01] * 5, [1.0, 2.0, 4.0, 4.0, 4.0]),  # accepted, and closed at once
        ([None, None, 1.9], [1.0, 2.0, 4.0]),  # the pause before it was 2 s
        ([None, None, 2.1], [1.0, 2.0, 0.5]),
        ([0.01, float("inf")], [1.0, 0.5]),  # we ended it
    ],
)
def test_an_attempt_that_did_not_last_has_failed(lasted_s: list[float | None], expected: list[float]) -> None:
    """A server that takes everybody back and turns them away again is backed off from as one that refuses."""
    assert pauses(attempts(), lasted_s) == expected


def test_a_leaver_that_is_turned_away_backs_off() -> None:
    """It takes its time to come again, and from its first failure on no less than anybody else."""
    leaver = attempts(churn=1.0)
    absence_s, *rest = pauses(leaver, [float("inf"), None, None, None], left=True)
    assert absence_s not in (0.5, 1.0, 2.0, 4.0), "drawn"
    assert rest == [1.0, 2.0, 4.0]


def test_who_does_not_leave() -> None:
    """It stays for ever."""
    assert attempts().stay_s() == float("inf")
    assert 0 < attempts(churn=1.0).stay_s() < 200  # exponential, of 9 s on average

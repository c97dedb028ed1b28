"""The circuit breaker's states, by a clock that is set by hand."""

import pytest

from portal.mcp.breaker import Breaker
from portal.mcp.failures import Broken, Unavailable


class Clock:
    """Monotonic seconds."""

    now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """Opens after three in a row or five of ten, for ten seconds."""
    return Breaker(failures=3, share=0.5, window=10, cool_down_s=10, clock=clock)


def fail(breaker: Breaker) -> None:
    """Let one call fail."""
    with pytest.raises(Broken), breaker.call():
        raise Broken("lab", "it was told to")


def succeed(breaker: Breaker) -> None:
    """Let one call succeed."""
    with breaker.call():
        pass


def refused(breaker: Breaker) -> str:
    """Return the Retry-After of a call that is refused."""
    with pytest.raises(Unavailable) as caught:
        succeed(breaker)
    assert caught.value.status_code == 503
    return (caught.value.headers or {})["Retry-After"]


def test_failures_in_a_row_open_it_and_a_success_between_does_not(breaker: Breaker) -> None:
    """Two, a success and two leave it closed; the third in a row opens it."""
    for outcome in (fail, fail, succeed, fail, fail):
        outcome(breaker)
        assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_a_share_of_the_window_opens_it(clock: Clock) -> None:
    """Failing every second call never makes three in a row; the tenth call makes it five of ten."""
    breaker = Breaker(failures=3, share=0.5, window=10, cool_down_s=10, clock=clock)
    for _ in range(4):
        succeed(breaker)
        fail(breaker)
    succeed(breaker)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_less_than_the_share_leaves_it_closed(breaker: Breaker) -> None:
    """Two failures of each five are four of any ten."""
    for _ in range(10):
        for outcome in (fail, fail, succeed, succeed, succeed):
            outcome(breaker)
    assert breaker.state == "closed"


def test_open_it_refuses_until_the_cool_down_is_over(breaker: Breaker, clock: Clock) -> None:
    """Retry-After is the rest of the cool-down, rounded up: 10 - 4.5 = 5.5 s are 6."""
    for _ in range(3):
        fail(breaker)
    assert refused(breaker) == "10"
    clock.now_s += 4.5
    assert refused(breaker) == "6"
    clock.now_s += 5.5
    assert breaker.state == "half-open"


def test_half_open_one_call_decides(breaker: Breaker, clock: Clock) -> None:
    """While it is under way the rest are refused; its failure opens the circuit anew, its success closes it."""
    for _ in range(3):
        fail(breaker)
    clock.now_s += 10
    waits = []

    def trial() -> None:
        with breaker.call():
            waits.append(refused(breaker))
            raise Broken("lab", "still")

    with pytest.raises(Broken):
        trial()
    assert waits == ["1"]
    assert breaker.state == "open"
    assert refused(breaker) == "10"
    clock.now_s += 10
    succeed(breaker)
    assert breaker.state == "closed"
    fail(breaker)
    fail(breaker)
    assert breaker.state == "closed"  # what failed before the cool-down is forgotten


def test_a_cancelled_trial_lets_the_next_one_try(breaker: Breaker, clock: Clock) -> None:
    """Whatever is no failure of the service says nothing about it."""
    for _ in range(3):
        fail(breaker)
    clock.now_s += 10
    with pytest.raises(KeyboardInterrupt), breaker.call():
        raise KeyboardInterrupt
    assert breaker.state == "half-open"
    succeed(breaker)
    assert breaker.state == "closed"


def test_a_call_from_before_the_circuit_opened_decides_nothing(breaker: Breaker, clock: Clock) -> None:
    """Its late success does not close what others opened, nor does it end another's trial."""
    with breaker.call():
        for _ in range(3):
            fail(breaker)
        clock.now_s += 10
    assert breaker.state == "half-open"
    succeed(breaker)
    assert breaker.state == "closed"

"""The line of arrivals: rules as data, and a frozen server whose response times are known in closed form."""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loadtests.arrival import ArrivalLine
from loadtests.interval import merge
from loadtests.plan import OpenModel, Plan, Stage
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from tests.oracles.stall import MS, S, Server, drive, rebased

# One server of 2 ms, frozen for 1 s from second 5 on; 100 arrivals/s for 20 s, one every 10 ms.
RATE_PER_S, SERVICE_S, FREEZE_S, RUN_S = 100, 0.002, 1.0, 20
PLAN = Plan(OpenModel((Stage(RUN_S * S, RATE_PER_S, RATE_PER_S),), "constant"), seed=1)


def frozen():
    """Return the server."""
    return Server(round(SERVICE_S * S), 5 * S, round(FREEZE_S * S))


def interval_of(samples, limits_ns=()):
    """Return all samples together, as the recorder keeps them."""
    recorder = Recorder(0, lambda _: limits_ns)
    for sample in samples:
        recorder.add(sample)
    return merge(recorder.fold(), series="GET /")


def assert_stall_is_seen(samples):
    """Hold the recorded response times against the closed form of a stall (docs/measurement.md)."""
    drain = 1 - RATE_PER_S * SERVICE_S
    limits = {x_s: round(x_s * S) for x_s in (0.1, 0.25, 0.5, 0.9)}
    total = interval_of(samples, (round(SERVICE_S * S), *limits.values()))
    assert total.ok == total.count == RATE_PER_S * RUN_S
    affected = RATE_PER_S * FREEZE_S / drain
    assert total.bad[round(SERVICE_S * S)][0] == affected == 125
    assert total.response.percentile_us(100) == pytest.approx((FREEZE_S + SERVICE_S) * 1e6, rel=1 / 1024)
    for x_s, limit_ns in limits.items():
        share = (FREEZE_S - x_s) / (drain * RUN_S)
        assert total.bad[limit_ns][0] == pytest.approx(share * total.count, abs=1)
    for percentile in (94, 95, 97, 99, 99.9):
        exact_us = (FREEZE_S + SERVICE_S - (100 - percentile) / 100 * RUN_S * drain) * 1e6
        assert exact_us <= total.response.percentile_us(percentile) <= exact_us * (1 + 1 / 1024)
    assert total.response.percentile_us(90) == pytest.approx(SERVICE_S * 1e6, rel=1 / 1024)


@pytest.mark.parametrize("users", [1, 10, 200])
def test_stall(users):
    """However many users share the work, the stall is in the response times of all who were due in it."""
    samples, line = drive(PLAN.offsets_ns(), users, frozen())
    assert_stall_is_seen(samples)
    assert line.accounting.started == line.accounting.finished == len(samples)
    for sample in samples:
        assert sample.service_ns <= sample.response_ns == sample.service_ns + sample.lateness_ns


def test_stall_as_most_tools_see_it():
    """Timed from the actual send over one connection, a second's freeze is one slow request in two thousand."""
    samples, _ = drive(PLAN.offsets_ns(), 1, frozen())
    total = interval_of(samples, (200 * MS,))
    assert total.service.percentile_us(99.9) == 2000
    assert total.response.percentile_us(99) == pytest.approx(842_000, rel=1 / 1024)
    assert total.bad[200 * MS] == (101, 1)  # 1002 - 8 k > 200 for k = 0..100


def test_stall_of_a_schedule_that_moves():
    """Were the next arrival due an interval from now, the same assertions would fail: they do see the omission."""
    samples = rebased(S // RATE_PER_S, RUN_S * S, frozen())
    with pytest.raises(AssertionError):
        assert_stall_is_seen(samples)
    total = interval_of(samples, (200 * MS,))
    assert total.response.percentile_us(99.9) == 2000  # blind, though timed from the "intended" start
    assert total.bad[200 * MS] == (1, 1)


def test_hung_server():
    """With a cap of 1 and a server that never answers, the first arrival is on its way and every other is dropped."""
    hung = Server(1000 * S, 0, 0)
    samples, line = drive(PLAN.offsets_ns(), users=5, server=hung, cap=1, until_ns=RUN_S * S)
    counted = line.accounting
    planned = PLAN.fingerprint()[0]
    assert (counted.offered, counted.started, counted.dropped, counted.unsent) == (planned, 1, planned - 1, 0)
    assert Counter(sample.outcome for sample in samples) == {Outcome.DROPPED: planned - 1}


def test_hung_server_and_few_users():
    """What fits under the cap waits for a user to the end and is unsent; what does not is dropped: all are told."""
    hung = Server(1000 * S, 0, 0)
    samples, line = drive(PLAN.offsets_ns(), users=3, server=hung, cap=10, until_ns=RUN_S * S)
    counted = line.accounting
    planned = PLAN.fingerprint()[0]
    assert (counted.started, counted.unsent, counted.dropped) == (3, 7, planned - 10)
    assert planned == counted.offered == counted.started + counted.dropped + counted.unsent
    of = Counter(sample.outcome for sample in samples)
    assert of == {Outcome.DROPPED: planned - 10, Outcome.UNSENT: 7}


class Line:
    """A line and what it called back."""

    def __init__(self, weights=(1.0,), cap=10**9, seed=1):
        self.woken, self.dropped = [], []
        self.line = ArrivalLine(
            weights,
            cap,
            seed,
            wake=lambda waiter, intended_ns: self.woken.append((waiter, intended_ns)),
            drop=lambda which, intended_ns: self.dropped.append((which, intended_ns)),
        )


def test_first_come_first_served():
    """Arrivals start in the order in which they were due, users in the order in which they became idle."""
    it = Line()
    for at in (10, 20, 30):
        it.line.offer(at)
    assert [it.line.take(0, "a"), it.line.take(0, "b"), it.line.take(0, "c"), it.line.take(0, "d")] == [
        10,
        20,
        30,
        None,
    ]
    assert it.line.take(0, "e") is None
    for at in (40, 50):
        it.line.offer(at)
    assert it.woken == [("d", 40), ("e", 50)]


def test_classes_have_lines_of_their_own():
    """An arrival of one class waits for a user of that class, whoever else is idle."""
    it = Line(weights=(1.0, 1.0), seed=3)
    for waiter in range(100):
        assert it.line.take(0, waiter) is None
    for at in range(100):
        it.line.offer(at)
    second = [it.line.take(1, "b") for _ in range(it.line.waiting)]
    assert sorted([at for _, at in it.woken] + second) == list(range(100))
    assert second == sorted(second)
    assert len(second) > 20


def chosen(seed, idle, weights=(5.0, 3.0, 2.0), n=3000):
    """Return the class of each of n arrivals, with so many idle users of each class at the start."""
    it = Line(weights, seed=seed)
    for which, count in enumerate(idle):
        for k in range(count):
            it.line.take(which, (which, k))
    for at in range(n):
        it.line.offer(at)
    found = {at: waiter[0] for waiter, at in it.woken} | {at: which for which, at in it.line.close()}
    return [found[at] for at in range(n)]


def test_choice_of_class_does_not_look_at_who_is_idle():
    """The same seed chooses the same classes, be everybody idle, nobody, or only one class."""
    nobody = chosen(7, (0, 0, 0))
    assert nobody == chosen(7, (3000, 3000, 3000)) == chosen(7, (0, 2000, 5))
    assert nobody != chosen(8, (0, 0, 0))


def test_weights():
    """Classes get their shares: 5, 3 and 2 of ten, within four standard deviations."""
    of = Counter(chosen(1, (0, 0, 0)))
    for which, share in enumerate((0.5, 0.3, 0.2)):
        assert of[which] == pytest.approx(3000 * share, abs=4 * (3000 * share * (1 - share)) ** 0.5)


def test_dropped_arrivals_are_of_a_class_too():
    """Dropping changes nothing about the choice of those that come after."""
    full, free = Line((1.0, 1.0), cap=1, seed=5), Line((1.0, 1.0), seed=5)
    for it in (full, free):
        for at in range(200):
            it.line.offer(at)
    kept = {at: which for which, at in full.line.close()} | {at: which for which, at in full.dropped}
    assert kept == {at: which for which, at in free.line.close()}


def test_cap_counts_those_in_service():
    """The cap holds for arrivals in line and in service together, idle users or not; an ended task makes room."""
    it = Line(cap=2)
    for waiter in "abc":
        it.line.take(0, waiter)
    for at in (1, 2, 3):
        it.line.offer(at)
    assert (it.woken, it.dropped) == ([("a", 1), ("b", 2)], [(0, 3)])
    it.line.finish()
    it.line.offer(4)
    assert it.woken[2:] == [("c", 4)]
    it.line.offer(5)
    assert it.dropped == [(0, 3), (0, 5)]


def test_leave():
    """Who left is not woken; leaving twice, or while at a task, changes nothing."""
    it = Line()
    it.line.take(0, "a")
    it.line.take(0, "b")
    it.line.leave(0, "a")
    it.line.leave(0, "a")
    it.line.leave(0, "z")
    it.line.offer(1)
    assert it.woken == [("b", 1)]
    it.line.leave(0, "b")
    it.line.offer(2)
    assert it.line.waiting == 1


def test_close():
    """At the end, what is in line is given back with its class, once."""
    it = Line((1.0, 1.0), seed=2)
    for at in range(20):
        it.line.offer(at)
    left = it.line.close()
    assert sorted(at for _, at in left) == list(range(20))
    assert it.line.accounting.unsent == 20
    assert it.line.waiting == 0
    assert it.line.close() == []


class LineMachine(RuleBasedStateMachine):
    """Anything that may happen to a line, in any order, beside a plain account of it."""

    def __init__(self):
        super().__init__()
        draw = random.Random(1)
        self.cap = 3
        self.it = Line((2.0, 1.0), cap=self.cap, seed=draw.randrange(99))
        self.due = itertools.count()
        self.users = itertools.count()
        self.idle = [[], []]
        self.at_task = 0
        self.taken = []
        self.closed = []

    @rule(n=st.integers(1, 4))
    @precondition(lambda self: not self.closed)
    def offer(self, n):
        """Arrivals are due."""
        for _ in range(n):
            before = len(self.it.woken)
            self.it.line.offer(next(self.due))
            for which, user in [waiter for waiter, _ in self.it.woken[before:]]:
                assert self.idle[which].pop(0) == user
                self.at_task += 1

    @rule(which=st.integers(0, 1))
    def take(self, which):
        """A user becomes idle."""
        user = next(self.users)
        intended = self.it.line.take(which, (which, user))
        if intended is None:
            self.idle[which].append(user)
        else:
            self.taken.append(intended)
            self.at_task += 1

    @rule()
    @precondition(lambda self: self.at_task)
    def finish(self):
        """A task ends."""
        self.it.line.finish()
        self.at_task -= 1

    @rule(which=st.integers(0, 1), data=st.data())
    def leave(self, which, data):
        """An idle user leaves."""
        if self.idle[which]:
            user = data.draw(st.sampled_from(self.idle[which]))
            self.it.line.leave(which, (which, user))
            self.idle[which].remove(user)

    @rule()
    def close(self):
        """The run ends."""
        self.closed += [intended for _, intended in self.it.line.close()]

    @invariant()
    def accounts(self):
        """Every arrival offered is started, dropped, waiting or unsent; the cap holds; nobody is idle beside a line."""
        counted, line = self.it.line.accounting, self.it.line
        assert counted.offered == counted.started + counted.dropped + line.waiting + counted.unsent
        assert counted.started == len(self.it.woken) + len(self.taken)
        assert (counted.dropped, counted.unsent) == (len(self.it.dropped), len(self.closed))
        assert line.in_service == self.at_task
        assert line.waiting + line.in_service <= self.cap
        seen = [at for _, at in self.it.woken] + self.taken + [at for _, at in self.it.dropped] + self.closed
        assert len(seen) == len(set(seen))


LineMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestLine = LineMachine.TestCase

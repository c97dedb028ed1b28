"""A server that freezes once, on a virtual clock: every response time is an arithmetic progression.

Arrivals come every ``1/rate`` to one first-come-first-served server of constant service time s, which freezes for S
just as one arrives. With ``gap = 1/rate - s`` the k-th arrival from then on has response time ``S + s - k gap`` as long
as that exceeds s, so that ``N = S / gap = rate S / (1 - rate s)`` of them are slow, ``S + s`` is the maximum, and the
p-quantile over a run of length T is ``S + s - (1 - p) T (1 - rate s)`` (docs/measurement.md).
"""

import heapq
from dataclasses import dataclass

from loadtests.arrival import ArrivalLine
from loadtests.sample import Outcome, Sample

MS = 1_000_000
S = 1_000_000_000


@dataclass
class Server:
    """One first-come-first-served server on the virtual clock."""

    service_ns: int
    freeze_at_ns: int
    freeze_ns: int
    free_at_ns: int = 0

    def answer_at(self, sent_ns):
        """When a request sent now is answered."""
        begins = max(sent_ns, self.free_at_ns)
        if self.freeze_at_ns <= begins < self.freeze_at_ns + self.freeze_ns:
            begins = self.freeze_at_ns + self.freeze_ns
        self.free_at_ns = begins + self.service_ns
        return self.free_at_ns


def drive(offsets_ns, users, server, cap=10**9, until_ns=10**15):
    """Offer a plan's arrivals to users through the arrival line; what became of each, and the line."""
    samples, replies, clock = [], [], [0]

    def send(user, intended_ns):
        heapq.heappush(replies, (server.answer_at(clock[0]), user, intended_ns, clock[0]))

    def never(_which, intended_ns, outcome=Outcome.DROPPED):
        samples.append(Sample("GET /", intended_ns, clock[0], clock[0], outcome))

    def replied():
        clock[0], user, intended_ns, sent_ns = heapq.heappop(replies)
        samples.append(Sample("GET /", intended_ns, sent_ns, clock[0], Outcome.OK))
        line.finish()
        if (intended_ns := line.take(0, user)) is not None:
            send(user, intended_ns)

    line = ArrivalLine([1.0], cap, seed=1, wake=send, drop=never)
    for user in range(users):
        assert line.take(0, user) is None
    for due_ns in map(int, offsets_ns):
        while replies and replies[0][0] <= due_ns:
            replied()
        clock[0] = due_ns
        line.offer(due_ns)
    while replies and replies[0][0] <= until_ns:
        replied()
    for which, intended_ns in line.close():
        never(which, intended_ns, Outcome.UNSENT)
    return samples, line


def rebased(interval_ns, duration_ns, server):
    """Requests by the mistaken rule "next = now + interval": an overrun moves everything that is still to come."""
    samples, due_ns = [], 0
    while due_ns < duration_ns:
        ended_ns = server.answer_at(due_ns)
        samples.append(Sample("GET /", due_ns, due_ns, ended_ns, Outcome.OK))
        due_ns = max(ended_ns, due_ns + interval_ns)
    return samples

"""The ledger as it is defined: remembers all that happened, and asks of each message and subscriber what came of it."""

from collections import Counter, defaultdict

from loadtests.faults import Faults
from loadtests.ledgercounts import Counts

FOREVER = 2**63
S = 1_000_000_000


def rank(faults):
    """Most lost first, then most of all faults; names, which are of one length or numbers, in their order."""
    lost = faults.lost
    return -lost, -(lost + faults.late + faults.duplicated + faults.reordered + faults.foreign), faults.name.rjust(9)


class SlowLedger:
    """Takes what the ledger takes; counts when asked. It knows nothing of memory, and so holds for ten minutes."""

    def __init__(self, guard_ns, drain_ns):
        self.guard_ns, self.drain_ns = guard_ns, drain_ns
        self.windows = defaultdict(list)  # by subscriber and channel: [start, end, away until]
        self.sent = defaultdict(list)  # by stream: (message, channel)
        self.settled = Counter()  # by stream: how many
        self.since = {}  # by stream and number: when it first came
        self.came = defaultdict(list)  # by subscriber, stream and number: whether it was settled by then, and live
        self.foreign = []  # the same of what nobody published: who, of which stream, and how often it came
        self.live = defaultdict(list)  # by subscriber and stream: the numbers of what came live, in order
        self.over = []  # the same of streams that were forgotten
        self.swept_ns = 0

    def published(self, stream, channel, first, messages):
        """A publisher's log."""
        self.sent[stream] += [(message, channel) for message in messages]

    def subscribed(self, subscriber, channel, at_ns):
        """A subscription was acknowledged; again is no news."""
        mine = self.windows[subscriber, channel]
        if mine and mine[-1][1] == FOREVER:
            return
        for window in mine:
            window[2] = min(window[2], at_ns)
        mine.append([at_ns, FOREVER, 0])

    def unsubscribed(self, subscriber, at_ns, *, away=False):
        """All of them ended."""
        for (who, _), mine in self.windows.items():
            for window in mine:
                if who == subscriber and window[1] == FOREVER:
                    window[1:] = at_ns, FOREVER if away else 0

    def received(self, subscriber, stream, sequence, at_ns=0, *, live=True, sent_ns=0):
        """A delivery came."""
        after = 0 <= sequence < self.settled[stream]
        self.since.setdefault((stream, sequence), at_ns)
        came = self.came[subscriber, stream, sequence]
        if live and not after and not came:
            self.live[subscriber, stream].append(sequence)
        came.append((after, live))

    def settle(self, now_ns):
        """What was sent a drain ago is settled, in the order of its numbers."""
        for stream, sent in self.sent.items():
            for message, _ in sent[self.settled[stream] :]:
                if max(message.sent_ns, message.until_ns) > now_ns - self.drain_ns:
                    break
                self.settled[stream] += 1
        if now_ns >= self.swept_ns + S:
            self.swept_ns = now_ns
            self._sweep(now_ns - self.drain_ns - 60 * S)
        return ()

    def _sweep(self, before_ns):
        """What came by then and no log has told of was published by nobody; when it comes again it is another."""
        for (stream, sequence), at_ns in list(self.since.items()):
            if at_ns < before_ns and sequence not in range(len(self.sent.get(stream, ()))):
                del self.since[stream, sequence]
                for key in [key for key in self.came if key[1:] == (stream, sequence)]:
                    self.foreign.append((key[0], stream, len(self.came.pop(key))))
        for who, stream in list(self.live):
            if stream not in self.sent and all(stream != name for name, _ in self.since):
                self.over.append(((who, stream), self.live.pop((who, stream))))

    def subscribers(self):
        """Whoever was ever subscribed, or sent something."""
        return {key[0] for key in (*self.windows, *self.came, *self.foreign)}

    def streams(self):
        """Also those that nobody published."""
        return {*self.sent, *(key[1] for key in (*self.came, *self.foreign))}

    def counts(self, subscriber=None, stream=None):
        """Everybody's and of all streams, or those of one subscriber, or of one stream."""
        counts = Counts()
        streams = self.streams() if stream is None else {stream}
        for who in self.subscribers() if subscriber is None else [subscriber]:
            for name in streams & self.sent.keys():
                for sequence, (message, channel) in enumerate(self.sent[name]):
                    self._judge(counts, self.windows[who, channel], message, self.came[who, name, sequence])
            for times in (times for one, name, times in self.foreign if one == who and name in streams and times):
                counts.received += times
                counts.foreign += 1
                counts.duplicated += times - 1
            live = [*self.over, *self.live.items()]
            for numbers in (numbers for (one, name), numbers in live if one == who and name in streams):
                before = [numbers[:place] for place in range(len(numbers))]
                far = [max(higher) - k for k, higher in zip(numbers, before, strict=True) if max(higher, default=k) > k]
                counts.reordered += len(far)
                counts.displacement = max([counts.displacement, *far])
        return counts

    def faults(self, name, **of):
        """What went wrong with one subscriber's deliveries, or one stream's, as :meth:`counts` has it."""
        kept = self.counts(**of)
        return Faults(
            name, kept.lost, kept.expected, kept.late, kept.duplicated, kept.reordered, kept.displacement, kept.foreign
        )

    def faulty(self):
        """Of all subscribers with whose deliveries anything went wrong, the worst first."""
        found = [self.faults(str(who), subscriber=who) for who in self.subscribers()]
        return sorted((one for one in found if one.total), key=rank)

    def faulty_streams(self):
        """Likewise of streams."""
        found = [self.faults(name, stream=name) for name in self.streams()]
        return sorted((one for one in found if one.total), key=rank)

    def _judge(self, counts, windows, message, came):
        first, last, guard = message.sent_ns, max(message.sent_ns, message.until_ns), self.guard_ns
        due = any(start + guard <= first and last + guard <= end for start, end, _ in windows)
        away = not due and any(end <= last and first < until for _, end, until in windows)
        near = any(start - 2 * guard <= first <= end + 2 * guard for start, end, _ in windows)
        in_time = bool(came) and not came[0][0]
        beside = bool(came) and not in_time and not (due or away or came[0][1])  # kept for it, and never due
        counts.received += len(came)
        counts.expected += due
        counts.away += away
        counts.delivered += due and in_time
        counts.lost += due and not in_time
        counts.recovered += away and bool(came)
        counts.outside += (in_time and not due and not away) or beside
        counts.late += bool(came) and not in_time and not away and not beside and (due or near)
        counts.belated += bool(came) and not in_time and due
        copies = max(0, len(came) - 1)
        counts.duplicated += copies + (bool(came) and not in_time and not (due or near or away or beside))

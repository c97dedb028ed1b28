"""The ledger as it is defined: remembers all that happened, and asks of each message and subscriber what came of it."""

from collections import Counter, defaultdict

from loadtests.ledgercounts import Counts

FOREVER = 2**63
S = 1_000_000_000


class SlowLedger:
    """Takes what the ledger takes; counts when asked. It knows nothing of memory, and so holds for ten minutes."""

    def __init__(self, guard_ns, drain_ns):
        self.guard_ns, self.drain_ns = guard_ns, drain_ns
        self.windows = defaultdict(list)  # by subscriber and channel: [start, end, away until]
        self.sent = defaultdict(list)  # by stream: (message, channel)
        self.settled = Counter()  # by stream: how many
        self.since = {}  # by stream and number: when it first came
        self.came = defaultdict(list)  # by subscriber, stream and number: whether it was settled by then, and live
        self.foreign = []  # the same of what nobody published: who, and how often it came
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
                    self.foreign.append((key[0], len(self.came.pop(key))))
        for who, stream in list(self.live):
            if stream not in self.sent and all(stream != name for name, _ in self.since):
                self.over.append((who, self.live.pop((who, stream))))

    def counts(self, subscriber=None):
        """Everybody's, or those of one subscriber."""
        everybody = {key[0] for key in (*self.windows, *self.came, *self.foreign)}
        counts = Counts()
        for who in everybody if subscriber is None else [subscriber]:
            for stream, sent in self.sent.items():
                for sequence, (message, channel) in enumerate(sent):
                    self._judge(counts, self.windows[who, channel], message, self.came[who, stream, sequence])
            for times in (times for one, times in self.foreign if one == who and times):
                counts.received += times
                counts.foreign += 1
                counts.duplicated += times - 1
            live = [(one, numbers) for (one, _), numbers in self.live.items()]
            for numbers in (numbers for one, numbers in self.over + live if one == who):
                before = [numbers[:place] for place in range(len(numbers))]
                far = [max(higher) - k for k, higher in zip(numbers, before, strict=True) if max(higher, default=k) > k]
                counts.reordered += len(far)
                counts.displacement = max([counts.displacement, *far])
        return counts

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

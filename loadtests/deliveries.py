"""Deliveries as they come, entered in the account and timed some at a time.

What a message says is read as it comes; who got it, and when, is only put down. It is all entered, in that order, ten
times a second, and before anything changes on which the account depends: a subscriber that comes or goes, a storm. A
processor that was asleep has neither code nor data at hand: it enters many deliveries together for less than each as
it comes, and a message that reached many for all of them at once (docs/performance.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from loadtests.duration import NS_PER_S
from loadtests.entry import Entry
from loadtests.ledger import Ledger
from loadtests.recorder import Recorder
from loadtests.series import DELIVER, MEANWHILE, RECOVER
from loadtests.waits import Waits

__all__ = ["Deliveries", "Hearer"]

Frames = list[str | bytes]
FEW = 6
"""Whom one message reached at once; for fewer it costs more to enter it for all of them."""
AT_A_TIME = 500
"""Deliveries; meanwhile nothing is read."""


class Hearer(Protocol):
    """Who receives; attributes as those of :class:`~loadtests.reception.Reception`."""

    number: int
    """Of the connection."""
    ledger: Ledger
    """That accounts for its deliveries."""
    timed: bool
    """Whether its times count."""
    waits_at: int
    """Its place among the waits."""
    live_from_ns: int
    """When it was subscribed."""
    recovers_from_ns: int
    """When it was subscribed before its connection was lost."""
    struck: int
    """In which trouble it was hit itself."""

    def broke(self, error: Exception) -> None:
        """What it read cannot be entered."""


class _Read:
    """What one read said, and who got it when; nobody else joins where ``frames`` is None."""

    __slots__ = ("at_ns", "entries", "frames", "hearers", "meanings", "most")

    def __init__(
        self,
        entries: Sequence[tuple[Entry, int]] = (),
        frames: Frames | None = None,
        meanings: Mapping[str | bytes, Entry] | None = None,
    ) -> None:
        self.entries, self.frames, self.meanings = entries, frames, meanings
        self.most = max(FEW, AT_A_TIME // max(1, len(entries)))
        self.hearers: list[Hearer] = []
        self.at_ns: list[int] = []


class Deliveries:
    """Of one process.

    Attributes:
        trouble: which of the planned troubles is on.

    """

    def __init__(self, ledger: Ledger, recorder: Recorder, waits: Waits) -> None:
        self.trouble = 0
        self._spared_until_ns = 0
        self._ledger, self._recorder, self._waits = ledger, recorder, waits
        self._untimed: Counter[tuple[str, int]] = Counter()
        self._reads: list[_Read] = []
        self._latest = _Read()
        self._waiting = 0

    def joined(self, hearer: Hearer, frames: Frames, meanings: Mapping[str | bytes, Entry] | None, at_ns: int) -> bool:
        """Whether one more has got the very same read as the one before, and reads it alike; the hot path."""
        latest = self._latest
        if frames is latest.frames and meanings is latest.meanings and len(latest.hearers) < latest.most:
            latest.hearers.append(hearer)
            latest.at_ns.append(at_ns)
            return True
        return False

    def came(
        self,
        hearer: Hearer,
        at_ns: int,
        entries: Sequence[tuple[Entry, int]],
        frames: Frames | None = None,
        meanings: Mapping[str | bytes, Entry] | None = None,
    ) -> None:
        """Something else came: messages, each with its size; whoever gets the same ``frames`` may join."""
        self._waiting += len(self._latest.hearers) * len(self._latest.entries)
        if self._waiting >= AT_A_TIME:
            self.enter_all()
        self._latest = _Read(entries, frames, meanings)
        self._latest.hearers.append(hearer)
        self._latest.at_ns.append(at_ns)
        self._reads.append(self._latest)

    def enter_all(self) -> None:
        """Enter what has come; whoever gets the same from now on begins anew."""
        reads, self._reads, self._latest, self._waiting = self._reads, [], _Read(), 0
        for read in reads:
            for entry, size_bytes in read.entries:
                if len(read.hearers) < FEW or not self._enter_for_all(entry, size_bytes, read.hearers, read.at_ns):
                    self._enter_each(entry, size_bytes, read)

    def _enter_for_all(self, entry: Entry, size_bytes: int, hearers: list[Hearer], at_ns: list[int]) -> bool:
        """False, with nothing entered, where it is not live for all of them, or not the next for one."""
        stream, sequence, intended_ns, sent_ns = entry
        if (at_ns[0] if sent_ns is None else sent_ns) < max([hearer.live_from_ns for hearer in hearers]):
            return False
        if not self._ledger.received_by_all([hearer.number for hearer in hearers], stream, sequence, at_ns):
            return False
        if sent_ns is None:
            self._untimed.update((DELIVER, now_ns // NS_PER_S) for now_ns in at_ns)
            return True
        ended_ns = np.array(at_ns)
        self._recorder.record_all(DELIVER, intended_ns, sent_ns, ended_ns, size_bytes)
        if intended_ns < self._spared_until_ns:
            spared = ended_ns[[hearer.struck != self.trouble for hearer in hearers]]
            self._recorder.record_all(MEANWHILE, intended_ns, sent_ns, spared, size_bytes)
        self._waits.enter_all([hearer.waits_at for hearer in hearers], ended_ns - intended_ns)
        return True

    def _enter_each(self, entry: Entry, size_bytes: int, read: _Read) -> None:
        for hearer, now_ns in zip(read.hearers, read.at_ns, strict=True):
            try:
                self._enter(hearer, entry, now_ns, size_bytes)
            except Exception as error:  # an author's number that is none
                hearer.broke(error)

    def _enter(self, hearer: Hearer, entry: Entry, now_ns: int, size_bytes: int) -> None:
        """One; only the first copy of one that came live is timed with the others."""
        stream, sequence, intended_ns, sent_ns = entry
        left_ns = now_ns if sent_ns is None else sent_ns
        live = left_ns >= hearer.live_from_ns
        if not hearer.ledger.received(hearer.number, stream, sequence, now_ns, live=live, sent_ns=left_ns):
            return
        if not hearer.timed:
            return
        if not live:
            self._enter_kept(hearer, entry, now_ns, size_bytes)
            return
        if sent_ns is None:
            self._untimed[DELIVER, now_ns // NS_PER_S] += 1
            return
        record = self._recorder.record
        record(DELIVER, intended_ns, sent_ns, now_ns, 0, size_bytes)
        if intended_ns < self._spared_until_ns and hearer.struck != self.trouble:
            record(MEANWHILE, intended_ns, sent_ns, now_ns, 0, size_bytes)
        self._waits.enter(hearer.waits_at, now_ns - intended_ns)

    def _enter_kept(self, hearer: Hearer, entry: Entry, now_ns: int, size_bytes: int) -> None:
        """Its time is how long it was missed; of what is older than that, the server's age is no time of anybody's."""
        _, _, intended_ns, sent_ns = entry
        if sent_ns is None or sent_ns < hearer.recovers_from_ns:
            self._untimed[RECOVER, now_ns // NS_PER_S] += 1
        else:
            self._recorder.record(RECOVER, intended_ns, sent_ns, now_ns, 0, size_bytes)

    def turn(self, now_ns: int) -> None:
        """Look at the clock, several times a second: what comes from now on is of this time."""
        self.enter_all()
        self._waits.turn(now_ns)

    def troubled(self, until_ns: int) -> int:
        """A storm begins; its number."""
        self.watch_spared(until_ns)
        self.trouble += 1
        return self.trouble

    def watch_spared(self, until_ns: int) -> None:
        """Look by themselves at what is due until then, at least, to those that are spared, however late it comes."""
        self.enter_all()
        self._spared_until_ns = max(self._spared_until_ns, until_ns)

    def take_untimed(self) -> Iterator[tuple[str, int, int]]:
        """Series, second of CLOCK_MONOTONIC, and how many deliveries came in it that have no time."""
        while self._untimed:
            (series, second), n = self._untimed.popitem()
            yield series, second, n

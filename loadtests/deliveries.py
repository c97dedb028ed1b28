"""Deliveries as they come, entered in the account and timed: one by one, or one message for all whom it reached.

A server that broadcasts writes the same to each of its subscribers, and to enter it for fifty of them at once costs a
third of what it costs for each. So whoever gets what the one before has got only says so, with its time; all of them
are entered when something else comes, when any of them comes or goes, and whenever the account is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from loadtests.duration import NS_PER_S
from loadtests.entry import Entry
from loadtests.ledger import Ledger
from loadtests.recorder import Recorder
from loadtests.series import DELIVER, MEANWHILE, RECOVER
from loadtests.waits import Waits

__all__ = ["Deliveries", "Frames", "Hearer"]

Frames = list[str | bytes]


class Hearer(Protocol):
    """Who receives; attributes as those of :class:`~loadtests.reception.Reception`."""

    @property
    def number(self) -> int:
        """Of the connection."""

    @property
    def ledger(self) -> Ledger:
        """That accounts for its deliveries."""

    @property
    def timed(self) -> bool:
        """Whether its times count."""

    @property
    def waits_at(self) -> int:
        """Its place among the waits."""

    @property
    def live_from_ns(self) -> int:
        """When it was subscribed."""

    @property
    def recovers_from_ns(self) -> int:
        """When it was subscribed before its connection was lost."""

    @property
    def struck(self) -> int:
        """In which trouble it was hit itself."""


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
        self._shared: Frames | None = None
        self._meanings: Mapping[str | bytes, Entry] = {}
        self._entries: list[Entry] = []
        self._hearers: list[Hearer] = []
        self._at_ns: list[int] = []

    def share(self, frames: Frames, meanings: Mapping[str | bytes, Entry]) -> None:
        """Others may get the very same read, if it is messages with a meaning and nothing else."""
        entries = [entry for frame in frames if (entry := meanings.get(frame)) is not None]
        if len(entries) == len(frames):
            self._shared, self._meanings, self._entries = frames, meanings, entries

    def joined(self, hearer: Hearer, frames: Frames, meanings: Mapping[str | bytes, Entry] | None, at_ns: int) -> bool:
        """Whether one more has got what is shared, and reads it alike; the hot path."""
        if frames is self._shared and meanings is self._meanings:
            self._hearers.append(hearer)
            self._at_ns.append(at_ns)
            return True
        return False

    def enter_shared(self) -> None:
        """Enter what is shared for all who got it; whoever gets it from now on begins anew."""
        frames, self._shared = self._shared, None
        if frames is None or not self._hearers:
            return
        hearers, self._hearers = self._hearers, []
        at_ns, self._at_ns = self._at_ns, []
        for frame, entry in zip(frames, self._entries, strict=True):
            if not self._enter_for_all(entry, len(frame), hearers, at_ns):
                for hearer, now_ns in zip(hearers, at_ns, strict=True):
                    self.enter(hearer, entry, now_ns, len(frame))

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
        self._recorder.record_all(DELIVER, intended_ns, sent_ns, at_ns, size_bytes)
        if intended_ns < self._spared_until_ns:
            spared = [now for hearer, now in zip(hearers, at_ns, strict=True) if hearer.struck != self.trouble]
            self._recorder.record_all(MEANWHILE, intended_ns, sent_ns, spared, size_bytes)
        self._waits.enter_all([hearer.waits_at for hearer in hearers], intended_ns, at_ns)
        return True

    def enter(self, hearer: Hearer, entry: Entry, now_ns: int, size_bytes: int) -> None:
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

    def troubled(self, until_ns: int) -> int:
        """A storm begins; its number."""
        self.watch_spared(until_ns)
        self.trouble += 1
        return self.trouble

    def watch_spared(self, until_ns: int) -> None:
        """Look by themselves at what is due until then, at least, to those that are spared, however late it comes."""
        self.enter_shared()
        self._spared_until_ns = max(self._spared_until_ns, until_ns)

    def take_untimed(self) -> Iterator[tuple[str, int, int]]:
        """Series, second of CLOCK_MONOTONIC, and how many deliveries came in it that have no time."""
        while self._untimed:
            (series, second), n = self._untimed.popitem()
            yield series, second, n

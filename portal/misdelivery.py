"""A laboratory's way to deliver events: some are lost, some come twice, some too late."""

from collections import Counter
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from portal.hub import Inbox
from portal.switches import Events


class Misdelivery:
    """Delivers events in the hub's place, with faults at exact counts over all deliveries."""

    def __init__(self, events: Events, done: Counter[str]) -> None:
        self._events = events
        self._done = done
        self._deliveries = 0
        self._held: WeakKeyDictionary[Inbox, str] = WeakKeyDictionary()

    def deliver(self, subscribers: Iterable[Inbox], frame: str) -> int:
        """Hand a frame to each subscriber, or not, or twice, or after the next; return how many refused it."""
        return sum(not self._deliver(subscriber, frame) for subscriber in subscribers)

    def release(self) -> None:
        """Deliver what still waits for a next event."""
        for subscriber, frame in list(self._held.items()):
            subscriber.put(frame)
        self._held.clear()

    def _deliver(self, subscriber: Inbox, frame: str) -> bool:
        self._deliveries += 1
        if self._is_due(self._events.drop_every):
            self._done["dropped"] += 1
            return True
        held = self._held.pop(subscriber, None)
        if held is None and self._is_due(self._events.swap_every):
            self._held[subscriber] = frame
            return True
        taken = subscriber.put(frame)
        if self._is_due(self._events.duplicate_every):
            self._done["duplicated"] += 1
            subscriber.put(frame)
        if held is not None:
            self._done["swapped"] += 1
            subscriber.put(held)
        return taken

    def _is_due(self, every: int) -> bool:
        return every > 0 and self._deliveries % every == 0

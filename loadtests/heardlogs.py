"""Which log a broadcast belongs to: one for each channel, and a new one where the server began its numbers again.

A server that counts in memory begins again when it is started again, and every connection is lost then. So while
somebody listens a number can only be a later one, or one kept or sent twice. After a *silence*, with nobody left that
listens, the next number of each channel tells: above the highest heard the numbering goes on; at or below it, either
the server had kept the message or the number is new. A stamp says which, being from before the silence or after.
Without one a number is new when it lies below the middle of those heard: hardly a server keeps so many.
"""

from __future__ import annotations

from collections.abc import Collection

from loadtests.heardlog import HeardLog

__all__ = ["EVERY_CHANNEL", "HeardLogs", "stream_name"]

EVERY_CHANNEL = ""
"""What those are subscribed to who hear broadcasts whatever their channel."""
EVERYBODY = "*"
"""Stands for the publisher of what they hear."""


def stream_name(publisher: str, channel: str) -> str:
    """The ledger's name of what one publisher sends on one channel."""
    return f"{publisher}\t{channel}"


class HeardLogs:
    """Of one process; those who subscribed to a channel by name and those who hear all have logs of their own."""

    def __init__(self) -> None:
        self.restarts: list[str] = []
        """What is to be told: where the server began its numbers again, once for each silence."""
        self._current: tuple[dict[str, HeardLog], dict[str, HeardLog]] = {}, {}
        self._resting: tuple[dict[str, HeardLog], dict[str, HeardLog]] = {}, {}
        self._by_stream: dict[str, HeardLog] = {}
        self._silent_ns = 0
        self._told = False

    def all(self) -> Collection[HeardLog]:
        """Every one that there ever was."""
        return self._by_stream.values()

    def of(self, stream: str) -> HeardLog | None:
        """The log of a stream of the ledger; None where its publisher keeps one."""
        return self._by_stream.get(stream)

    def silence(self, now_ns: int) -> None:
        """Nobody listens any more: whether numbers go on afterwards is open."""
        for resting, current in zip(self._resting, self._current, strict=True):
            resting.update(current)
            current.clear()
        self._silent_ns, self._told = now_ns, False

    def on(self, channel: str, number: int, sent_ns: int, *, by_channel: bool, stamped: bool) -> HeardLog:
        """The log that a number heard on a channel belongs to; ``sent_ns``, if not stamped, is when it came."""
        return self._current[by_channel].get(channel) or self._decided(channel, number, sent_ns, by_channel, stamped)

    def _decided(self, channel: str, number: int, sent_ns: int, by_channel: bool, stamped: bool) -> HeardLog:
        """After a silence, or of a channel that nobody has heard yet."""
        rested = self._resting[by_channel].get(channel)
        if rested is None:
            return self._begin(channel, number, by_channel, 0)
        goes_on, begins = number > rested.highest, stamped or 2 * number < rested.first + rested.highest
        if sent_ns <= self._silent_ns or not (goes_on or begins):
            return rested  # kept; what is not, is still to come
        del self._resting[by_channel][channel]
        if goes_on:
            self._current[by_channel][channel] = rested
            return rested
        if not self._told:
            self._told = True
            where = f' of "{channel}"' if channel else ""
            text = f"the server began its numbers{where} again at {number:,}, after {rested.highest:,}"
            self.restarts.append(f"{text}; what it numbered while nobody was connected was due to nobody")
        return self._begin(channel, number, by_channel, rested.life + 1)

    def _begin(self, channel: str, number: int, by_channel: bool, life: int) -> HeardLog:
        stream = stream_name("" if by_channel else EVERYBODY, channel) + (f"\t{life}" if life else "")
        log = HeardLog(stream, number, channel if by_channel else EVERY_CHANNEL, life)
        self._current[by_channel][channel] = self._by_stream[stream] = log
        return log

"""What arrives from the generator, into the run directory and onto the board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from loadtests.board import Progress
from loadtests.earlystop import EarlyStop, Stop
from loadtests.fanout import FanOuts
from loadtests.faults import StreamFaults
from loadtests.interval import Interval
from loadtests.ledgercounts import Counts
from loadtests.outbox import Inbox, read_spool
from loadtests.runwriter import RunWriter
from loadtests.series import is_request
from loadtests.swarmaccount import SwarmAccount

__all__ = ["Intake"]

UNREACHABLE = ("connection refused", "connection reset", "connection closed", "name not resolved")
UNREACHABLE_S = 5


class Intake:
    """Takes each batch once and passes its parts on.

    Args:
        writer: of the run directory.
        progress: what the board shows.
        clock_s: seconds since the run's start.
        cut: ends the run early, given the reason and whose fault it is.
        fanouts: puts together what each process of a swarm knows of a message.
        early: where the run is to end once it is certainly failing.

    """

    def __init__(
        self,
        writer: RunWriter,
        progress: Progress,
        clock_s: Callable[[], float],
        cut: Callable[[str, str], None],
        fanouts: FanOuts,
        early: EarlyStop | None = None,
    ) -> None:
        self.accounting: Counter[str] = Counter()
        self.locust: dict[str, Any] = {}
        self.unloaded: dict[str, Any] = {}
        self._writer = writer
        self._progress = progress
        self._clock_s = clock_s
        self._cut = cut
        self._fanouts = fanouts
        self._early = early
        self._inbox = Inbox()
        self._ledgers: dict[str, dict[str, int]] = {}
        self._swarms: dict[str, dict[str, Any]] = {}
        self._streams = StreamFaults()
        self._ok: Counter[int] = Counter()
        self._unreachable: Counter[int] = Counter()
        self._disk_refuses = False

    def accept(self, batch: dict[str, Any]) -> bool:
        """File a batch; False when it was here before."""
        if not self._inbox.accept(batch):
            return False
        intervals = [Interval.from_json(row) for row in batch.get("intervals", ())]
        if "fanned" in batch:
            self._fanouts.add(batch["fanned"], self._clock_s())
            intervals += self._fan_out()
        self._fanouts.add_afterwards(batch.get("afterwards", ()))
        self.write(lambda: self._writer.intervals(intervals))
        self._progress.add(intervals)
        if self._early:
            self._early.add(intervals)
        for interval in intervals:
            if is_request(interval.series):
                self._ok[interval.second] += interval.ok
                self._unreachable[interval.second] += sum(interval.errors.get(kind, 0) for kind in UNREACHABLE)
        for row in batch.get("exemplars", ()):
            self.write(partial(self._writer.exemplar, row))
        for event in batch.get("events", ()):
            self.event(event["kind"], event["text"])
            if event["kind"] in ("lost", "member error"):
                self._cut(event["text"], "generator")
        if "vitals" in batch:
            self.write(partial(self._writer.vitals, batch["source"], batch["vitals"]))
        if "gauges" in batch:
            self._progress.gauges[batch["source"]] = batch["gauges"]
        if "ledger" in batch:
            if batch["sequence"] == max(self._inbox.seen(batch["source"])):  # a recovered batch may be an older one
                self._ledgers[batch["source"]] = batch["ledger"]
            total = Counts.together(self._ledgers.values())
            self._progress.ledger = total
            self.write(lambda: self._writer.deliveries(total))
        self._streams.settled(batch.get("streams", {}))
        self._streams.wrong(batch.get("wrong", {}))
        if "swarm" in batch:
            self._swarms[batch["source"]] = batch["swarm"]
            account = SwarmAccount.together(self._swarms.values())
            account = replace(account, streams=self._streams.affected())
            self.write(lambda: self._writer.swarm(account.to_json()))
        self.accounting.update(batch.get("accounting", {}))
        if "locust" in batch:
            self.locust[batch["source"]] = batch["locust"]
        self.unloaded |= batch.get("unloaded", {})
        return True

    def _fan_out(self) -> list[Interval]:
        intervals, curve = self._fanouts.take()
        for row in curve:
            self.write(partial(self._writer.fan_out, row))
        return intervals

    def finish(self) -> None:
        """Nothing more comes: also what some process never told of is written."""
        self._fanouts.finish()
        if late := self._fanouts.late:
            self.event("fan-out", f"{late} fan-outs are without the share of a process that told of it too late")
        intervals = self._fan_out()
        self.write(lambda: self._writer.intervals(intervals))

    def unreachable(self) -> bool:
        """Whether the target refused every connection of the last seconds: more load would show nothing."""
        second = int(self._clock_s())
        last = range(second - UNREACHABLE_S - 1, second - 1)
        return last.start >= 0 and all(self._unreachable[s] and not self._ok[s] for s in last)

    def failing(self) -> Stop | None:
        """What ends a run that is certainly failing, where that was asked for."""
        return self._early.look(self._clock_s()) if self._early else None

    def recover(self, spool: Path) -> None:
        """Take what a lost process had spooled and could not send."""
        recovered = sum(self.accept(batch) for batch in read_spool(spool))
        if recovered:
            self.event("recovered", f"{recovered} batches were read from a lost process's own log")

    def event(self, kind: str, text: str) -> None:
        """File an event that happens now."""
        self.write(lambda: self._writer.event(self._clock_s(), kind, text))

    def write(self, action: Callable[[], None]) -> None:
        """Do something to the run directory; a disk that refuses ends the run."""
        if self._disk_refuses:
            return
        try:
            action()
        except OSError as error:
            self._disk_refuses = True
            self._cut(f"the run directory cannot be written ({error.strerror or error})", "generator")

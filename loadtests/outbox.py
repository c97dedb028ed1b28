"""How Intervals travel between processes: numbered batches, spooled to disk until they have arrived."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Inbox", "Outbox", "read_spool"]

Batch = dict[str, Any]


class Outbox:
    """Numbers what a process has to say, keeps the newest of it on disk, and sends it.

    What is lost with a receiver is what was under way to it, seconds at most; so the spool holds a number of batches,
    not a soak of eight hours.

    Args:
        source: unique name of the sending process.
        send: passes a batch on; may be lossy when the receiver is gone.
        spool: directory in which ``SOURCE.jsonl`` and ``SOURCE.old.jsonl`` keep the newest batches.
        keep: how many of them at least.

    """

    def __init__(self, source: str, send: Callable[[Batch], None], spool: Path, keep: int = 300) -> None:
        self.source = source
        self._send = send
        self._sequence = 0
        self._keep = keep
        self._path = spool / f"{source}.jsonl"
        self._spool = self._path.open("a", encoding="utf-8")

    def post(self, **content: Any) -> None:
        """Send one batch, spooled first; a full disk costs the spool's copy, not the batch."""
        self._sequence += 1
        batch = {"source": self.source, "sequence": self._sequence, **content}
        with contextlib.suppress(OSError):  # whoever writes the run directory meets the same disk, and ends the run
            if self._sequence % self._keep == 1 and self._sequence > 1:
                self._path.replace(self._path.with_suffix(".old.jsonl"))
                self._spool, full = self._path.open("a", encoding="utf-8"), self._spool
                full.close()
            self._spool.write(json.dumps(batch, separators=(",", ":")) + "\n")
            self._spool.flush()
        self._send(batch)

    def unspooled(self, **content: Any) -> None:
        """Send what must not be on disk, as it holds secrets; it may be lost."""
        self._send(content)


class Inbox:
    """Accepts each batch once, in any order of arrival."""

    def __init__(self) -> None:
        self._seen: dict[str, set[int]] = {}

    def seen(self, source: str) -> set[int]:
        """Numbers of the batches accepted from a source."""
        return self._seen.get(source, set())

    def accept(self, batch: Batch) -> bool:
        """Whether the batch is new."""
        seen = self._seen.setdefault(batch["source"], set())
        if batch["sequence"] in seen:
            return False
        seen.add(batch["sequence"])
        return True


def read_spool(spool: Path) -> Iterator[Batch]:
    """Every whole batch that any process spooled."""
    for path in sorted(spool.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))

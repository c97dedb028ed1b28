"""Why a run ended before its plan did, and what its header says of that."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from loadtests.earlystop import Stop
from loadtests.header import RunHeader

__all__ = ["Ending"]


@dataclass(frozen=True)
class Ending:
    """An early end: cut short, or stopped because the run was certainly failing.

    ``fault`` is ``target``, ``generator``, or empty where it was nobody's.
    """

    at_s: float
    reason: str
    fault: str = ""
    stop: Stop | None = None

    def __str__(self) -> str:
        """``interrupted at 12 s``."""
        return f"{self.reason} at {self.at_s:.0f} s"

    def of(self, header: RunHeader) -> RunHeader:
        """The header of a run that ended so: its phases go as far as it did."""
        phases = header.phases_until(self.at_s)
        if self.stop is not None:
            return replace(header, state="stopped", stopped=asdict(self.stop), phases=phases)
        return replace(header, state="partial", partial=str(self), fault=self.fault, phases=phases)

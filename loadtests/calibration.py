"""A calibration: what the harness adds of its own on this class of machine, measured, kept, and cited by later runs.

One JSON file each under ``runs/calibrations``. A run cites the newest that covers it: the same class of host, under a
day old, made at no lower a rate and with as many processes.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from loadtests.description import host, versions
from loadtests.errors import RunError, UsageError
from loadtests.trial import Intent
from loadtests.verdict import Check

__all__ = ["CALIBRATIONS", "Calibration", "calibrations", "cited", "host_class"]

CALIBRATIONS = Path("runs") / "calibrations"
FRESH_S = 24 * 3600.0
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Calibration:
    """What ``loadtests doctor`` found."""

    id: str
    made_wall_s: float
    host: Mapping[str, str]
    """The class of the machine, see :func:`host_class`."""
    rate_per_s: float
    processes: int
    connections: int
    floor_ms: Mapping[str, float]
    """Response times from a server that does nothing, at that rate: by percentile, 100 being the slowest."""
    headroom: float
    """How many times the rate it drives cleanly."""
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether every check does."""
        return all(check.ok for check in self.checks)

    def uncovered(self, intent: Intent, processes: int, now_wall_s: float) -> str:
        """Why it does not speak for a run; empty where it does."""
        if dict(self.host) != host_class():
            differ = [name for name, value in host_class().items() if self.host.get(name) != value]
            return f"it was made on another class of host ({', '.join(differ)})"
        if not 0 <= now_wall_s - self.made_wall_s <= FRESH_S:
            return f"it is {(now_wall_s - self.made_wall_s) / 3600:.0f} h old, and 24 h is the most"
        if intent.rate_per_s > self.rate_per_s:
            return f"it was made at {self.rate_per_s:g}/s, and this plan peaks at {intent.rate_per_s:g}/s"
        if processes != self.processes or intent.connections > self.connections:
            return (
                f"it was made with {self.processes} processes and {self.connections} connections, and this run has "
                f"{processes} and {intent.connections}"
            )
        return ""

    @property
    def citation(self) -> dict[str, Any]:
        """What a run says of it."""
        return {
            "id": self.id,
            "made_wall_s": self.made_wall_s,
            "rate_per_s": self.rate_per_s,
            "floor_ms": dict(self.floor_ms),
            "headroom": self.headroom,
            "broken": [f"{check.title}? No: {check.value}" for check in self.checks if not check.ok],
        }

    def write(self, folder: Path) -> Path:
        """Keep it.

        Raises:
            RunError: when the file cannot be written.

        """
        path = folder / f"{self.id}.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(self.to_json(), indent=1), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise RunError(
                f"cannot write the calibration {path}: {error.strerror or error}; name a folder with --calibrations"
            ) from None
        return path

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Calibration:
        """Read :meth:`to_json`'s form."""
        return cls(**{**row, "checks": tuple(Check(**check) for check in row["checks"])})


def calibrations(folder: Path) -> list[Calibration]:
    """All that are kept, newest first.

    Raises:
        RunError: when one cannot be read.

    """
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append(Calibration.from_json(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(f"{path} is no calibration: {error}; remove it") from None
    return sorted(found, key=lambda calibration: -calibration.made_wall_s)


def cited(folder: Path, intent: Intent, processes: int, now_wall_s: float, *, required: bool) -> Calibration | None:
    """The newest calibration that covers a run.

    Raises:
        UsageError: when one is required, and there is none, or it found the harness wanting.

    """
    kept = calibrations(folder)
    reasons = [each.uncovered(intent, processes, now_wall_s) for each in kept]
    found = next((each for each, reason in zip(kept, reasons, strict=True) if not reason), None)
    if required and (found is None or not found.holds):
        if found is not None:
            why = "; ".join(f"{check.title}? No: {check.value}" for check in found.checks if not check.ok)
        else:
            why = reasons[0] if reasons else f"there is none in {folder}"
        raise UsageError(
            f"no calibration speaks for this run: {why}; make one: loadtests doctor, with the same scenario"
        )
    return found


@cache
def host_class() -> dict[str, str]:
    """What two machines must have in common for a calibration of one to speak for the other."""
    found = host() | {"processor": _processor(), "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB"}
    return found | {name: version for name, version in versions().items() if name != "numpy"}


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or os.uname().machine
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

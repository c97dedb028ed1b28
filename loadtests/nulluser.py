"""Users of the null server: what a calibration loads it with."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from locust import constant, task

from loadtests.loaduser import LoadUser
from loadtests.trial import null_name

__all__ = ["BurningUser", "NullUser"]


class NullUser(LoadUser):
    """Asks for each of ``settings["paths"]`` in turn, whoever of the users it is."""

    wait_time = constant(0)
    settings: Mapping[str, Any]
    _turns: ClassVar[Iterator[str] | None] = None

    @task
    def get(self) -> None:
        """One request."""
        if NullUser._turns is None:
            NullUser._turns = itertools.cycle(self.settings["paths"])
        path = next(NullUser._turns)
        self.client.get(path, name=null_name(path))


class BurningUser(NullUser):
    """Sabotages its process: every ``settings["burn_every_s"]`` one of the users computes for ``burn_ms``."""

    _next_s: ClassVar[float] = 0.0

    @task
    def get(self) -> None:
        """One request, or a fire as well."""
        now = time.monotonic()
        if now >= BurningUser._next_s:
            BurningUser._next_s = now + self.settings["burn_every_s"]
            while time.monotonic() < now + self.settings["burn_ms"] / 1000:
                pass
        super().get()

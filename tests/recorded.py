"""A client of the HTTP cases, by what was recorded of its requests."""

import time
from collections import Counter

from loadtests.interval import merge
from loadtests.scenario import Scenario

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
STEADY = ({"kind": "steady", "duration": "1s"},)
TIMEOUT_S = 0.5
"""Long enough for everything that ends at all, on a busy machine."""


class Recorded:
    """What clients share; ``taken`` gives the intervals since it was last asked."""

    asks_again = False
    """Whether it may ask once more by itself."""

    def told(self):
        """By series: how many were ok, timed out, or failed of each kind; and nothing beside that."""
        found = {}
        for row in self.taken():
            kinds = found.setdefault(row.series, Counter())
            kinds.update(row.errors)
            kinds.update(ok=row.ok, timeout=row.timeouts)
            assert row.count == row.ok + row.timeouts + row.error_count
        return {series: dict(+kinds) for series, kinds in found.items()}

    def all(self):
        """Everything since it was last asked, of the one series, whichever seconds it began and ended in."""
        rows = self.taken()
        (series,) = {row.series for row in rows}
        return merge(rows, series=series)

    def became(self):
        """What became of the one request since it was last asked."""
        ((_, kinds),) = self.told().items()
        ((kind, n),) = kinds.items()
        assert n == 1
        return kind


def scenario_of(url, timeout_s=TIMEOUT_S, phases=STEADY, **more):
    """The scenario of a load on that."""
    rest = {"load": {"timeout": f"{round(timeout_s * 1000)}ms"}} | more
    return Scenario.model_validate({"name": "x", "target": {"url": url}, "phases": list(phases), **rest})


def compute(until):
    """Keep the processor, and whatever loop runs on it, until that is so, or for five seconds."""
    deadline_s = time.monotonic() + 5
    while not until() and time.monotonic() < deadline_s:
        pass

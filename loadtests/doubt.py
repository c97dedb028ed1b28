"""A FAIL must stand without the seconds in which the generator itself lapsed.

It is METHODS' bracketing rule for faults that no time stamp shows: what was measured while the generator stood still,
queued or starved may be its own doing. A PASS stands, since such times only make it harder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from loadtests.lapse import lapses
from loadtests.run import Run
from loadtests.verdict import Status, Verdict

__all__ = ["doubted"]


def doubted(run: Run, limit_ns: int, judged: Callable[[Collection[int]], Verdict]) -> Verdict:
    """The verdict; INVALID instead of a FAIL that does not stand.

    Args:
        run: the run.
        limit_ns: what lapses are measured against.
        judged: the verdict without the seconds given.

    """
    verdict = judged(frozenset())
    if verdict.status is not Status.FAIL or not (found := lapses(run, limit_ns)):
        return verdict
    lapsed = frozenset[int]().union(*(lapse.seconds for lapse in found))
    if judged(lapsed).status is Status.FAIL:
        return verdict
    doubt = f"but without the {len(lapsed)} s in which the generator itself lapsed it does not fail: {found[0].told}"
    return replace(verdict, status=Status.INVALID, reason=f"{verdict.reason}; {doubt}", remedy=found[0].remedy)

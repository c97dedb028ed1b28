"""A FAIL must stand without what the generator's own lapses may have spoilt.

It is METHODS' bracketing rule for faults that no time stamp shows: what was measured while the generator stood still,
queued or starved may be its own doing. A PASS stands, since such times only make it harder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from loadtests.lapse import lapses
from loadtests.run import Run
from loadtests.verdict import Status, Verdict

__all__ = ["doubted"]


def doubted(run: Run, limit_ns: int, judged: Callable[[Mapping[int, float]], Verdict]) -> Verdict:
    """The verdict; INVALID instead of a FAIL that does not stand.

    Args:
        run: the run.
        limit_ns: what lapses are measured against.
        judged: the verdict when that share of the requests of these seconds is not held against the target.

    """
    verdict = judged({})
    if verdict.status is not Status.FAIL or not (found := lapses(run, limit_ns)):
        return verdict
    spoilt: dict[int, float] = {}
    for lapse in found:
        for second, share in lapse.share.items():
            spoilt[second] = max(spoilt.get(second, 0.0), share)
    if judged(spoilt).status is Status.FAIL:
        return verdict
    doubt = f"but without the {len(spoilt)} s in which the generator itself lapsed it does not fail: {found[0].told}"
    return replace(verdict, status=Status.INVALID, reason=f"{verdict.reason}; {doubt}", remedy=found[0].remedy)

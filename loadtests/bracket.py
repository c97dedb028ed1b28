"""The bracketing rule: service time <= what a user felt <= response time from the intended start.

PASS if the upper reading passes, FAIL if the lower one fails; where the two disagree, the generator's own lateness
decides: INVALID if it is material, INCONCLUSIVE otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtests.evidence import Side
from loadtests.gate import Decision, GateResult, gate
from loadtests.verdict import Status

__all__ = ["Bracket", "bracket"]

_TIMED = {Decision.PASS: "holds", Decision.FAIL: "fails", Decision.INCONCLUSIVE: "is undecided"}


@dataclass(frozen=True)
class Bracket:
    """Both readings and what follows from them."""

    upper: GateResult
    lower: GateResult
    status: Status

    @property
    def shown(self) -> GateResult:
        """The reading that the verdict rests on."""
        return self.lower if self.status is Status.FAIL else self.upper

    @property
    def follows(self) -> str:
        """What is left to say when it neither passed nor failed."""
        if self.status in (Status.PASS, Status.FAIL):
            return ""
        if self.upper.status is not self.lower.status:
            never = self.upper.n - self.lower.n
            counted = f" (and with {never:,} that never left)" if never else ""
            readings = (
                f"; timed from when requests were due{counted} it {_TIMED[self.upper.status]}, "
                f"from when they left it {_TIMED[self.lower.status]}"
            )
            late = ", and the generator sent them late" if self.status is Status.INVALID else ""
            return readings + late
        if self.upper.needs_factor is None:
            return "; too little evidence, and a longer run like this one would not tell either"
        seconds = math.ceil(self.upper.needs_factor * self.upper.seconds)
        return f"; too little evidence, it takes about {seconds:,} s of steady state"


def bracket(upper: Side, lower: Side, budget: float, own_from_us: float | None, material: bool) -> Bracket:
    """Gate both readings of a share of bad requests against its budget.

    Args:
        upper: timed from when requests were due, what never started counted as bad.
        lower: timed from when they left.
        budget: the share that may be bad.
        own_from_us: from which time on the slowest requests of the readings bear on their waves (see
            ``effective.own_series``); None where they do not.
        material: whether the generator's lateness can matter to the objective.

    """
    above, below = (
        gate(side.counts, side.bad, budget, own=() if own_from_us is None else side.own(budget, own_from_us))
        for side in (upper, lower)
    )
    if above.status is Decision.PASS:
        status = Status.PASS
    elif below.status is Decision.FAIL:
        status = Status.FAIL
    elif above.status is below.status or not material:
        status = Status.INCONCLUSIVE
    else:
        status = Status.INVALID
    return Bracket(above, below, status)

"""Hold the harness against servers whose distributions are known: ``python -m benchmarks.truth [--short]``.

Ends with 1 when an error is beyond its tolerance or a verdict is not the expected one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.truth.closedloop import CLOSED
from benchmarks.truth.delays import FIXED_20, FIXED_100, LOGNORMAL, LOGNORMAL_TWO
from benchmarks.truth.experiment import ROOT, together
from benchmarks.truth.fanout import FAULTLESS, FAULTY
from benchmarks.truth.overload import OVERLOAD, OVERLOAD_FEW
from benchmarks.truth.queue import QUEUE, QUEUE_SLOW
from benchmarks.truth.shares import ERRORS_FEW, ERRORS_MANY, HANGING, TAIL_3, TAIL_6
from benchmarks.truth.stall import STALL, STALL_FEW
from benchmarks.truth.table import as_text, write
from benchmarks.truth.truth import Row, Truth, by_members
from loadtests.errors import RunError

SHORT = ((STALL_FEW, TAIL_3, TAIL_6, ERRORS_MANY, FAULTY),)
LONG = (
    (STALL, FIXED_20, ERRORS_FEW, CLOSED),
    (STALL_FEW, FIXED_100, ERRORS_MANY, OVERLOAD_FEW),
    (QUEUE, LOGNORMAL, FAULTLESS, HANGING),
    (QUEUE_SLOW, TAIL_3, TAIL_6, FAULTY),
    (OVERLOAD, LOGNORMAL_TWO, by_members(QUEUE), by_members(STALL)),
)
"""What stands in one line runs at the same time."""
SHORT_S, LONG_S, COMPARE_S = 30, 60, 15
PAGE = ROOT / "docs" / "truth.md"


def measure(groups: Sequence[Sequence[Truth]], seconds: int, scratch: Path, compare_s: int) -> list[Row]:
    """All groups, one after the other. What is wrong is asked once more, alone, and aloud: a busy machine is no lie."""
    found: list[Row] = []
    for number, group in enumerate(groups, 1):
        print(f"{number} of {len(groups)}: {', '.join(truth.name for truth in group)}", file=sys.stderr, flush=True)
        told = together(group, seconds, scratch, compare_s)
        for truth in group:
            own = [row for row in told if row.name == truth.name]
            if not all(row.holds for row in own):
                print(f"{as_text(own)}\n{truth.name}: once more, alone", file=sys.stderr, flush=True)
                own = together([truth], seconds, scratch / "again", compare_s)
            found += own
    return found


def main() -> int:
    """Measure, print, and in the long form write the page."""
    parser = argparse.ArgumentParser(prog="make truth", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few truths in under a minute; docs/truth.md stays")
    parser.add_argument("--keep", type=Path, help="an empty directory for the runs; without it they are thrown away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="truth-") as made:
        scratch = options.keep or Path(made)
        groups, seconds, compare_s = (SHORT, SHORT_S, 0) if options.short else (LONG, LONG_S, COMPARE_S)
        try:
            rows = measure(groups, seconds, scratch, compare_s)
        except RunError as error:
            print(error, file=sys.stderr)
            return 1
    print(as_text(rows))
    if not options.short:
        write(PAGE, rows)
    wrong = [name for name, own in groupby(rows, lambda row: row.name) if not all(row.holds for row in own)]
    print(f"wrong: {', '.join(wrong)}" if wrong else f"all {len(rows)} figures and their verdicts are right")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

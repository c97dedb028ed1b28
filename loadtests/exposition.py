"""A target's own numbers (Prometheus text format 0.0.4), cut down to a small set that stays the same over a run."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from prometheus_client.parser import text_string_to_metric_families

from loadtests.targetaccount import COUNTER, GAUGE

__all__ = ["MOST_LINES", "MOST_OF_A_NAME", "MOST_SERIES", "Exposition"]

MOST_SERIES = 200
"""Series that are kept of one target."""
MOST_OF_A_NAME = 40
"""Series that are kept of one name: a histogram with a label per route must not leave the others without room."""
MOST_LINES = 5_000
"""Lines that are read of one answer, buckets and help texts not counted."""

_MOST_CHARACTERS = 300
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_NOT_READ = re.compile(r'[\w:]+_bucket\{(?:.*,)?le="|# HELP |#(?! TYPE )|\s*$')


class Exposition:
    """What one target says of itself, answer after answer.

    Counters, gauges and the sums and counts of histograms and summaries are kept, in order of appearance and under
    bounds; a series that was kept once has its place for the whole run.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self.series: list[tuple[str, str]] = []
        """Name with labels, and kind, of each series that is kept."""
        self.left_out = ""
        """What was first left out, and why; empty while all is kept."""
        self._redact = redact
        self._places: dict[str, int] = {}
        self._shown: set[str] = set()
        self._of_a_name: Counter[str] = Counter()

    def read(self, text: str) -> list[float | None]:
        """The values in the order of ``series``; None where there is none.

        Raises:
            ValueError: when the text is not in the format.

        """
        values: dict[int, float] = {}
        for name, labels, kind, value in _samples("\n".join(self._lines(text)) + "\n"):
            place = self._place(name, labels, kind)
            if place is not None and math.isfinite(value):
                values.setdefault(place, value)
        return [values.get(place) for place in range(len(self.series))]

    def _lines(self, text: str) -> Iterator[str]:
        wanted = (line for line in text.split("\n") if not _NOT_READ.match(line))
        yield from islice(wanted, MOST_LINES)
        if next(wanted, None) is not None:
            self._leave_out(f"an answer has more than {MOST_LINES:,} lines; the others are not read")

    def _place(self, name: str, labels: dict[str, str], kind: str) -> int | None:
        labelled = _labelled(name, labels)
        place = self._places.get(labelled)
        if place is not None:
            return place
        if len(self.series) >= MOST_SERIES:
            self._leave_out(f"there are more than {MOST_SERIES} series; the others are not kept")
        elif self._of_a_name[name] >= MOST_OF_A_NAME:
            self._leave_out(f"{name[:_MOST_CHARACTERS]} has more than {MOST_OF_A_NAME} series; the others are not kept")
        elif len(labelled) > _MOST_CHARACTERS or (shown := self._shown_as(name, labels)) in self._shown:
            self._leave_out(f"a name is longer than {_MOST_CHARACTERS} characters, or no other once redacted")
        else:
            self._shown.add(shown)
            self._of_a_name[name] += 1
            self.series.append((shown, kind))
            place = self._places[labelled] = len(self.series) - 1
        return place

    def _shown_as(self, name: str, labels: dict[str, str]) -> str:
        """Label by label, so that what looks like a credential is no accident of two that stand side by side."""
        return _labelled(self._redact(name), labels, self._redact)

    def _leave_out(self, why: str) -> None:
        self.left_out = self.left_out or why


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], str, float]]:
    """Name, labels, kind and value of what may be kept."""
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                kind = _kind(family.type, sample.name)
                if kind:
                    yield sample.name, sample.labels, kind, float(sample.value)
    except Exception as error:  # the parser raises as it happens to, and the text is the target's
        raise ValueError("it is not in Prometheus text format") from error


def _kind(family: str, name: str) -> str:
    if name.endswith("_created"):
        return ""
    if family in ("histogram", "summary"):
        return COUNTER if name.endswith(("_sum", "_count")) else ""
    return COUNTER if family == "counter" or (family == "unknown" and name.endswith("_total")) else GAUGE


def _labelled(name: str, labels: dict[str, str], show: Callable[[str], str] = str) -> str:
    pairs = (show(f'{key}="{value.translate(_ESCAPED)}"') for key, value in labels.items())
    return f"{name}{{{','.join(pairs)}}}" if labels else name

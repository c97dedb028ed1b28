"""One fixed HDR configuration, over the ``hdrhistogram`` package; the only module that imports it.

Values are integer microseconds from 1 us to 60 s with three significant digits, so a bucket is at most 1/1024 of its
value wide. Counts are kept sparse: a second of one series occupies a few hundred buckets of 17,408.

What the package gets wrong and this module puts right: values over the range vanish (here they are clamped and
counted), a percentile's rank is rounded instead of raised (here it is ``ceil(p n)``), an empty histogram answers 0
(here None), and statistics loop over every bucket in Python (here they are vectorised).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

__all__ = ["HIGHEST_US", "Histogram", "blank", "bucket_index", "bucket_lowest_us"]

LOWEST_US, HIGHEST_US, DIGITS = 1, 60_000_000, 3


def blank() -> Any:
    """A fresh ``HdrHistogram`` of the one configuration, with 8-byte counters (narrower ones overflow silently)."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS, word_size=8)


_LAYOUT = blank()
_HALF_MAGNITUDE: int = _LAYOUT.sub_bucket_half_count_magnitude
_HALF_COUNT: int = _LAYOUT.sub_bucket_half_count
_MASK: int = _LAYOUT.sub_bucket_mask
_COUNTS_LEN: int = _LAYOUT.counts_len

IntArray = NDArray[np.int64]
_EMPTY: IntArray = np.empty(0, dtype=np.int64)


def bucket_index(value_us: IntArray) -> IntArray:
    """Bucket of each value, shape kept; HdrHistogram's layout, vectorised.

    With ``e = bit_length(v | mask) - bit_length(mask)`` the index is ``((e+1) << m) + (v >> e) - 2^m``; the bit
    length comes from the exponent of the value as a double, which is exact below 2^53.
    """
    doubled = (value_us | _MASK).astype(np.float64).view(np.int64)
    exponent = (doubled >> 52) - (1022 + _HALF_MAGNITUDE + 1)  # the exponent field of a double is bit length + 1022
    index: IntArray = ((exponent + 1) << _HALF_MAGNITUDE) + ((value_us >> exponent) - _HALF_COUNT)
    return index


def bucket_lowest_us(index: IntArray) -> IntArray:
    """Lowest value of each bucket; ``bucket_lowest_us(i + 1) - 1`` is the highest."""
    exponent = np.maximum((index >> _HALF_MAGNITUDE) - 1, 0)
    offset = index - (exponent << _HALF_MAGNITUDE)
    lowest: IntArray = offset << exponent
    return lowest


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts over the fixed layout; immutable, additive, in any order.

    ``index`` (sorted, unique) and ``counts`` have the same shape; ``overflow`` counts values over 60 s and
    ``underflow`` negative ones: both are clamped into the range, never lost.
    """

    index: IntArray = field(default_factory=lambda: _EMPTY)
    counts: IntArray = field(default_factory=lambda: _EMPTY)
    overflow: int = 0
    underflow: int = 0
    max_us: int = 0

    @classmethod
    def of(cls, value_us: Any) -> Histogram:
        """Count integer microseconds, an array or a sequence of any length.

        Raises:
            ValueError: when a value is NaN or no number.

        """
        values = np.asarray(value_us)
        if values.size == 0:
            return cls()
        if values.dtype.kind != "i":
            values = values.astype(np.float64)
            if np.isnan(values).any():
                raise ValueError("a latency of NaN cannot be counted")
            values = np.clip(values, -1.0, 2.0**62)
        values = values.astype(np.int64, copy=False)
        top = int(values.max())
        overflow = int((values > HIGHEST_US).sum()) if top > HIGHEST_US else 0
        underflow = int((values < 0).sum()) if int(values.min()) < 0 else 0
        if overflow or underflow:
            values = np.clip(values, 0, HIGHEST_US)
        buckets = bucket_index(values)
        if buckets.size < 1024:
            index, counts = np.unique(buckets, return_counts=True)
        else:
            dense = np.bincount(buckets)
            index = np.flatnonzero(dense)
            counts = dense[index]
        return cls(index, counts.astype(np.int64, copy=False), overflow, underflow, max(0, min(top, HIGHEST_US)))

    @classmethod
    def each(cls, value_us: IntArray, group: IntArray) -> dict[int, Histogram]:
        """Count the values of many groups at once; both arrays have shape (n,), and no group is negative."""
        if not value_us.size:
            return {}
        inside = int(value_us.min()) >= 0 and int(value_us.max()) <= HIGHEST_US
        values = value_us if inside else np.clip(value_us, 0, HIGHEST_US)
        buckets = bucket_index(values)
        low = int(buckets.min())
        wide = int(buckets.max()) - low + 1  # of all the buckets, latencies of a second mostly lie in few
        buckets += group * wide - low
        keys, counts = _distinct(buckets)
        groups = keys // wide
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        ends = [*starts.tolist()[1:], keys.size]
        width = int(groups[-1]) + 1
        top = np.zeros(width, dtype=np.int64)
        np.maximum.at(top, group, values)
        overflow = underflow = np.zeros(width, dtype=np.int64)
        if not inside:
            overflow = np.bincount(group[value_us > HIGHEST_US], minlength=width)
            underflow = np.bincount(group[value_us < 0], minlength=width)
        return {
            g: cls(keys[a:b] - (g * wide - low), counts[a:b], int(overflow[g]), int(underflow[g]), int(top[g]))
            for g, a, b in zip(groups[starts].tolist(), starts.tolist(), ends, strict=True)
        }

    @classmethod
    def sum(cls, histograms: Iterable[Histogram]) -> Histogram:
        """Add any number of histograms at once."""
        parts = [part for part in histograms if part.index.size or part.overflow or part.underflow]
        if len(parts) < 2:
            return parts[0] if parts else cls()
        dense = np.zeros(_COUNTS_LEN, dtype=np.int64)
        for part in parts:
            dense[part.index] += part.counts
        index = np.flatnonzero(dense)
        return cls(
            index,
            dense[index],
            sum(part.overflow for part in parts),
            sum(part.underflow for part in parts),
            max(part.max_us for part in parts),
        )

    def __add__(self, other: Histogram) -> Histogram:
        """Both counts together."""
        return Histogram.sum((self, other))

    def __eq__(self, other: object) -> bool:
        """Same counts in the same buckets."""
        return (
            isinstance(other, Histogram)
            and np.array_equal(self.index, other.index)
            and np.array_equal(self.counts, other.counts)
            and (self.overflow, self.underflow, self.max_us) == (other.overflow, other.underflow, other.max_us)
        )

    __hash__ = None  # type: ignore[assignment] # arrays inside

    @property
    def total(self) -> int:
        """Number of values, clamped ones included."""
        return int(self.counts.sum())

    def percentile_us(self, percentile: float) -> float | None:
        """Value at ``percentile`` (0 to 100), in microseconds; None of nothing.

        The rank is ``ceil(percentile/100 * n)`` and the answer the highest value of that rank's bucket (never above
        the exact maximum), so the error is upward and at most the bucket's width.
        """
        n = self.total
        if n == 0:
            return None
        rank = min(n, max(1, math.ceil(Fraction(str(percentile)) * n / 100)))  # exact: 99.9 means 99.9
        bucket = self.index[int(np.searchsorted(np.cumsum(self.counts), rank))]
        return float(min(int(bucket_lowest_us(bucket + 1)) - 1, self.max_us))

    def mean_us(self) -> float | None:
        """Mean of the buckets' midpoints, in microseconds; None of nothing."""
        if not self.index.size:
            return None
        middle = (bucket_lowest_us(self.index) + bucket_lowest_us(self.index + 1) - 1) / 2
        return float((middle * self.counts).sum() / self.counts.sum())

    def count_above_us(self, limit_us: int) -> int:
        """How many values lie in buckets wholly above ``limit_us``."""
        return int(self.counts[bucket_lowest_us(self.index) > limit_us].sum())

    def encode(self) -> str:
        """HdrHistogram V2 compressed base64, readable by every HdrHistogram port."""
        full = blank()
        if self.index.size:
            view = np.frombuffer(full.counts, dtype=np.uint64)
            view[self.index] = self.counts.astype(np.uint64)
            full.total_count = self.total
            full.min_value = int(bucket_lowest_us(self.index[:1])[0])
            full.max_value = self.max_us
        return str(full.encode().decode("ascii"))

    @classmethod
    def decode(cls, text: str, *, max_us: int | None = None) -> Histogram:
        """Read :meth:`encode`'s form; ``max_us`` restores the exact maximum, which the blob does not carry."""
        try:
            full = HdrHistogram.decode(text)
        except Exception as error:
            raise ValueError(f"not an encoded HdrHistogram ({error or type(error).__name__})") from None
        used = full.get_counts_array_index(full.max_value) + 1  # mostly far from the end, and zeros take time to pass
        dense = np.frombuffer(full.counts, dtype=np.uint64)[:used]
        if (full.lowest_trackable_value, full.highest_trackable_value, full.significant_figures) != (
            LOWEST_US,
            HIGHEST_US,
            DIGITS,
        ):
            raise ValueError("the histogram has another configuration than 1 us to 60 s with 3 digits")
        index = np.flatnonzero(dense)
        counts = dense[index].astype(np.int64)
        top = int(bucket_lowest_us(index[-1:] + 1)[0]) - 1 if index.size else 0
        return cls(index, counts, 0, 0, top if max_us is None else max_us)

    def to_json(self) -> list[Any]:
        """Compact plain lists for a pipe."""
        return [self.index.tolist(), self.counts.tolist(), self.overflow, self.underflow, self.max_us]

    @classmethod
    def from_json(cls, row: list[Any]) -> Histogram:
        """Read :meth:`to_json`'s form."""
        index, counts, overflow, underflow, max_us = row
        return cls(np.array(index, dtype=np.int64), np.array(counts, dtype=np.int64), overflow, underflow, max_us)


def _distinct(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Distinct keys, ascending, and how often each stands there: counted where the keys are dense, else sorted."""
    if int(keys.max()) < 4 * keys.size:
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        return found, counts[found]
    distinct, counts = np.unique(keys, return_counts=True)
    return distinct, counts

"""The HdrHistogram log, version 1.3: what other people's tools open.

One line per interval and tag::

    Tag=GET%20/agents|response,START_S,LENGTH_S,MAX_MS,BASE64

START_S is absolute seconds since the epoch. A series and second may have several lines, because a late answer belongs
to an earlier second that is already written; they add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, TextIO
from urllib.parse import quote, unquote

from loadtests.histogram import Histogram

__all__ = ["HistogramLine", "read_hlog", "write_header", "write_line"]


class HistogramLine(NamedTuple):
    """One line of the log."""

    series: str
    name: str
    start_wall_s: float
    histogram: Histogram


def write_header(log: TextIO, start_wall_s: float, start_iso: str) -> None:
    """Comments and the legend; ``start_iso`` repeats the start for people."""
    log.write("#[Logged with nexus-loadtests, values in microseconds]\n")
    log.write("#[Histogram log format version 1.3]\n")
    log.write(f"#[StartTime: {start_wall_s:.3f} (seconds since epoch), {start_iso}]\n")
    log.write('"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n')


def write_line(log: TextIO, line: HistogramLine, length_s: float = 1.0) -> None:
    """Append one interval; the tag is percent-encoded since it may hold no comma, space or line break."""
    tag = f"{quote(line.series, safe='/{}:*()', errors='surrogatepass')}|{line.name}"
    max_ms = line.histogram.max_us / 1000
    log.write(f"Tag={tag},{line.start_wall_s:.3f},{length_s:.3f},{max_ms:.3f},{line.histogram.encode()}\n")


def read_hlog(log: Iterable[str]) -> Iterator[HistogramLine]:
    """Every whole line; a last line cut short by a kill is left out."""
    for text in log:
        if not text.startswith("Tag=") or not text.endswith("\n"):
            continue
        tag, start_s, _length_s, max_ms, blob = text[4:].rstrip("\n").split(",", 4)
        series, name = _read_tag(tag)
        histogram = Histogram.decode(blob, max_us=round(float(max_ms) * 1000))
        yield HistogramLine(series, name, float(start_s), histogram)


@lru_cache(maxsize=4096)
def _read_tag(tag: str) -> tuple[str, str]:
    """Series and name of a tag; a run has few, each on thousands of lines."""
    series, _, name = tag.rpartition("|")
    return unquote(series, errors="surrogatepass"), name

"""The histogram log, read back by ourselves, by the HdrHistogram package, and by an independent reader."""

import io
import random

import pytest
from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from loadtests.histogram import Histogram, blank, bucket_lowest_us
from loadtests.hlog import HistogramLine, read_hlog, write_header, write_line
from tests.oracles import hlog

START = 1_763_850_000.25
NAMES = [
    "GET /agents/{id}",
    "ws deliver",
    "a,b, c",
    "100% of /x%20y",
    "one|two|",
    "Tag=x=y",
    "zażółć 数 🐝",
    "tab\tand\nline\r\nbreaks\u2028",
    "#[StartTime: 1",
    "",
]


def some_histogram(seed):
    """Return a histogram of a few hundred values from 1 us to a minute."""
    draw = random.Random(seed)
    return Histogram.of([draw.randrange(2 ** draw.randrange(1, 26)) for _ in range(300)])


def lines():
    """Return one line for every awkward name, each with other counts."""
    return [
        HistogramLine(name, ("response", "failed_service")[k % 2], START + k, some_histogram(k))
        for k, name in enumerate(NAMES)
    ]


@pytest.fixture
def log(tmp_path):
    """Write the log of those lines."""
    path = tmp_path / "intervals.hlog"
    with path.open("w", encoding="utf-8") as text:
        write_header(text, START, "2025-11-22T22:20:00+00:00")
        for line in lines():
            write_line(text, line)
    return path


def test_read(log):
    """Everything reads back: names, stamps, counts and the exact maximum."""
    assert list(read_hlog(log.open(encoding="utf-8"))) == lines()


def test_read_by_the_package(log):
    """The HdrHistogram package reads the same counts, stamps and tags, to the last line."""
    reader = HistogramLogReader(str(log), blank())
    for line in lines():
        found = reader.get_next_interval_histogram()
        assert found.encode().decode() == line.histogram.encode()
        assert found.get_start_time_stamp() == pytest.approx(line.start_wall_s * 1000, abs=0.5)
        assert found.get_end_time_stamp() - found.get_start_time_stamp() == pytest.approx(1000)
        assert not set(found.get_tag()) & {",", " ", "\n", "\r", "\t"}
    assert reader.get_next_interval_histogram() is None
    assert reader.get_start_time_sec() == START


def test_read_by_another(log):
    """A reader written from the format's description finds the same."""
    for line, (tag, start_s, length_s, top_ms, counts) in zip(lines(), hlog.read(log), strict=True):
        assert tag == f"{line.series}|{line.name}"
        assert (start_s, length_s) == (line.start_wall_s, 1.0)
        assert top_ms == pytest.approx(line.histogram.max_us / 1000, abs=0.0005)
        lowest = bucket_lowest_us(line.histogram.index).tolist()
        assert counts == dict(zip(lowest, line.histogram.counts.tolist(), strict=True))


def test_header(log):
    """The log says what it is: version 1.3, its start, and the columns."""
    text = log.read_text(encoding="utf-8").splitlines()
    assert text[1] == "#[Histogram log format version 1.3]"
    assert text[2] == "#[StartTime: 1763850000.250 (seconds since epoch), 2025-11-22T22:20:00+00:00]"
    assert text[3] == '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def test_last_line_cut_short(log):
    """Wherever a kill cuts the last line, the others read, and it is left out."""
    whole = log.read_text(encoding="utf-8")
    last = whole.rstrip("\n").rfind("\n") + 1
    for end in range(last, len(whole)):
        assert len(list(read_hlog(io.StringIO(whole[:end], newline="\n")))) == len(NAMES) - 1


@given(st.text(st.characters(), max_size=20), st.integers(0, 2**31), st.lists(st.integers(0, 60_000_000), max_size=20))
def test_any_name(series, start_ms, values):
    """Any text at all is a name, halves of characters too."""
    line = HistogramLine(series, "response", start_ms / 1000, Histogram.of(values))
    text = io.StringIO(newline="\n")
    write_line(text, line)
    assert text.getvalue().isascii()
    text.seek(0)
    assert list(read_hlog(text)) == [line]


def test_lines_of_others():
    """Comments, legends and lines without a tag of ours are passed over."""
    text = f'#[Comment]\n"Legend"\n0.1,1.0,2.0,{Histogram().encode()}\n\n'
    assert list(read_hlog(io.StringIO(text))) == []

"""Calibrations on disk, and which of them speaks for a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.calibration import Calibration, calibrations, cited, host_class
from loadtests.errors import RunError, UsageError
from loadtests.trial import Intent
from loadtests.verdict import Check

NOW_S = 1_800_000_000.0
INTENT = Intent(100.0, 50, "poisson", 200_000_000, 60, 20.0)
FLOOR = {"50": 0.5, "95": 1.5, "99": 2.5, "100": 9.0}
GOOD = Check("C1", "The floor is far below the limit", "p95 1.5 ms", "10 %", ok=True)
MADE = Calibration("a", NOW_S - 3600, host_class(), 100.0, 1, 60, FLOOR, 4.77, (GOOD,))


def _cited(folder, intent=INTENT, processes=1, now_s=NOW_S, *, required=False):
    found = cited(folder, intent, processes, now_s, required=required)
    return found and found.id


def test_what_was_written_is_read_again(tmp_path):
    """The newest first."""
    for name, ago_s in (("b", 7200.0), ("a", 3600.0), ("c", 9000.0)):
        replace(MADE, id=name, made_wall_s=NOW_S - ago_s).write(tmp_path)
    assert [each.id for each in calibrations(tmp_path)] == ["a", "b", "c"]
    assert calibrations(tmp_path)[0] == MADE
    assert calibrations(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("made", "intent", "processes", "why"),
    [
        ({}, INTENT, 1, ""),
        ({}, replace(INTENT, rate_per_s=40.0, connections=0), 1, ""),
        ({}, replace(INTENT, rate_per_s=101.0), 1, "it was made at 100/s, and this plan peaks at 101/s"),
        ({}, INTENT, 2, "it was made with 1 processes"),
        ({}, replace(INTENT, connections=61), 1, "60 connections"),
        ({"made_wall_s": NOW_S - 25 * 3600}, INTENT, 1, "it is 25 h old"),
        ({"made_wall_s": NOW_S + 60}, INTENT, 1, "old"),
        ({"host": host_class() | {"cores": "64", "python": "3.99"}}, INTENT, 1, "class of host (cores, python)"),
    ],
)
def test_what_it_speaks_for(tmp_path, made, intent, processes, why):
    """The same class of host, under a day old, at no lower a rate, with as many processes."""
    calibration = replace(MADE, **made)
    said = calibration.uncovered(intent, processes, NOW_S)
    assert (why in said) if why else not said
    calibration.write(tmp_path)
    assert _cited(tmp_path, intent, processes) == (None if why else "a")
    if why:
        with pytest.raises(UsageError, match="no calibration speaks for this run"):
            _cited(tmp_path, intent, processes, required=True)
    else:
        assert _cited(tmp_path, intent, processes, required=True) == "a"


def test_none_at_all(tmp_path):
    """A run goes on without one, unless it is required."""
    assert _cited(tmp_path) is None
    with pytest.raises(UsageError, match=r"there is none in .*loadtests doctor"):
        _cited(tmp_path, required=True)


def test_one_that_found_the_harness_wanting(tmp_path):
    """It is cited, with what it found; a gate does not stand on it."""
    bad = replace(GOOD, ok=False, value="p95 70 ms")
    replace(MADE, checks=(GOOD, bad)).write(tmp_path)
    assert _cited(tmp_path) == "a"
    with pytest.raises(UsageError, match=r"far below the limit\? No: p95 70 ms"):
        _cited(tmp_path, required=True)
    assert calibrations(tmp_path)[0].citation["broken"] == ["The floor is far below the limit? No: p95 70 ms"]


def test_an_older_one_speaks_where_the_newest_does_not(tmp_path):
    """Of two scenarios' calibrations each run finds its own."""
    MADE.write(tmp_path)
    replace(MADE, id="b", rate_per_s=500.0, made_wall_s=NOW_S - 7200).write(tmp_path)
    assert _cited(tmp_path, replace(INTENT, rate_per_s=300.0)) == "b"
    assert _cited(tmp_path) == "a"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": "x"}'])
def test_a_file_that_is_none(tmp_path, text):
    """One message that names it."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError, match=r"x\.json is no calibration"):
        calibrations(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    """Neither is this a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--calibrations"):
        MADE.write(tmp_path / "file" / "calibrations")

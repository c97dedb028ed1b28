"""What a process tells of itself, with clocks that the test sets."""

import gc

from loadtests.vitals import LATE_NS, Vitals

MS = 1_000_000


class Clocks:
    """CLOCK_MONOTONIC, CLOCK_REALTIME and the scheduler's account, all set by hand, in nanoseconds."""

    def __init__(self):
        self.now, self.wall, self.scheduled = 1000 * MS, 5000 * MS, (0, 0)

    def pass_ms(self, ms):
        """Time goes by; nobody sets a clock."""
        self.now += ms * MS
        self.wall += ms * MS


def _vitals(clocks):
    return Vitals(lambda: clocks.now, lambda: clocks.wall, lambda: clocks.scheduled)


def test_late_probes():
    """Each look counts, as late above 5 ms; so do those missed meanwhile: of 300 ms, 30 that are 10 to 300 ms late."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    for late_ns in (0, LATE_NS, LATE_NS + 1, 300 * MS, 7 * MS):
        clocks.pass_ms(500)
        vitals.woke(clocks.now - late_ns)
    row = vitals.row(t0_ns=1000 * MS)
    assert (row["probes"], row["late_probes"], row["loop_worst_ms"], row["loop_worst_at_s"]) == (35, 32, 300.0, 2.0)
    assert row["at_s"] == 2.5


def test_each_row_begins_anew():
    """What one row told, the next does not."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    vitals.woke(clocks.now - 300 * MS)
    vitals.row(0)
    row = vitals.row(0)
    assert (row["probes"], row["late_probes"], row["loop_worst_ms"], row["loop_worst_at_s"]) == (0, 0, 0.0, 0.0)


def test_late_looks_one_by_one():
    """The same, looked at by a slow oracle: a look was due every 10 ms until the loop went on."""
    for late_us in range(0, 60_000, 250):
        clocks = Clocks()
        vitals = _vitals(clocks)
        vitals.woke(clocks.now - late_us * 1000)
        looks_us = range(late_us, -1, -10_000)
        row = vitals.row(0)
        assert (row["probes"], row["late_probes"]) == (len(looks_us), sum(us > 5000 for us in looks_us)), late_us


def test_processor():
    """In 2 s the process was 1.5 s on a core and .3 s in line for one: 75 and 15 %; the next row begins there."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    clocks.pass_ms(2000)
    clocks.scheduled = (1500 * MS, 300 * MS)
    row = vitals.row(0)
    assert (row["cpu_percent"], row["cpu_wait_percent"]) == (75.0, 15.0)
    clocks.pass_ms(1000)
    assert vitals.row(0)["cpu_percent"] == 0.0


def test_a_short_row():
    """200 ms after the row before, all of them busy, are a fifth of a second: no second without room."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    clocks.pass_ms(200)
    clocks.scheduled = (200 * MS, 0)
    assert vitals.row(0)["cpu_percent"] == 20.0


def test_processor_unknown():
    """Where the system does not tell, nothing is made up."""
    clocks = Clocks()
    clocks.scheduled = None
    vitals = _vitals(clocks)
    clocks.pass_ms(1000)
    assert "cpu_percent" not in vitals.row(0)


def test_the_clock_that_is_set():
    """Somebody moves the wall clock by 40 ms; later rows keep that distance from the start."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    clocks.pass_ms(1000)
    assert vitals.row(0)["clock_offset_ms"] == 0.0
    clocks.wall += 40 * MS
    assert vitals.row(0)["clock_offset_ms"] == 40.0
    clocks.pass_ms(1000)
    assert vitals.row(0)["clock_offset_ms"] == 40.0


def test_a_clock_that_only_seems_to_be_set():
    """The process loses its processor for 4 ms between two readings, four times of five: nobody set anything."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    waits = iter([4, 4, 0, 4, 4])

    def wall():
        read = clocks.wall
        clocks.pass_ms(next(waits))
        return read

    vitals._wall_ns = wall
    assert vitals.row(0)["clock_offset_ms"] == 0.0


def test_the_collector():
    """The collector's own callbacks are timed; one that had begun before is not taken for long."""
    clocks = Clocks()
    vitals = _vitals(clocks)
    before = len(gc.callbacks)
    vitals.watch_collector()
    try:
        assert len(gc.callbacks) == before + 1
        callback = gc.callbacks[-1]
        callback("stop", {})
        for took_ms in (3, 8):
            callback("start", {})
            clocks.pass_ms(took_ms)
            callback("stop", {})
    finally:
        gc.callbacks.pop()
    row = vitals.row(0)
    assert (row["collector_ms"], row["collector_worst_ms"]) == (11.0, 8.0)


def test_the_real_system_tells():
    """On Linux this process has used a processor, and has standard streams open at least."""
    row = Vitals().row(0)
    assert row["descriptors"] >= 3
    assert row["descriptors_limit"] > row["descriptors"]
    assert 0.0 <= row["cpu_percent"] <= 110.0

"""The clock of settlement, by arithmetic."""

from loadtests.settleclock import SettleClock

TICK = 100


def test_on_time():
    """Up to two ticks late is on time."""
    clock = SettleClock(1000, TICK)
    assert [clock.read_ns(now) for now in (1100, 1200, 1400)] == [1100, 1200, 1400]


def test_stands_still_with_the_process():
    """Stopped for 3,000 of its 100-unit ticks: it shows two ticks more than before, and catches up at half speed."""
    clock = SettleClock(0, TICK)
    clock.read_ns(100)
    assert clock.read_ns(3100) == 100 + 2 * TICK
    assert clock.behind_ns == 2800
    shown = [clock.read_ns(3100 + TICK * k) for k in range(1, 58)]
    assert shown[0] == 300 + TICK * 3 // 2
    assert shown[-3:] == [3100 + TICK * 55 - 50, 3100 + TICK * 56, 3100 + TICK * 57]


def test_never_back():
    """However it is held up."""
    clock = SettleClock(0, TICK)
    shown = [clock.read_ns(now) for now in (50, 900, 950, 2000, 2001, 2500)]
    assert shown == sorted(shown)

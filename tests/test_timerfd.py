"""The kernel's timer, looked at without waiting for it."""

import select
import time

from loadtests.timerfd import TimerFd


def _due(timer, wait_s=0.0):
    return bool(select.select([timer.fd], [], [], wait_s)[0])


def test_due_and_not_due():
    """What is past is due at once; what is far is not; armed anew, what was due before is over."""
    timer = TimerFd()
    assert not _due(timer)
    timer.arm(time.monotonic_ns() - 1_000_000)
    assert _due(timer, 1.0)
    timer.arm(time.monotonic_ns() + 3600 * 1_000_000_000)
    assert not _due(timer)
    timer.arm(0)
    assert _due(timer, 1.0)
    timer.close()


def test_on_time():
    """It is never early."""
    timer = TimerFd()
    due_ns = time.monotonic_ns() + 3_000_000
    timer.arm(due_ns)
    assert _due(timer, 5.0)
    assert time.monotonic_ns() >= due_ns
    timer.close()


def test_again_and_again():
    """It goes off by itself, from when it was to and not from when it was heard, and tells how often."""
    timer, every_ns = TimerFd(), 3600 * 1_000_000_000
    begun_ns = time.monotonic_ns()
    timer.arm(begun_ns - 5 * every_ns // 2, every_ns)
    assert _due(timer, 1.0)
    assert timer.heard() == 3  # two and a half hours ago, and each hour since
    assert not _due(timer)
    assert timer.heard() == 0
    timer.arm(begun_ns - 1, 1_000_000)
    assert _due(timer, 1.0)
    heard = timer.heard()
    assert _due(timer, 5.0)
    heard += timer.heard()
    assert 2 <= heard <= 1 + (time.monotonic_ns() - begun_ns) // 1_000_000 + 1
    timer.arm(begun_ns + every_ns)
    assert timer.heard() == 0
    timer.close()

"""For how long connections were to be up, and were: by arithmetic."""

from loadtests.availability import Availability

S = 1_000_000_000


def test_down_for_a_while():
    """Two connections for ten seconds, of which one was lost for three."""
    account = Availability()
    account.up(1, 100 * S)
    account.up(2, 100 * S)
    account.down(2, 104 * S)
    account.down(2, 105 * S)  # still, after an attempt that failed
    account.up(2, 107 * S)
    assert account.take(110 * S) == (20, 3)


def test_never_came_up():
    """What could not be made is down from then on; what was not tried yet is not wanted."""
    account = Availability()
    account.down(1, 5 * S)
    assert account.take(8 * S) == (3, 3)


def test_left_as_planned():
    """Who left is not wanted until it is there again, or fails to be."""
    account = Availability()
    account.up(1, 0)
    account.leave(1, 2 * S)
    account.up(1, 5 * S)
    account.down(1, 6 * S)
    account.leave(1, 7 * S)
    assert account.take(20 * S) == (4, 1)


def test_parts_of_seconds_are_kept():
    """What is less than a second is told with the next; nothing is lost, and down is never more than wanted."""
    account, told = Availability(), [0, 0]
    account.up(1, 0)
    for tenth in range(1, 101):  # down for 60 ms of every 100
        account.down(1, tenth * S // 10 - 60_000_000)
        account.up(1, tenth * S // 10)
        wanted, down = account.take(tenth * S // 10)
        assert down <= wanted
        told = [told[0] + wanted, told[1] + down]
    assert told == [10, 6]


def test_the_last_second_counts_whole():
    """At the end a second begun is a second."""
    account = Availability()
    account.up(1, 0)
    account.down(1, S // 2)
    assert account.finish(S * 3 // 2) == (2, 1)
    assert Availability().finish(S) == (0, 0)

"""Stamps of a server whose clock nobody asks."""

from __future__ import annotations

import pytest

from loadtests.stamps import Stamps

S = 1_000_000_000
DRAIN = 5 * S


@pytest.mark.parametrize(
    ("ages_ns", "ours", "found"),
    [
        ([3, 0, 700], [True, True, True], ""),
        ([3600 * S] * 5 + [0], [True] * 6, ""),  # first what was kept, then what came live
        ([5 * S + 1] * 7, [True] * 6 + [False], "the nearest lies 5 s behind it"),
        ([5 * S] * 7, [True] * 7, ""),
        ([3, -1, 3], [True, False, False], "one lies 1 ns ahead of it"),
        ([-5000 * S], [False], "one lies 5000 s ahead of it"),
        ([3, 20_000 * S], [True, False], ""),  # from before this machine was started: garbled by itself
        ([], [], ""),
    ],
)
def test_are_ours(ages_ns: list[int], ours: list[bool], found: str) -> None:
    """None lies ahead; and by a second after as long as a delivery takes, one of a message a second was near."""
    stamps = Stamps(DRAIN)
    seconds = [10_000 * S + k * S for k in range(len(ages_ns))]
    assert [stamps.are_ours(now - age, now) for age, now in zip(ages_ns, seconds, strict=True)] == ours
    assert stamps.found() == found


@pytest.mark.parametrize(("ahead_ns", "found"), [(S, "1 s ahead of it"), (-S // 2, "500 ms behind it")])
def test_a_known_other_clock(ahead_ns: int, found: str) -> None:
    """Half a second behind, each delivery would seem to take that much longer: none is believed."""
    stamps = Stamps(DRAIN, ahead_ns)
    assert stamps.found() == ""
    assert not stamps.are_ours(10_000 * S, 10_000 * S + S // 2)
    assert stamps.found() == f"the server runs in a time namespace of its own, {found}"

"""A memo never grows beyond its bound."""

from __future__ import annotations

from loadtests.memo import Memo


def test_bound() -> None:
    """At most so many; the newest is always there."""
    memo: Memo[int, int] = Memo(3)
    for key in range(100):
        memo.keep(key, key * key)
        assert len(memo) <= 3
        assert memo[key] == key * key
    assert memo == {99: 99 * 99}  # 0 to 2, 3 to 5, ..., and 99 is the first of its three

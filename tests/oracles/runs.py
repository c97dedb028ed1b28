"""Per-second counts to try things on: even ones, and any that hypothesis can think of."""

import numpy as np
from hypothesis import strategies as st

BUDGETS = st.sampled_from([0.1, 0.05, 0.01, 0.005, 0.001])

_busy_second = st.integers(0, 40).flatmap(lambda c: st.tuples(st.just(c), st.integers(0, c), st.integers(0, c)))
_quiet_second = st.integers(0, 40).flatmap(lambda c: st.tuples(st.just(c), st.integers(0, min(c, 1)), st.just(0)))


def spread(n, seconds=60):
    """Return n requests over the seconds, as evenly as whole numbers go."""
    return np.diff(np.arange(seconds + 1) * n // seconds)


def runs(least=1, most=90):
    """Return runs of ``least`` to ``most`` seconds: arrays of requests, bad ones and slow ones; some with few bad."""

    def arrays(seconds):
        return tuple(np.array(column, dtype=np.int64) for column in zip(*seconds, strict=True))

    kinds = (st.lists(kind, min_size=least, max_size=most) for kind in (_busy_second, _quiet_second))
    return st.one_of(*kinds).map(arrays).filter(lambda run: run[0].sum() > 0)

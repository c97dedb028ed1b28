"""Speed as a ratio to a peer that is measured in the same run: a busy machine slows down both."""

import time

import pytest


@pytest.fixture
def beside(benchmark, capsys):
    """Time something and its peer by turns, and print what one of its operations costs and the ratio.

    Of each the quickest round counts: what disturbs a round can only make it longer. ``less`` is a part of ours that is
    the benchmark's own; it is timed too and taken off.
    """

    def compare(what, ours, peer, operations=1, peers_name="the peer", less=lambda: None):
        peer_ns, less_ns = [], []

        def peers_turn():
            for each, taken_ns in ((peer, peer_ns), (less, less_ns)):
                begun = time.perf_counter_ns()
                each()
                taken_ns.append(time.perf_counter_ns() - begun)

        benchmark.pedantic(ours, setup=peers_turn, rounds=15, warmup_rounds=1)
        if benchmark.stats is None:  # benchmarks are disabled: everything ran once
            return
        one_ns = (benchmark.stats.stats.min * 1e9 - min(less_ns)) / operations
        peers_ns = min(peer_ns) / operations
        benchmark.extra_info |= {"ns": round(one_ns, 1), "ratio": round(one_ns / peers_ns, 4)}
        with capsys.disabled():
            print(f"\n{what}: {one_ns:,.0f} ns, {one_ns / peers_ns:.3f} of {peers_name} ({peers_ns:,.0f} ns)")

    return compare

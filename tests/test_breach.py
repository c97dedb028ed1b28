"""What broke the contract, loaded and unloaded, and what may be said of it."""

import pytest

from loadtests.breach import Breach, breaches, checked
from tests.runs import remember_run, stream


@pytest.mark.parametrize(
    ("count", "unloaded", "tried", "when"),
    [
        (100, 0, 0, "not tried unloaded"),
        (100, 0, 1, "only under load"),  # it always breaks under load: 0 ** 1
        (50, 0, 4, "unloaded too seldom"),  # 0.5 ** 4 = 0.0625
        (50, 0, 5, "only under load"),  # 0.5 ** 5 = 0.03125
        (1, 0, 298, "unloaded too seldom"),  # 0.99 ** 298 = 0.0500...
        (1, 0, 299, "only under load"),
        (1, 1, 300, "unloaded as well"),
        (100, 1, 1, "unloaded as well"),
        (0, 1, 300, "only unloaded"),
    ],
)
def test_when(count, unloaded, tried, when):
    """What was not seen in few tries may still be there: a doubt of one in twenty is left, no more."""
    assert Breach("GET /a", "x", count, 100, unloaded, tried).when == when


def test_of_a_run():
    """Every kind of every series, from all seconds and from before the load, the most frequent first."""
    unloaded = {"GET /a": {"checked": 9, "violations": {"x": 2}}, "GET /b": {"checked": 4, "violations": {"y": 1}}}
    run = remember_run([*stream(2, 30), *stream(2, 30, series="GET /c")], unloaded=unloaded)
    for second, violation in ((0, "x"), (0, "z"), (5, "x"), (6, None)):
        run.intervals["GET /a"][second].add_checked(violation)
    assert checked(run) == {"GET /a": (4, 9), "GET /b": (0, 4)}
    assert breaches(run) == [
        Breach("GET /a", "x", 2, 4, 2, 9),
        Breach("GET /a", "z", 1, 4, 0, 9),
        Breach("GET /b", "y", 0, 0, 1, 4),
    ]

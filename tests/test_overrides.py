"""What the command line says over a file."""

from pathlib import Path

import pytest

from loadtests.duration import NS_PER_S
from loadtests.errors import ScenarioError, UsageError
from loadtests.overrides import Overrides
from loadtests.scenario import Load, Phase, Scenario, Target
from loadtests.scenariofile import read_scenario
from loadtests.swarmspec import Swarm


def _scenario(*phases, **load):
    return Scenario(
        name="x",
        target=Target.model_validate({"embedded": {"module": "json"}, "allow": ["a"]}),
        load=Load(**load),
        phases=[Phase(kind=kind, duration=duration) for kind, duration in phases or [("steady", "1m")]],
    )


def test_nothing_changes_nothing():
    """Without options the scenario is the file's."""
    scenario = _scenario(rate=3)
    assert Overrides().applied(scenario) == scenario


def test_values():
    """Each option replaces one value and leaves the others."""
    overrides = Overrides(users=7, rate=2.5, host="http://10.0.0.1", seed=9, allow=("b", "c"))
    scenario = overrides.applied(_scenario(rate=3, timeout="4s"))
    assert scenario.load == Load(users=7, rate=2.5, timeout="4s")
    assert scenario.target.url == "http://10.0.0.1"
    assert scenario.target.embedded is None
    assert scenario.target.allow == ("a", "b", "c")
    assert scenario.seed == 9


@pytest.mark.parametrize(("more", "option"), [({"users": 7}, "--users"), ({"rate": 2.0}, "--rate")])
def test_a_swarm_alone_has_no_users(more, option):
    """What would decide nothing is refused, not passed over."""
    members = Swarm.model_validate({"members": [{"class": "m.py:M", "count": 1}]})
    alone = _scenario().model_copy(update={"swarm": members})
    with pytest.raises(UsageError, match=rf"{option}: this scenario has no \[\[users\]\]"):
        Overrides(**more).applied(alone)
    assert Overrides(seed=9, duration_ns=NS_PER_S).applied(alone).seed == 9


@pytest.mark.parametrize(
    ("durations", "total_ns", "expected"),
    [
        ([60], 10, [10]),
        ([60, 30, 90], 60 * NS_PER_S, [20 * NS_PER_S, 10 * NS_PER_S, 30 * NS_PER_S]),
        ([1, 1, 1], 100, [33, 34, 33]),
        ([1, 2], 3 * 10**18, [10**18, 2 * 10**18]),
    ],
)
def test_duration(durations, total_ns, expected):
    """Steady phases keep their shares and add up exactly; warm-up and cool-down keep their length."""
    steady = [("steady", seconds * NS_PER_S) for seconds in durations]
    scenario = Overrides(duration_ns=total_ns).applied(_scenario(("warm-up", 5), *steady, ("cool-down", 7)))
    assert [phase.duration for phase in scenario.phases] == [5, *expected, 7]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"users": 0}, "--users: expected a whole number of at least 1, got 0"),
        ({"rate": 0.0}, "--rate: expected a positive rate per second, got 0"),
        ({"max_rate": -1.0}, "--max-rate: expected a positive rate per second, got -1"),
        ({"rate": float("nan")}, "--rate: expected a positive rate per second, got nan"),
        ({"rate": float("inf")}, "--rate: expected a positive rate per second, got inf"),
        ({"duration_ns": 0}, "--duration: expected a positive duration"),
        ({"seed": -1}, "--seed: expected a whole number of at least 0, got -1"),
    ],
)
def test_out_of_range(values, said):
    """A wrong option is answered by its name."""
    with pytest.raises(UsageError) as refused:
        Overrides(**values)
    assert str(refused.value).startswith(said)


def test_too_short_to_share():
    """One nanosecond is no two phases."""
    with pytest.raises(UsageError, match="--duration: too short"):
        Overrides(duration_ns=1).applied(_scenario(("steady", 1), ("steady", 1)))


FILE = """\
name = "x"
phases = [{ kind = "steady", duration = "1m" }]
users = [{ class = "json:JSONDecoder" }]
"""


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(rate=20_000), "--rate: load.rate: 20000/s is above target.max_rate, 10000/s"),
        (Overrides(host="shop"), '--host: target.url: expected a URL such as "http://localhost:8000", got "shop"'),
    ],
)
def test_mistake_of_an_option(tmp_path, overrides, said):
    """A value that the file did not say is not told at the file's line."""
    path = tmp_path / "x.toml"
    path.write_text(f'{FILE}[target]\nurl = "http://localhost"\n[load]\nrate = 1\n')
    with pytest.raises(ScenarioError) as refused:
        read_scenario(path, overrides)
    assert str(refused.value).startswith(said)


def test_cap(tmp_path):
    """The cap of the command line is the one that the rate is held against."""
    path = tmp_path / "x.toml"
    path.write_text(f'{FILE}[target]\nurl = "http://localhost"\n[load]\nrate = 20000\n')
    assert read_scenario(path, Overrides(max_rate=20_000.0)).load.rate == 20_000
    with pytest.raises(ScenarioError, match=r":7: load\.rate: 20000/s is above target\.max_rate, 5/s"):
        read_scenario(path, Overrides(max_rate=5.0))


def test_options_complete_a_file(tmp_path):
    """Host and rate may be left to the command line."""
    path = tmp_path / "x.toml"
    path.write_text(f"{FILE}[target]\n")
    scenario = read_scenario(Path(path), Overrides(rate=5.0, host="http://localhost:1"))
    assert (scenario.load.rate, scenario.target.url) == (5.0, "http://localhost:1")

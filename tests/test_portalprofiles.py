"""The scenarios that ship with the project mean what they are documented to mean."""

import shutil
from pathlib import Path

import pytest

from loadtests.duration import NS_PER_S
from loadtests.plan import OpenModel
from loadtests.scenariofile import read_scenario

PORTAL = Path(__file__).parents[1] / "scenarios" / "portal"

# name: (seconds of each phase, seconds of steady state, peak of the offered rate per s, expected arrivals)
PROFILES = {
    "smoke": ([15, 60, 5], 60, 100, 100 * 80),
    "load": ([30, 600, 5], 600, 100, 100 * 635),
    "stress": ([15, *[60] * 6, 10], 360, 600, 100 * (15 + 60 * (1 + 2 + 3 + 4 + 5 + 6) + 10)),
    "spike": ([15, 60, 30, 90, 5], 180, 400, 100 * (15 + 60 + 4 * 30 + 90 + 5)),
    "soak": ([60, 3600, 10], 3600, 100, 100 * 3670),
}


@pytest.mark.parametrize("name", PROFILES)
def test_portal_profiles(name, tmp_path):
    """The shipped profiles mean what they are documented to mean."""
    shutil.copytree(PORTAL, tmp_path / "portal")
    (tmp_path / "portal" / "users.py").write_text("class Operator: pass\n")
    (tmp_path / "portal" / "members.py").write_text(
        "class Watcher: pass\nclass AgentPublisher: pass\nclass Coordinator: pass\n"
    )
    scenario = read_scenario(tmp_path / "portal" / f"{name}.toml")
    durations, steady_s, peak_per_s, arrivals = PROFILES[name]
    assert scenario.name == f"portal {name}"
    assert [phase.duration for phase in scenario.phases] == [seconds * NS_PER_S for seconds in durations]
    assert sum(p.duration for p in scenario.phases if p.kind == "steady") == steady_s * NS_PER_S
    model = scenario.load_model()
    assert isinstance(model, OpenModel)
    assert max(stage.end_per_s for stage in model.stages) == peak_per_s
    assert model.expected == pytest.approx(arrivals)
    bound = [each.text for each in scenario.parsed_objectives() if each.matches("GET /api/v1/agents/{agent_id}")]
    assert bound
    assert any(each.text == "lost == 0" and each.matches("ws deliver") for each in scenario.parsed_objectives())


@pytest.mark.parametrize("name", PROFILES)
def test_portal_files_as_they_stand(name):
    """The shipped files pass their own check, classes and feeds included."""
    assert len(read_scenario(PORTAL / f"{name}.toml").users) >= 1


def test_portal_crowd():
    """Ten thousand connections, and nobody else; all are up before the steady state."""
    scenario = read_scenario(PORTAL / "crowd.toml")
    assert sum(members.count for members in scenario.swarm.members) == 10_000
    assert not scenario.users
    warm_up, steady = scenario.phases
    assert 10_000 / scenario.swarm.connect_rate < warm_up.duration / NS_PER_S
    assert (warm_up.kind, steady.kind) == ("warm-up", "steady")


def test_portal_storm():
    """Some come and go, some stop reading, half are cut off, then all: in that order, in the steady state."""
    scenario = read_scenario(PORTAL / "storm.toml")
    assert not scenario.users
    (warm_up, steady), swarm = scenario.phases, scenario.swarm
    reset, restart = swarm.storms
    assert (reset.how, reset.share, restart.how) == ("reset", 0.5, "restart")
    (slow,) = (members.slow for members in swarm.members if members.slow)
    assert warm_up.duration < slow.start < reset.at < slow.start + slow.duration < restart.at
    assert restart.at + swarm.reconnect.cap < warm_up.duration + steady.duration - 15 * NS_PER_S
    assert any(members.churn for members in swarm.members)
    assert sum(members.count for members in swarm.members) / swarm.connect_rate < warm_up.duration / NS_PER_S - 2
    assert {each.series for each in scenario.parsed_objectives()} == {
        "ws deliver",
        "ws deliver meanwhile",
        "ws restore",
        "ws connected",
    }


def test_portal_accounts():
    """Every seeded account is in the feed: user000 to user199."""
    lines = (PORTAL / "accounts.csv").read_text().split()
    assert lines == ["username", *(f"user{number:03d}" for number in range(200))]

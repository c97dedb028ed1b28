"""The scenario's shape: defaults, the load model it means, and what Python may say that a file may not."""

import tomllib
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

from loadtests.duration import NS_PER_S
from loadtests.errors import UsageError
from loadtests.objective import Kind
from loadtests.plan import ClosedModel, ClosedStage, OpenModel, Stage
from loadtests.scenario import (
    FROM_FILE,
    ContractCheck,
    Embedded,
    Load,
    ObjectiveGroup,
    Phase,
    Scenario,
    Target,
    UserClass,
    WitnessProbes,
)
from loadtests.scenariofile import read_scenario
from loadtests.swarmspec import Member, Reconnect, Slow, Storm, Swarm

PHASES = (
    Phase(kind="warm-up", duration="10s", rate_from=0),
    Phase(kind="steady", duration="1m", rate=1.5),
    Phase(kind="cool-down", duration="5s", rate=0.5, rate_from=2),
)


def _scenario(**values):
    return Scenario(**({"name": "x", "target": Target(url="http://localhost"), "phases": PHASES} | values))


def test_open_model():
    """Phases are stages at multiples of the rate; a ramp starts at its own multiple."""
    scenario = _scenario(load=Load(rate="120/s", arrivals="constant"))
    assert scenario.load_model() == OpenModel(
        (
            Stage(10 * NS_PER_S, 0.0, 120.0),
            Stage(60 * NS_PER_S, 180.0, 180.0),
            Stage(5 * NS_PER_S, 240.0, 60.0),
        ),
        "constant",
    )


def test_closed_model():
    """In a closed model the multiples are of the population, and somebody is always there."""
    scenario = _scenario(load=Load(model="closed", users=1))
    assert scenario.load_model() == ClosedModel(
        (ClosedStage(10 * NS_PER_S, 1), ClosedStage(60 * NS_PER_S, 2), ClosedStage(5 * NS_PER_S, 1))
    )


def test_duration():
    """A scenario takes as long as its phases: 10 + 60 + 5 s."""
    assert _scenario().duration_ns == 75 * NS_PER_S


def test_numbers_are_ns_in_python_and_nothing_in_a_file():
    """A bare number is ns where code says it; a person must write a unit."""
    assert Phase(kind="steady", duration=60).duration == 60
    with pytest.raises(ValidationError, match='"60" is not a duration'):
        Phase.model_validate({"kind": "steady", "duration": 60}, context=FROM_FILE)


def test_objectives_are_bound():
    """Each line of a group is bound to the group's series and scope."""
    scenario = _scenario(
        objectives=(
            ObjectiveGroup(must=("p95 < 200ms", "errors < 1%"), series="* /api/*", scope="each"),
            ObjectiveGroup(must=("lost == 0",)),
        )
    )
    bound = [(each.kind, each.series, each.scope) for each in scenario.parsed_objectives()]
    assert bound == [
        (Kind.LATENCY, "* /api/*", "each"),
        (Kind.SHARE, "* /api/*", "each"),
        (Kind.COUNT, "*", "pool"),
    ]


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (Load, {"rate": float("inf")}, "finite number"),
        (Load, {"users": 0}, "greater than or equal to 1"),
        (Swarm, {"drain": -1}, "greater than 0"),
        (ObjectiveGroup, {"must": ()}, "at least 1 item"),
        (Target, {"urll": "x"}, "Extra inputs"),
    ],
)
def test_refused(model, values, said):
    """Values that cannot be meant are refused where they are made."""
    with pytest.raises(ValidationError, match=said):
        model(**values)


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (Load, {"rate": "fast"}, '"fast" is not a rate'),
        (Load, {"timeout": "0s"}, "is not a duration"),
        (ObjectiveGroup, {"must": ("p95 < 2",)}, '"2" is not a duration'),
    ],
)
def test_wrong_text(model, values, said):
    """A text that does not parse is a usage error to Python code, and one finding among others to a file's reader."""
    with pytest.raises(UsageError, match=said):
        model(**values)
    with pytest.raises(ValidationError, match=said):
        model.model_validate(values, context=FROM_FILE)


def test_secrets_do_not_print():
    """A scenario with a secret can be logged."""
    scenario = _scenario(secrets={"token": "hunter2"})
    assert "hunter2" not in repr(scenario) + str(scenario) + scenario.model_dump_json()
    assert scenario.secrets["token"].get_secret_value() == "hunter2"


DOCUMENT = (Path(__file__).parents[1] / "docs" / "scenarios.md").read_text()
TABLES = [
    (Scenario, ""),
    (Target, "target."),
    (Embedded, "target.embedded."),
    (Load, "load."),
    (Phase, "phases."),
    (UserClass, "users."),
    (Swarm, "swarm."),
    (Member, "swarm.members."),
    (Slow, "swarm.members.slow."),
    (Reconnect, "swarm.reconnect."),
    (Storm, "swarm.storms."),
    (ContractCheck, "contract."),
    (WitnessProbes, "witness."),
    (ObjectiveGroup, "objectives."),
]
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in DOCUMENT.splitlines()
    if line.startswith("| `") and len(cells := [cell.strip() for cell in line.strip("|").split(" | ")]) == 4
}


@pytest.mark.parametrize(
    ("key", "field", "hint"),
    [
        (f"{prefix}{field.alias or name}", field, get_type_hints(model, include_extras=True)[name])
        for model, prefix in TABLES
        for name, field in model.model_fields.items()
        if not field.exclude
    ],
)
def test_documented(key, field, hint):
    """Every key is in docs/scenarios.md, with its type's choices and its default as a file would write it."""
    kind, default, meaning = ROWS[key]
    assert len(meaning) > 10
    for choice in get_args(hint) if get_origin(hint) is Literal else ():
        assert f'`"{choice}"`' in kind
    if field.is_required():
        assert default == "required"
    elif field.default in (None, ""):
        assert default == "none"
    elif isinstance(field.default, Load | Swarm | Reconnect | WitnessProbes):
        assert default == "the defaults below"
    else:
        written = tomllib.loads(f"x = {default.strip('`')}")["x"]
        assert TypeAdapter(hint).validate_python(written) == field.default


def test_nothing_else_is_documented():
    """A key that is gone is gone from the document too."""
    keys = {f"{prefix}{field.alias or name}" for model, prefix in TABLES for name, field in model.model_fields.items()}
    assert set(ROWS) - keys == {"extends"}


def test_documented_example(tmp_path):
    """The example in the document passes the check that it explains."""
    (tmp_path / "x.toml").write_text(DOCUMENT.split("```toml\n")[1].split("```")[0])
    (tmp_path / "users.py").write_text("class Buyer: pass\nclass Seller: pass\n")
    (tmp_path / "members.py").write_text("class Watcher: pass\n")
    (tmp_path / "accounts.csv").write_text("username\nann\n")
    scenario = read_scenario(tmp_path / "x.toml", environ={"SHOP_TOKEN": "t"})
    assert (scenario.load.rate, scenario.duration_ns) == (120.0, 75 * NS_PER_S)

"""What a run says of itself before it starts."""

import json
import os
import shlex
import subprocess

import pytest

from loadtests.description import advice, commit, host, load_in_words, phase_spans, run_header, versions
from loadtests.redaction import Redactor
from loadtests.scenario import Scenario

STEADY = {"kind": "steady", "duration": "60s"}


def _scenario(users=True, members=0, objectives=(), phases=(STEADY,), **load):
    return Scenario.model_validate(
        {
            "name": "shop",
            "target": {"url": "http://127.0.0.1:8000"},
            "load": load,
            "phases": phases,
            "users": [{"class": "users.py:Buyer"}] if users else [],
            "swarm": {"members": [{"class": "members.py:Watcher", "count": members}] if members else []},
            "objectives": [{"must": [line], "series": series} for line, series in objectives],
        }
    )


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        (_scenario(rate="120/s", users=True), "open model, 120 arrivals/s (Poisson), at most 100 users"),
        (
            _scenario(rate="90/min", arrivals="constant", members=60),
            "open model, 1.5 arrivals/s (evenly spaced), at most 100 users, 60 WebSocket connections",
        ),
        (_scenario(model="closed"), "closed model, 100 users, each sending again when it is answered"),
        (_scenario(users=False, members=1200), "1,200 WebSocket connections"),
    ],
)
def test_load_in_words(scenario, words):
    """Model, rate, users and connections, as far as there are any."""
    assert load_in_words(scenario) == words


PHASES = (
    {"kind": "warm-up", "duration": "10s", "rate_from": 0},
    {"kind": "steady", "duration": "1m", "name": "spike", "rate": 2.5},
    {"kind": "cool-down", "duration": "500ms", "rate": 0.5},
)


def test_phase_spans():
    """Phases follow one another on the run's clock, each with its load."""
    spans = phase_spans(_scenario(rate="120/s", phases=PHASES))
    assert [(s.name, s.kind, s.start_s, s.end_s, s.load) for s in spans] == [
        ("warm-up", "warm-up", 0, 10, "0 to 120/s"),
        ("spike", "steady", 10, 70, "300/s"),
        ("cool-down", "cool-down", 70, 70.5, "60/s"),
    ]


def test_phase_spans_of_a_closed_model():
    """A closed model's load is its users, of whom there is at least one."""
    phases = (*PHASES[1:], {"kind": "steady", "duration": "1s", "rate": 0.001})
    spans = phase_spans(_scenario(model="closed", phases=phases))
    assert [s.load for s in spans] == ["250 users", "50 users", "1 users"]


@pytest.mark.parametrize("model", ["open", "closed"])
def test_phase_spans_of_a_swarm(model):
    """Where there is a swarm alone, phases have no load of their own."""
    assert phase_spans(_scenario(users=False, members=5, model=model))[0].load == ""


def _advice(**scenario):
    made = _scenario(**scenario)
    return list(advice(made, made.parsed_objectives()))


def test_advice_counts_the_steady_arrivals():
    """Of 20 s up to 60/s (600 arrivals), 60 s at 60/s and 5 s down, the 4 200 steady ones are told."""
    phases = (
        {"kind": "warm-up", "duration": "60s"},
        {"kind": "steady", "duration": "20s", "rate_from": 0},
        STEADY,
        {"kind": "cool-down", "duration": "5s"},
    )
    (said,) = _advice(rate="60/s", phases=phases, objectives=[("p99.9 < 1s", "*")])
    assert said.startswith("p99.9 < 1s [*]: about 4,200 requests are planned, ")


def test_a_proxy_that_is_not_used(monkeypatch):
    """Said once, with the rest."""
    monkeypatch.setenv("HTTP_PROXY", "http://me:hunter2@proxy.test:3128")
    made = _scenario(rate="1000/s")
    assert list(advice(made, [])) == []
    away = made.target.model_copy(update={"url": "http://shop.test"})
    (said,) = advice(made.model_copy(update={"target": away}), [])
    assert said == "HTTP_PROXY of the environment is not used: the load goes to the target itself"


def test_advice_on_a_falling_rate():
    """A stage from 200/s down to none has half of its peak's arrivals, not none: 6 000 in a minute."""
    phases = ({"kind": "steady", "duration": "60s", "rate_from": 2, "rate": 0.001},)
    (said,) = _advice(rate="100/s", phases=phases, objectives=[("p99.9 < 1s", "*")])
    assert said.startswith("p99.9 < 1s [*]: about 6,003 requests are planned, ")


@pytest.mark.parametrize(
    ("line", "series", "load"),
    [
        ("p95 < 200ms", "*", {"rate": "120/s"}),  # enough
        ("lost == 0", "ws deliver", {"rate": "1/s"}),  # a count needs no evidence
        ("throughput > 1/s", "*", {"rate": "1/s"}),
        ("p99.9 < 1s", "ws deliver", {"rate": "1/s"}),  # how many deliveries there will be is not known
        ("p99.9 < 1s", "*", {"model": "closed"}),  # nor how often a closed model sends
    ],
)
def test_no_advice(line, series, load):
    """Nothing is said where the plan is long enough or where that cannot be known."""
    assert _advice(objectives=[(line, series)], **load) == []


def test_advice_on_a_short_run_of_unknown_size():
    """Under 30 s of steady state nothing passes, however many deliveries there will be."""
    phases = ({"kind": "steady", "duration": "20s"},)
    (said,) = _advice(rate="1/s", phases=phases, objectives=[("p95 < 1s", "ws deliver")])
    assert said == (
        "p95 < 1s [ws deliver]: 20 s of steady state are too short to pass, whatever they show; "
        "plan 60 s (30 s at the very least)"
    )


def _git(*words):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],  # noqa: S607 -- whichever git
        check=True,
        capture_output=True,
    )


def test_commit(tmp_path, monkeypatch):
    """The checkout one stands in: its short hash, marked when it was changed; nothing outside of one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""
    _git("init", "-q")
    (tmp_path / "a").write_text("1")
    _git("add", "a")
    _git("commit", "-qm", "first")
    clean = commit()
    assert (len(clean), set(clean) <= set("0123456789abcdef")) == (10, True)
    (tmp_path / "a").write_text("2")
    assert commit() == f"{clean}-dirty"


def test_commit_without_git(monkeypatch):
    """Where there is no git, there is no commit, and no failure."""
    monkeypatch.setenv("PATH", "")
    assert commit() == ""


def test_versions_and_host():
    """The versions that decide what is measured, and the machine without its name."""
    found = versions()
    assert {"python", "nexus-loadtests", "locust", "gevent", "aiohttp", "hdrhistogram", "numpy"} <= set(found)
    machine = host()
    assert sorted(machine) == ["cores", "machine", "system"]
    assert os.uname().nodename not in " ".join(machine.values())
    assert int(machine["cores"]) >= 1


def test_a_token_in_a_url_is_not_described():
    """The scenario's dump is redacted like the target and the command."""
    scenario = Scenario.model_validate(
        {
            "name": "shop",
            "target": {"url": "http://127.0.0.1:8000"},
            "load": {"rate": 20.0},
            "phases": [{"kind": "steady", "duration": 60 * 10**9}],
            "users": [{"class": "loadtests.urluser:UrlUser"}],
            "settings": {
                "url": "http://127.0.0.1:8000/a?token=abcDEF123456",
                "deep": [{"password": "password=hunter2"}],
            },
        }
    )
    header = run_header(scenario, "r1", "loadtests run", 1, Redactor())
    text = json.dumps(header.scenario, default=str)
    assert "127.0.0.1:8000/a" in text
    assert not [secret for secret in ("abcDEF123456", "hunter2") if secret in text]


def test_the_command_word_by_word():
    """What hides a header's value leaves what the command says after it, and finds what the shell's quotes cut up."""
    words = ["loadtests", "swarm", "--header", "Authorization: Bearer hunter2", "--send", "it's mine", "--out", "r"]
    header = run_header(_scenario(), "r1", shlex.join(words), 1, Redactor(["it's mine"]))
    assert shlex.split(header.command) == [*words[:3], "Authorization: ***", "--send", "***", "--out", "r"]

"""A small scenario in a folder of its own, to be spoilt by tests: every line number in them counts from here."""

from pathlib import Path

import pytest

from loadtests.errors import ScenarioError
from loadtests.scenariofile import Overrides, read_scenario

GOOD = """\
name = "shop"

[target]
url = "http://127.0.0.1:8000"

[load]
rate = "120/s"

[[phases]]
kind = "warm-up"
duration = "15s"

[[phases]]
kind = "steady"
duration = "1m"

[[users]]
class = "users.py:Browser"

[[swarm.members]]
class = "users.py:Watcher"
count = 3

[feeds]
accounts = "accounts.csv"

[secrets]
token = "Bearer ${TOKEN}"

[[objectives]]
must = [
    "p95 < 200ms",
    "errors < 0.1%",
]

[settings]
since = 2026-01-02
words = ["a", "b"]
"""
ENVIRON = {"TOKEN": "hunter2"}


def shop_folder(tmp_path, monkeypatch):
    """The folder with its class file and feed, as the working directory, so that messages hold short paths."""
    (tmp_path / "users.py").write_text("raise SystemExit('never run')\nclass Browser: pass\nclass Watcher: pass\n")
    (tmp_path / "accounts.csv").write_text("username\nann\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text, name="x.toml"):
    """Put a scenario file into the folder."""
    Path(name).write_text(text)
    return Path(name)


def refusal(text, overrides=Overrides(), environ=ENVIRON):  # noqa: B008 -- frozen
    """What is said of a file that is refused."""
    with pytest.raises(ScenarioError) as refused:
        read_scenario(write(text), overrides, environ)
    return str(refused.value)

"""Scenario files: what is read, what is never shown, and how the result travels."""

import json
import traceback
from pathlib import Path

import pytest

from loadtests.duration import NS_PER_S
from loadtests.errors import ScenarioError
from loadtests.scenario import Scenario
from loadtests.scenariofile import dump_scenario, read_scenario, scenario_from_wire, scenario_to_wire
from tests.shop import ENVIRON, GOOD, refusal, shop_folder, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A scenario's folder as the working directory."""
    return shop_folder(tmp_path, monkeypatch)


class TestReading:
    """Files that can be run."""

    def test_values(self, folder):
        """Durations are ns, rates are per second, secrets are filled in, defaults are there, classes are not run."""
        scenario = read_scenario(write(GOOD), environ=ENVIRON)
        assert [phase.duration for phase in scenario.phases] == [15 * NS_PER_S, 60 * NS_PER_S]
        assert scenario.load.rate == 120.0
        assert scenario.secrets["token"].get_secret_value() == "Bearer hunter2"
        assert scenario.target.max_rate == 10_000.0
        assert scenario.users[0].cls == "users.py:Browser"
        assert scenario.folder == Path()
        assert scenario.settings == {"since": "2026-01-02", "words": ["a", "b"]}

    def test_environment_is_the_process_own(self, folder, monkeypatch):
        """Without a mapping, variables come from the process."""
        monkeypatch.setenv("TOKEN", "from here")
        assert read_scenario(write(GOOD)).secrets["token"].get_secret_value() == "Bearer from here"

    def test_byte_order_mark_and_crlf(self, folder):
        """A file saved on Windows reads the same."""
        Path("dos.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
        assert read_scenario(Path("dos.toml"), environ=ENVIRON) == read_scenario(write(GOOD), environ=ENVIRON)


class TestSecrets:
    """Nothing that leaves the process shows one."""

    @pytest.mark.parametrize(
        "table",
        [
            'token = "hunter2"',
            'token = ["hunter2"]',
            'token = { a = "hunter2" }',
            'token = "${TOKEN}"\nother = 3',
            'token = "${TOKEN}"\nother = "${NONE}"',
        ],
    )
    def test_never_in_a_message(self, folder, table):
        """A refusal shows no secret, however wrong the file is, nor does its traceback."""
        text = GOOD.replace("rate =", "ratee =").replace('token = "Bearer ${TOKEN}"', table)
        with pytest.raises(ScenarioError) as refused:
            read_scenario(write(text), environ=ENVIRON)
        assert "x.toml:28: secrets.token" in str(refused.value) or "x.toml:29: secrets.other" in str(refused.value)
        assert "hunter2" not in "".join(traceback.format_exception(refused.value))

    def test_not_a_table(self, folder):
        """Not even when the whole table is a string."""
        said = refusal('secrets = "hunter2"\n' + GOOD.replace('[secrets]\ntoken = "Bearer ${TOKEN}"\n', ""))
        assert said == "x.toml:1: secrets: expected a table"

    def test_in_the_clear(self, folder):
        """A secret that stands in the file is refused: it would be committed with it."""
        said = refusal(GOOD.replace("Bearer ${TOKEN}", "hunter2"))
        assert said.startswith('x.toml:28: secrets.token: expected a variable, such as "${TOKEN}"')
        assert "hunter2" not in said

    def test_empty(self, folder):
        """An empty variable is what CI makes of a secret that it does not have."""
        said = refusal(GOOD, environ={"TOKEN": ""})
        assert said == "x.toml:28: secrets.token: environment variable TOKEN is empty"

    def test_in_a_url(self, folder):
        """Credentials in a URL would reach the run directory, so they are refused, and not repeated."""
        for url in ("http://ann:hunter2@host", "ann:hunter2@host"):
            said = refusal(GOOD.replace("http://127.0.0.1:8000", url))
            assert said.endswith("without user and password; credentials belong in [secrets]")
            assert "hunter2" not in said

    def test_never_in_a_dump(self, folder):
        """What goes into run.json, and what prints, has stars."""
        scenario = read_scenario(write(GOOD), environ=ENVIRON)
        dump = dump_scenario(scenario)
        assert dump["secrets"] == {"token": "***"}
        assert "hunter2" not in json.dumps(dump) + repr(scenario)


def test_dump(folder):
    """run.json's form is plain, says ``class`` as files do, leaves the folder out, and reads as a scenario."""
    scenario = read_scenario(write(GOOD), environ=ENVIRON)
    dump = dump_scenario(scenario)
    assert "folder" not in dump
    assert dump["users"] == [{"class": "users.py:Browser", "weight": 1.0}]
    assert dump["phases"][1]["duration"] == 60 * NS_PER_S
    again = Scenario.model_validate(json.loads(json.dumps(dump)))
    assert again.phases == scenario.phases
    assert again.objectives == scenario.objectives


def test_wire(folder):
    """Another process gets the same scenario, its secrets and an absolute folder, in one line."""
    scenario = read_scenario(write(GOOD), environ=ENVIRON)
    text = scenario_to_wire(scenario)
    there = scenario_from_wire(text)
    assert "\n" not in text
    assert there.folder == folder
    assert there.secrets["token"].get_secret_value() == "Bearer hunter2"
    assert there == scenario.model_copy(update={"folder": folder})

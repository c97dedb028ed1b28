"""Files above one another, and files that cannot be read at all."""

from pathlib import Path

import pytest

from loadtests.duration import NS_PER_S
from loadtests.errors import ExitCode, ScenarioError
from loadtests.scenariofile import read_scenario
from tests.shop import ENVIRON, GOOD, refusal, shop_folder, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A scenario's folder as the working directory."""
    return shop_folder(tmp_path, monkeypatch)


class TestExtends:
    """One file above another."""

    def test_merge(self, folder):
        """Tables merge deeply, arrays are replaced, what is not named stays."""
        write(GOOD, "base.toml")
        write(
            'extends = "base.toml"\nname = "middle"\n[load]\ntimeout = "3s"\n[settings]\nwords = ["c"]\n', "middle.toml"
        )
        text = 'extends = "middle.toml"\n[load]\nusers = 7\n[[phases]]\nkind = "steady"\nduration = "5s"\n'
        scenario = read_scenario(write(text), environ=ENVIRON)
        assert scenario.name == "middle"
        assert (scenario.load.rate, scenario.load.timeout, scenario.load.users) == (120.0, 3 * NS_PER_S, 7)
        assert [phase.duration for phase in scenario.phases] == [5 * NS_PER_S]
        assert scenario.settings == {"since": "2026-01-02", "words": ["c"]}

    def test_url_takes_the_place_of_embedded_and_back(self, folder):
        """Where to send the load is said last by the file on top."""
        write(GOOD.replace('url = "http://127.0.0.1:8000"', 'embedded = {module = "json"}'), "base.toml")
        url = 'extends = "base.toml"\n[target]\nurl = "http://localhost:1"\n'
        assert read_scenario(write(url, "url.toml"), environ=ENVIRON).target.embedded is None
        back = 'extends = "url.toml"\n[target.embedded]\nmodule = "email"\n'
        target = read_scenario(write(back), environ=ENVIRON).target
        assert (target.url, target.embedded.module) == ("", "email")

    def test_closed_over_open(self, folder):
        """A file that says closed takes the inherited rate back."""
        write(GOOD.replace("[load]", '[load]\narrivals = "constant"\nin_flight_cap = 5\nspin = true'), "base.toml")
        text = 'extends = "base.toml"\n[load]\nmodel = "closed"\n'
        load = read_scenario(write(text), environ=ENVIRON).load
        assert (load.rate, load.in_flight_cap, load.spin, load.users) == (None, None, False, 100)

    def test_base_in_another_folder(self, folder):
        """Class files and feeds are found from the file that names them, whichever file is run."""
        write(GOOD.replace("users.py:Watcher", "json:JSONDecoder"), "base.toml")
        (folder / "night").mkdir()
        scenario = read_scenario(write('extends = "../base.toml"\nname = "night"\n', "night/x.toml"), environ=ENVIRON)
        assert scenario.users[0].cls == "../users.py:Browser"
        assert scenario.swarm.members[0].cls == "json:JSONDecoder"
        assert scenario.feeds == {"accounts": "../accounts.csv"}

    def test_place_of_a_mistake(self, folder):
        """A mistake is told where its key stands, in whichever file that is, the file on top first."""
        write(GOOD.replace("[load]", "[load]\nratee = 1"), "base.toml")
        said = refusal('extends = "base.toml"\n\n[load]\nuserz = 1\n\n[[phases]]\nkind = "steady"\n')
        assert said.split("\n") == [
            'x.toml:4: load.userz: unknown key; did you mean "users"?',
            'x.toml:6: phases[0].duration: missing; expected a duration such as "60s"',
            'base.toml:7: load.ratee: unknown key; did you mean "rate"?',
        ]

    def test_circle(self, folder):
        """A circle is told in full."""
        write('extends = "./x.toml"\n', "b.toml")
        assert refusal('\nextends = "b.toml"\n') == "b.toml:1: extends: goes in a circle: x.toml -> b.toml -> x.toml"
        assert refusal('extends = "x.toml"\n') == "x.toml:1: extends: goes in a circle: x.toml -> x.toml"

    def test_missing_base(self, folder):
        """A base that is not there is told at the line that names it."""
        write(GOOD, "base.toml")
        said = refusal('name = "x"\nextends = "bse.toml"\n')
        assert said == 'x.toml:2: extends: bse.toml: no such file; did you mean "base.toml"?'

    def test_no_name(self, folder):
        """``extends`` names one file."""
        assert refusal('extends = ["a", "b"]\n').startswith("x.toml:1: extends: expected the name of a file")

    def test_syntax_error_in_a_base(self, folder):
        """TOML that does not parse is told in its own file."""
        write("a = 1\nb 2\n", "base.toml")
        assert refusal('extends = "base.toml"\n').startswith("base.toml:2:3: not TOML: ")


class TestFile:
    """Files that cannot be read at all."""

    def test_missing(self, folder):
        """The nearest file is offered, with the path to type."""
        (folder / "scenarios" / "shop").mkdir(parents=True)
        write("", "scenarios/shop/smoke.toml")
        for asked in ("smoke.toml", "scenarios/shop/smok.toml", "smoke"):
            with pytest.raises(ScenarioError) as refused:
                read_scenario(Path(asked))
            assert str(refused.value) == f'{asked}: no such file; did you mean "scenarios/shop/smoke.toml"?'

    def test_folder_and_bytes(self, folder):
        """A folder or a file that is no text is no scenario."""
        with pytest.raises(ScenarioError, match=r"\.: cannot be read: Is a directory"):
            read_scenario(Path())
        Path("x.toml").write_bytes(b"name = '\xff'")
        with pytest.raises(ScenarioError, match=r"x\.toml: not UTF-8 text \(byte 8\)"):
            read_scenario(Path("x.toml"))

    @pytest.mark.parametrize(
        ("text", "place"),
        [("name = \n", "1:8"), ('a = 1\n\nb = "x\n', "3:7"), ("a = [1,\n", "2:1"), ("a = 1\na = 2\nb = 3\n", "2:6")],
    )
    def test_syntax(self, folder, text, place):
        """TOML's own mistakes have line and column."""
        assert refusal(text).startswith(f"x.toml:{place}: not TOML: ")

    def test_exit_code(self, folder):
        """A wrong file is the caller's to mend: exit code 2."""
        with pytest.raises(ScenarioError) as refused:
            read_scenario(write(""))
        assert refused.value.exit_code is ExitCode.USAGE

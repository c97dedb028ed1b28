"""Mistakes of form: each with file, line, key, what was expected and the nearest right spelling."""

import re

import pytest

from loadtests.errors import ScenarioError
from loadtests.scenariofile import read_scenario
from tests.shop import ENVIRON, GOOD, refusal, shop_folder, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A scenario's folder as the working directory."""
    return shop_folder(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate =", "ratee =", '7: load.ratee: unknown key; did you mean "rate"?'),
        ("[load]", "[loads]", '6: loads: unknown key; did you mean "load"?'),
        ('name = "shop"', 'name = "shop"\nextend = "x"', '2: extend: unknown key; did you mean "extends"?'),
        ('name = "shop"', 'name = "shop"\nfolder = "/"', "2: folder: unknown key"),
        (
            "count = 3",
            "count = 3\nwight = 1",
            '23: swarm.members[0].wight: unknown key; expected "arrivals", "churn", "class", "count", ',
        ),
        (
            'class = "users.py:Browser"',
            'cls = "users.py:Browser"',
            '18: users[0].cls: unknown key; did you mean "class"?',
        ),
        ('name = "shop"', "", "1: name: missing; expected a string"),
        ('class = "users.py:Browser"', "", "17: users[0].class: missing; expected a string"),
        ("count = 3", "", "20: swarm.members[0].count: missing; expected a whole number of at least 1"),
        ("rate =", 'model = "opne"\nrate =', '7: load.model: "opne" is not known here; did you mean "open"?'),
        ('"warm-up"', '"warmup"', '10: phases[0].kind: "warmup" is not known here; did you mean "warm-up"?'),
        (
            '"steady"',
            '"x"',
            '14: phases[1].kind: "x" is not known here; expected "cool-down", "steady" or "warm-up"',
        ),
        ('"steady"', "3", '14: phases[1].kind: expected "warm-up", "steady" or "cool-down", got 3'),
        ('"1m"', '"1 minute"', '15: phases[1].duration: "1 minute" is not a duration; expected a number and a unit'),
        ('"1m"', "60", '15: phases[1].duration: "60" is not a duration; expected a number and a unit, such as'),
        ('"1m"', "[60]", '15: phases[1].duration: expected a duration such as "60s", got an array'),
        ('"120/s"', '"120/d"', '7: load.rate: "120/d" is not a rate; expected a positive number per time'),
        ('"120/s"', "-1", '7: load.rate: expected a rate such as "120/s", got -1'),
        ('"120/s"', "inf", '7: load.rate: expected a rate such as "120/s", got Infinity'),
        ("[load]", "[load]\nusers = 0", "7: load.users: expected a whole number of at least 1, got 0"),
        ("[load]", '[load]\nusers = "many"', '7: load.users: expected a whole number of at least 1, got "many"'),
        ("[load]", "[load]\nusers = true", "7: load.users: expected a whole number of at least 1, got true"),
        ("[target]", '[target]\ntls_verify = "no"', '4: target.tls_verify: expected true or false, got "no"'),
        ("[target]", '[target]\nallow = "x"', '4: target.allow: expected an array of strings, got "x"'),
        ("[target]", '[target]\nembedded = "x"', '4: target.embedded: expected a table, got "x"'),
        ("[[users]]", "[users]", "17: users: expected an array of tables, got a table"),
        ("[load]", "[[load]]", "6: load: expected a table, got an array"),
        ("[[users]]", "[[users]]\nweight = 0", "18: users[0].weight: expected a number above 0, got 0"),
        ('accounts = "', 'accounts = 1 #"', "25: feeds.accounts: expected a string, got 1"),
        ("200ms", "200", '32: objectives[0].must[0]: objective "p95 < 200" does not parse: "200" is not a duration'),
        (
            "errors",
            "erors",
            '33: objectives[0].must[1]: objective "erors < 0.1%": "erors" is not a thing that is measured',
        ),
        ('"p95 < 200ms",\n    "errors < 0.1%",\n', "", "31: objectives[0].must: expected at least one"),
        ("[[objectives]]", '[[objectives]]\nscope = "al"', '31: objectives[0].scope: "al" is not known here; expected'),
        (
            '"http://127.0.0.1:8000"',
            '"http://${HOST}"',
            "4: target.url: ${HOST} is not filled in here; the environment is",
        ),
        (
            '["a", "b"]',
            '["a", "${B}"]',
            "38: settings.words[1]: ${B} is not filled in here; the environment is read in",
        ),
        ("${TOKEN}", "${TOKN}", "28: secrets.token: environment variable TOKN is not set"),
        (
            "${TOKEN}",
            "${TOK-EN}",
            "28: secrets.token: what stands in ${} is no variable; expected letters, digits and _",
        ),
    ],
)
def test_form(folder, old, new, said):
    """A mistake of form is one line: file, line, key, what was expected and the nearest right spelling."""
    assert old in GOOD
    refused = refusal(GOOD.replace(old, new, 1)).split("\n")
    assert [line for line in refused if line.startswith(f"x.toml:{said}")], refused
    assert len(refused) == (2 if said.endswith('did you mean "class"?') else 1)


ODD = (
    "true",
    "-1",
    "0",
    "1.5",
    "inf",
    '""',
    '"${X}"',
    '"hunter2:x"',
    "[]",
    "[[]]",
    "[{}]",
    "{}",
    "{ a = 1 }",
    "1979-05-27",
)


@pytest.mark.parametrize("odd", ODD)
def test_odd_values(folder, odd):
    """Whatever stands at whatever key, the answer is a scenario or lines with file, line and that key."""
    for number, line in enumerate(GOOD.split("\n")):
        key, equals, _ = line.partition(" = ")
        if not equals or "[" in line:
            continue
        lines = GOOD.split("\n")
        lines[number] = f"{key} = {odd}"
        try:
            read_scenario(write("\n".join(lines)), environ=ENVIRON)
        except ScenarioError as refused:
            assert re.match(rf"x\.toml:{number + 1}: [\w.\[\]]*{key}(\.a)?: ", str(refused)), str(refused)  # noqa: PT017


def test_all_mistakes_at_once(folder):
    """Every mistake of form is told in one go, in the order of the lines."""
    text = (
        GOOD.replace('"1m"', '"1x"')
        .replace("rate =", "ratee =")
        .replace("${TOKEN}", "${NONE}")
        .replace("0.1%", "1x")
        .replace('"a"', '"${A}"')
    )
    places = [line.split(": ")[:2] for line in refusal(text).split("\n")]
    assert places == [
        ["x.toml:7", "load.ratee"],
        ["x.toml:15", "phases[1].duration"],
        ["x.toml:28", "secrets.token"],
        ["x.toml:33", "objectives[0].must[1]"],
        ["x.toml:38", "settings.words[0]"],
    ]

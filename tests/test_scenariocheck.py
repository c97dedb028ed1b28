"""Files of the right form that make no sense."""

import pytest

from loadtests.scenariofile import read_scenario
from tests.shop import ENVIRON, GOOD, refusal, shop_folder, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A scenario's folder as the working directory."""
    return shop_folder(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rate = "120/s"', "", '6: load.rate: missing; an open model needs a rate, such as "120/s"'),
        ('"120/s"', '"10001/s"', "7: load.rate: 10001/s is above target.max_rate, 10000/s"),
        (
            '"steady"',
            '"steady"\nrate = 100',
            "7: load.rate: 12000/s (100 x load.rate in phases[1]) is above target.max_rate, 10000/s",
        ),
        (
            '"steady"',
            '"steady"\nrate_from = 100',
            "7: load.rate: 12000/s (100 x load.rate in phases[1]) is above target.max_rate, 10000/s",
        ),
        (
            "count = 3",
            'count = 3\nrate = "4000/s"',
            "20: swarm.members: 12000 publishes/s are above target.max_rate, 10000/s",
        ),
        ('"steady"', '"cool-down"', '9: phases: no steady phase, so nothing to judge; expected one of kind = "steady"'),
        (
            'duration = "1m"',
            'duration = "999ms"',
            "15: phases[1].duration: a steady phase is judged by whole seconds; expected at least 1s",
        ),
        (
            "url =",
            "allow = [] #",
            '3: target.url: nothing to load; expected url = "http://..." or embedded = {module = "..."}',
        ),
        (
            "[target]",
            '[target]\nembedded.module = "json"',
            "5: target.url: excludes target.embedded; expected one of the two",
        ),
        ("[target]", '[target]\ncheck = "ready"', '4: target.check: expected a path such as "/ready"'),
        (
            "[target]",
            '[target]\nmetrics = "metrics"',
            '4: target.metrics: expected a path such as "/metrics", or a whole URL without credentials, ? and #',
        ),
        (
            "[target]",
            '[target]\nmetrics = "/metrics"\nmetrics_token = "tokn"',
            '5: target.metrics_token: expected the name of a secret under [secrets]; did you mean "token"?',
        ),
        (
            "[target]",
            '[target]\nmetrics_token = "token"',
            "4: target.metrics_token: means nothing without target.metrics",
        ),
        (
            "http://127.0.0.1:8000",
            "127.0.0.1:8000",
            '4: target.url: expected a URL such as "http://localhost:8000", got "127.0.0.1:8000";'
            ' did you mean "http://127.0.0.1:8000"?',
        ),
        (
            "http://127",
            "ftp://127",
            '4: target.url: expected a URL such as "http://localhost:8000", got "ftp://127.0.0.1:8000"',
        ),
        ("8000", "80000", '4: target.url: expected a URL such as "http://localhost:8000" (Port out of range 0-65535)'),
        ("8000", "8000/?a=1", '4: target.url: expected a URL such as "http://localhost:8000", without ? and #'),
        (
            "users.py:Browser",
            "users.py:Browsr",
            '18: users[0].class: users.py: no class "Browsr"; did you mean "Browser"?',
        ),
        (
            "users.py:Watcher",
            "user.py:W",
            '21: swarm.members[0].class: user.py: no such file; did you mean "users.py"?',
        ),
        ("users.py:Browser", "no.such:Browser", '18: users[0].class: module "no.such" is not found'),
        (
            '"accounts.csv"',
            '"acounts.csv"',
            '25: feeds.accounts: acounts.csv: no such file; did you mean "accounts.csv"?',
        ),
        ('"accounts.csv"', '"users.py"', "25: feeds.accounts: users.py: a feed is a .csv or a .json file"),
        ('"shop"', '"../shop"', "1: name: expected letters, digits, spaces and . _ + - (it names the run's directory)"),
        (
            "[load]",
            '[load]\nmodel = "closed"',
            '8: load.rate: means nothing in a closed model; expected model = "open", or users alone',
        ),
        ("[load]", '[contract]\nopenapi = "x"\n[load]', '7: contract.openapi: expected a path such as "/x"'),
        (
            "[load]",
            '[contract]\ngraphql = "/g"\n[load]',
            "6: contract.graphql_schema: missing; expected beside contract.graphql",
        ),
        (
            "[load]",
            '[contract]\ngraphql_schema = "/g"\n[load]',
            "6: contract.graphql: missing; expected beside contract.graphql_schema",
        ),
        (
            "[load]",
            '[contract]\ngraphql = "/g"\ngraphql_schema = "g.graphql"\n[load]',
            "8: contract.graphql_schema: g.graphql: no such file; expected one beside the scenario, or a path on the "
            "target that starts with /",
        ),
        (
            "count = 3",
            'count = 3\nrate = "1/s"\nslow = {start = "1s", duration = "1s"}',
            "24: swarm.members[0].slow: excludes rate: what they cannot publish meanwhile would count as failed",
        ),
        (
            "count = 3",
            "count = 3\ntogether = true",
            '23: swarm.members[0].together: expected beside a rate and arrivals = "constant"',
        ),
        (
            "count = 3",
            'count = 3\nslow = {start = "70s", duration = "5s"}',
            "23: swarm.members[0].slow: not over before the run is; expected an earlier start or a shorter duration",
        ),
        (
            "[feeds]",
            '[[swarm.storms]]\nat = "75s"\n[feeds]',
            "25: swarm.storms[0].at: after the end of the run; expected a moment within it",
        ),
        (
            "[feeds]",
            '[[swarm.storms]]\nat = "20s"\nhow = "restart"\n[feeds]',
            "26: swarm.storms[0].how: only a target that the run started can be restarted; expected target.embedded, "
            "or another how",
        ),
        ("[load]", '[contract]\nmessages = "m.json"\n[load]', "7: contract.messages: m.json: no such file"),
    ],
)
def test_meaning(folder, old, new, said):
    """A file of the right form that cannot be run is refused as precisely."""
    assert old in GOOD
    assert refusal(GOOD.replace(old, new, 1)) == f"x.toml:{said}"


def test_embedded_target(folder):
    """The module of an embedded target is looked for, not imported."""
    text = GOOD.replace('url = "http://127.0.0.1:8000"', 'embedded = { module = "no_portal", ready = "ok" }')
    assert refusal(text).split("\n") == [
        'x.toml:4: target.embedded.module: module "no_portal" is not found',
        'x.toml:4: target.embedded.ready: expected a path such as "/ok"',
    ]


def test_ramp_in_a_closed_model(folder):
    """A population steps, it has no ramp."""
    text = GOOD.replace('rate = "120/s"', 'model = "closed"').replace('"steady"', '"steady"\nrate_from = 0')
    assert refusal(text).startswith("x.toml:15: phases[1].rate_from: means nothing in a closed model")


def test_spin_in_a_closed_model(folder):
    """There is no arrival to stay awake for."""
    text = GOOD.replace('rate = "120/s"', 'model = "closed"\nspin = true')
    assert "8: load.spin: means nothing in a closed model" in refusal(text)


def test_nobody(folder):
    """Load needs users or a swarm; a swarm alone needs no rate."""
    alone = GOOD.replace('[[users]]\nclass = "users.py:Browser"\n', "").replace('rate = "120/s"', "")
    assert read_scenario(write(alone), environ=ENVIRON).users == ()
    nobody = alone.replace('[[swarm.members]]\nclass = "users.py:Watcher"\ncount = 3\n', "")
    assert refusal(alone + '[contract]\nunloaded = "1s"\n').endswith(
        "contract.unloaded: nobody whose tasks could be tried; expected [[users]]"
    )
    assert refusal(nobody) == "x.toml:1: users: nobody to put load on; expected [[users]] or [[swarm.members]]"


@pytest.mark.parametrize(
    ("base", "driver", "said"),
    [
        ("locust:FastHttpUser", "members", 'is a Locust user; expected an HttpMember, or load.driver = "users"'),
        ("loadtests.loaduser:LoadUser", "members", "is a Locust user; expected an HttpMember"),
        ("loadtests.httpmember:HttpMember", "users", "is an asyncio member; expected a Locust user, or load.driver"),
        ("loadtests.member:Member", "users", "is a member of the swarm; expected a Locust user, or [[swarm.members]]"),
        ("loadtests.member:Member", "members", "is a member of the swarm; expected an HttpMember"),
        ("locust:FastHttpUser", "users", ""),
        ("loadtests.httpmember:HttpMember", "members", ""),
        ("somewhere.member:Member", "users", ""),
    ],
)
def test_a_class_of_another_kind(folder, base, driver, said):
    """Told before anything is loaded, at its line; what the file does not tell is not guessed."""
    module, name = base.split(":")
    (folder / "kinds.py").write_text(f"from {module} import {name}\nclass One({name}): pass\n")
    text = GOOD.replace("users.py:Browser", "kinds.py:One").replace("[load]", f'[load]\ndriver = "{driver}"')
    if said:
        assert f"users[0].class: kinds.py:One {said}" in refusal(text)
    else:
        read_scenario(write(text), environ=ENVIRON)


@pytest.mark.parametrize("base", ["locust:User", "loadtests.httpmember:HttpMember"])
def test_no_member_of_the_swarm(folder, base):
    """Neither of the other two kinds can be one."""
    module, name = base.split(":")
    (folder / "kinds.py").write_text(f"from {module} import {name}\nclass One({name}): pass\n")
    told = refusal(GOOD.replace("users.py:Watcher", "kinds.py:One"))
    assert "swarm.members[0].class: kinds.py:One is a" in told
    assert "expected a" in told


@pytest.mark.parametrize(
    ("reference", "base", "key"),
    [
        ("users.py:Browser", "loadtests.loaduser:LoadUser", "users[0].class"),
        ("users.py:Browser", "loadtests.httpmember:HttpMember", "users[0].class"),
        ("users.py:Watcher", "loadtests.member:Member", "swarm.members[0].class"),
    ],
)
def test_a_class_that_asks_in_vain(folder, reference, base, key):
    """What another client would do for it is told before any load, with what to say instead."""
    module, name = base.split(":")
    (folder / "kinds.py").write_text(
        f"from {module} import {name}\nclass Base({name}):\n    proxies = {{'http': 'x'}}\nclass One(Base): pass\n"
    )
    text = GOOD.replace(reference, "kinds.py:One")
    if name == "HttpMember":
        text = text.replace("[load]", '[load]\ndriver = "members"')
    assert f"{key}: kinds.py:One: Base.proxies means nothing to a {name}: it speaks to the target itself" in refusal(
        text
    )

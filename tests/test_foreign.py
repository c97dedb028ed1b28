"""What an author's class says in vain is refused by name, with what to say instead."""

import pytest

from loadtests.errors import ScenarioError
from loadtests.foreign import foreign, require_ours, unused_proxy
from loadtests.httpmember import HttpMember
from loadtests.member import Member

LOAD_USER = "loadtests.loaduser.LoadUser"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("network_timeout", "load.timeout of the scenario"),
        ("connection_timeout", "timeout= of a call"),
        ("timeout_s", "load.timeout of the scenario"),
        ("concurrency", "connections of its own"),
        ("client_pool", "connections of its own"),
        ("max_retries", "nothing is ever sent twice"),
        ("insecure", "target.tls_verify = false"),
        ("proxy_host", "use FastHttpUser"),
    ],
)
def test_a_load_user(name, instead):
    """As FastHttpUser has them; the class that says it is named."""
    said = foreign(LOAD_USER, {"weight": "Buyer", name: "Base"})
    assert said.startswith(f"Base.{name} means nothing to a LoadUser: ")
    assert instead in said


def test_what_is_known():
    """LoadUser's own attributes, and those of other classes, are nobody's concern."""
    assert foreign(LOAD_USER, dict.fromkeys(("cert", "default_headers", "max_redirects", "wait_time"), "Buyer")) is None
    assert foreign("locust.FastHttpUser", {"network_timeout": "Buyer"}) is None


@pytest.mark.parametrize("kind", [HttpMember, Member])
def test_members(kind):
    """From wherever it comes, also beside the base; None says nothing."""
    mixin = type("Mixin", (), {"proxies": {"http": "http://proxy.test"}})
    with pytest.raises(ScenarioError, match=rf"^Mixin.proxies means nothing to a {kind.__name__}: .* to no proxy"):
        require_ours(type("Own", (kind, mixin), {}))
    with pytest.raises(ScenarioError, match=r"^Own.default_headers .* self.http.headers"):
        require_ours(type("Own", (kind,), {"default_headers": {"X": "1"}}))
    require_ours(type("Own", (kind,), {"cert": "a.pem", "proxies": None}))
    require_ours(type("Else", (), {"proxies": {}}))


@pytest.mark.parametrize(
    ("environ", "url", "name"),
    [
        ({}, "http://shop.test", None),
        ({"HTTP_PROXY": "http://p"}, "http://shop.test/a", "HTTP_PROXY"),
        ({"http_proxy": "http://p"}, "http://shop.test", "http_proxy"),
        ({"http_proxy": ""}, "http://shop.test", None),
        ({"http_proxy": "http://p"}, "https://shop.test", None),
        ({"https_proxy": "http://p", "no_proxy": "other.test"}, "https://shop.test:8443", "https_proxy"),
        ({"all_proxy": "http://p"}, "https://shop.test", "all_proxy"),
        ({"http_proxy": "http://p", "no_proxy": "a.test,shop.test"}, "http://shop.test:80", None),
        ({"http_proxy": "http://p", "no_proxy": ".test"}, "http://shop.test", None),
        ({"http_proxy": "http://p"}, "http://127.0.0.1:8000", None),
        ({"http_proxy": "http://p"}, "http://localhost:8000", None),
    ],
)
def test_unused_proxy(monkeypatch, environ, url, name):
    """It is named where another client would use it: for that scheme, and not for what no_proxy or loopback excepts."""
    for known in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(known, raising=False)
        monkeypatch.delenv(known.upper(), raising=False)
    for known, value in environ.items():
        monkeypatch.setenv(known, value)
    said = unused_proxy(url)
    assert (said is None) if name is None else said.startswith(f"{name} of the environment is not used")

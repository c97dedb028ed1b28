"""Redaction: secrets go, in every dress in which they are met; ordinary text stays as it is."""

import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.redaction import Redactor, is_secret

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # headers, as text and as Python and JSON show them
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("GET / HTTP/1.1\r\nauthorization: Basic dTpw\r\nHost: x", "GET / HTTP/1.1\r\nauthorization: ***\r\nHost: x"),
        ("{'Authorization': 'Bearer x y', 'Accept': '*/*'}", "{'Authorization': '***', 'Accept': '*/*'}"),
        ('{"Authorization":"Bearer x","Accept":"a"}', '{"Authorization":"***","Accept":"a"}'),
        ("[(b'authorization', b'Bearer x'), (b'host', b'h')]", "[(b'authorization', '***'), (b'host', b'h')]"),
        ("Cookie: theme=dark; session=abc\nHost: x", "Cookie: ***\nHost: x"),
        ("{'cookie': 'theme=dark; session=abc', 'n': 1}", "{'cookie': '***', 'n': 1}"),
        ("Set-Cookie: session=abc; Path=/; HttpOnly", "Set-Cookie: ***"),
        ("Proxy-Authorization: Basic x", "Proxy-Authorization: ***"),
        ("X-API-Key: k-1, Accept: a", "X-API-Key: ***, Accept: a"),
        ("sent Bearer abc123def, then none", "sent Bearer ***, then none"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        # tokens
        (f"token is {JWT} here", "token is *** here"),
        (f"/ws?ticket={JWT}&x=1", "/ws?ticket=***&x=1"),
        # JSON, also of spaces, quotes and commas, and JSON within a quoted text
        ('{"password": "correct horse", "user": "ann"}', '{"password": "***", "user": "ann"}'),
        ('{"password":"a,b;c}d","user":"ann"}', '{"password":"***","user":"ann"}'),
        (r'{"password":"pa\"ss","n":1}', r'{"password":"***","n":1}'),
        ('{"refresh_token":"r1","expires_in":3600}', '{"refresh_token":"***","expires_in":3600}'),
        ('{"accessToken": "r1"}', '{"accessToken": "***"}'),
        (r'"{\"password\": \"a b\", \"n\": 1}"', r'"{\"password\": \"***\", \"n\": 1}"'),
        ("{'password': 'a b', 'n': 1}", "{'password': '***', 'n': 1}"),
        ('{"type":"token","password":"hunter2"}', '{"type":"token","password":"***"}'),
        ("{'kind': 'cookie',  'password': 'hunter2'}", "{'kind': 'cookie',  'password': '***'}"),
        ('{"type": "auth", "auth": "z"}', '{"type": "auth", "auth": "***"}'),
        ('cut short: {"password": "abc d', 'cut short: {"password": "***'),
        # forms and queries
        ("user=ann&password=hunter2&n=1", "user=ann&password=***&n=1"),
        ("user=ann&new_password=hunter2", "user=ann&new_password=***"),
        ("/login?token=abc&x=1 failed", "/login?token=***&x=1 failed"),
        ("client_secret='a b', n=1", "client_secret='***', n=1"),
        ("api_key = abc", "api_key = ***"),
        ("PGPASSWORD=x psql", "PGPASSWORD=*** psql"),
        # URLs
        ("postgresql://ann:hunter2@db:5432/x", "postgresql://ann:***@db:5432/x"),
        ("http://u:p@ss@host/x", "http://u:***@host/x"),
        ("redis://:pw@host:6379/0", "redis://:***@host:6379/0"),
    ],
)
def test_credentials(text, expected):
    """Whatever looks like a credential goes, and only that."""
    assert Redactor()(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "basic authentication is required",
        "the bearer channels of agent 7 were closed",
        "the cookie was lost; authorization failed",
        "Unexpected token } in JSON at position 3",
        "password too short; secret is missing; tokens differ",
        "total_tokens: 512, max_tokens=100",
        "GET http://127.0.0.1:8000/agents/17?full=1 -> 503",
        "see http://host:8080/a@b, or ask ann@example.org",
        "HTTPConnectionPool(host='127.0.0.1', port=42417): Read timed out. (read timeout=0.05)",
        "ConnectionResetError(104, 'Connection reset by peer')",
        "eyJ is how a JWT begins",
    ],
)
def test_ordinary_text(text):
    """Ordinary words, addresses and error messages are left alone."""
    assert Redactor(["hunter2"])(text) == text


@pytest.mark.parametrize("secret", ["hunter2", 'p@ss w"rd/ü', "a&b=c", "back\\slash"])
def test_known_secrets(secret):
    """A known secret goes wherever it stands, as it is or as URLs, forms and JSON write it."""
    redact = Redactor([secret])
    for dressed in (
        f"said {secret} aloud",
        f"/x/{quote(secret, safe='')}/y",
        f"q={quote_plus(secret)}",
        urlencode({"q": secret}),
        json.dumps({"q": secret}),
    ):
        text = redact(dressed)
        assert "***" in text
        for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]):
            assert form not in text


def test_the_token_of_a_known_header():
    """A secret that is written with its scheme goes without it too."""
    assert Redactor(["Bearer hunter2"])("token hunter2 has expired") == "token *** has expired"


def test_longer_secrets_first():
    """A secret within a longer one does not leave the rest of it standing."""
    assert Redactor(["abc", "abcdef"])("abcdef abc") == "*** ***"


@pytest.mark.parametrize("secret", ["", " ", "ab"])
def test_secrets_too_short(secret):
    """What is shorter than three characters is no secret: it is in every word."""
    assert Redactor([secret])("about a cab") == "about a cab"


@given(st.text(max_size=200))
def test_twice_is_once(text):
    """What is redacted stays as it is when it is redacted again."""
    redact = Redactor(["hunter2"])
    assert redact(redact(text)) == redact(text)


@given(st.text("abcxyz0123 \t\"'\\{}[]:,;=&/@.-_%", max_size=30), st.text("abcxyz0123._-", min_size=8, max_size=20))
def test_no_password_survives(around, password):
    """Whatever stands around it, a password in JSON goes."""
    text = around + "\n" + json.dumps({"user": "ann", "password": password, "n": 1})
    assert password in around or password not in Redactor()(text)


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 20_000,
        "token" * 8000,
        '\\"' * 20_000,
        "://a:" * 8000,
        "eyJ" * 10_000,
        "token" + " " * 40_000,
        "'token', 'x': " * 10_000,
        "x" * 99_999,
    ],
    ids=lambda text: text[:8].strip(),
)
def test_long_lines(text):
    """A page of anything is redacted in time that grows with its length, so that a test of it ends."""
    assert Redactor()(text).count("***") <= 1


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "cookie", "X-API-Key", "X-Auth-Token"])
def test_secret_names(name):
    """Whose values are credentials."""
    assert is_secret(name)


@pytest.mark.parametrize("name", ["Accept", "X-Request-ID", "Idempotency-Key", "Token-Kind", "If-Match"])
def test_names_that_are_no_secrets(name):
    """And whose are not."""
    assert not is_secret(name)

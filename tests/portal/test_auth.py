"""Login, and what is refused without it."""

import threading
from collections.abc import Callable
from typing import Any

import argon2
import jwt
import pytest
from starlette.testclient import TestClient

from portal.passwords import hash_demo
from portal.seed import PASSWORD
from portal.settings import Settings
from portal.tokens import TokenError, Tokens

SECRET = "s" * 32


def _tokens(now: float = 1_000.0, secret: str = SECRET) -> Tokens:
    return Tokens(secret, access_token_s=60, refresh_token_s=600, clock=lambda: now)


def _login(client: TestClient, username: str = "user001", password: str = PASSWORD) -> Any:
    return client.post("/api/v1/auth/token", data={"username": username, "password": password})


def test_login_answers_a_pair_of_tokens(anonymous: TestClient) -> None:
    """The access token opens the doors that were shut."""
    answer = _login(anonymous)
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == Settings().access_token_s
    assert anonymous.get("/api/v1/agents").status_code == 401
    opened = anonymous.get("/api/v1/agents", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert opened.status_code == 200


@pytest.mark.parametrize("username", ["user000", "user199"])
def test_first_and_last_account_exist(anonymous: TestClient, username: str) -> None:
    """Two hundred accounts are seeded."""
    assert _login(anonymous, username).status_code == 200


@pytest.mark.parametrize(
    ("username", "password"), [("user001", "wrong"), ("user200", PASSWORD), ("user001", "\ud800"), ("", "")]
)
def test_a_wrong_login_is_refused(anonymous: TestClient, username: str, password: str) -> None:
    """A wrong password and an unknown user get one and the same answer (an empty form is no login at all)."""
    data = {"username": username, "password": password.encode("utf-8", "surrogatepass")}
    answer = anonymous.post("/api/v1/auth/token", data=data)
    if not username:
        assert answer.status_code == 422
        return
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"] == "the user name or the password is wrong"


def test_refresh_answers_a_new_pair(anonymous: TestClient) -> None:
    """A refresh token is exchanged for tokens that work."""
    first = _login(anonymous).json()
    answer = anonymous.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert answer.status_code == 200
    second = answer.json()
    assert second["access_token"] != first["access_token"]
    opened = anonymous.get("/api/v1/agents", headers={"Authorization": f"Bearer {second['access_token']}"})
    assert opened.status_code == 200


def test_a_token_is_good_for_one_use_only(anonymous: TestClient) -> None:
    """Neither token is taken for the other."""
    pair = _login(anonymous).json()
    as_access = anonymous.get("/api/v1/agents", headers={"Authorization": f"Bearer {pair['refresh_token']}"})
    assert as_access.status_code == 401
    assert 'error="invalid_token"' in as_access.headers["WWW-Authenticate"]
    as_refresh = anonymous.post("/api/v1/auth/refresh", json={"refresh_token": pair["access_token"]})
    assert as_refresh.status_code == 401


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic dXNlcjAwMTp4", "Bearer a.b.c", "Bearer é"])
def test_without_a_good_token_everything_is_401(anonymous: TestClient, header: str | None) -> None:
    """Every route behind the login says so, as a problem with the scheme to use."""
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in (
        ("GET", "/api/v1/agents"),
        ("POST", "/api/v1/agents"),
        ("GET", "/api/v1/agents/1"),
        ("PATCH", "/api/v1/agents/1"),
        ("POST", "/api/v1/agents/1/heartbeat"),
        ("GET", "/api/v1/tasks"),
        ("POST", "/api/v1/tasks"),
        ("GET", "/api/v1/tasks/1"),
        ("PATCH", "/api/v1/tasks/1"),
        ("POST", "/api/v1/tasks/1/assign"),
    ):
        answer = anonymous.request(method, path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_access_token_expires(open_portal: Callable[..., TestClient]) -> None:
    """It is good until its last second has passed, and the refresh token still is."""
    now = [1_000_000.0]
    portal = open_portal({"access_token_s": 60}, clock=lambda: now[0])
    refresh = _login(portal).json()["refresh_token"]
    now[0] += 59
    assert portal.get("/api/v1/agents/1").status_code == 200
    now[0] += 1
    answer = portal.get("/api/v1/agents/1")
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the token has expired"
    assert portal.post("/api/v1/auth/refresh", json={"refresh_token": refresh}).status_code == 200


def test_a_tampered_token_is_refused() -> None:
    """Whether the claims or the signature were changed, or the secret was another, or there is no signature at all."""
    token = _tokens().issue("user001", "access", fam="f", role="operator")
    head, claims, signature = token.split(".")
    other_claims = _tokens().issue("user002", "access", fam="f", role="operator").split(".")[1]
    forged = jwt.encode(jwt.decode(token, SECRET, ["HS256"], options={"verify_exp": False}), None, "none")
    for bad in (
        f"{head}.{other_claims}.{signature}",
        f"{head}.{claims}.{signature[::-1]}",
        f"{head}.{claims}.",
        _tokens(secret="t" * 32).issue("user001", "access", fam="f", role="operator"),
        forged,
        "",
        "\ud800",
    ):
        with pytest.raises(TokenError, match="not valid"):
            _tokens().read(bad, "access")
    assert _tokens().read(token, "access")["sub"] == "user001"


@pytest.mark.parametrize("missing", ["sub", "exp", "use", "iss", "fam", "role"])
def test_a_token_lacking_a_claim_is_refused(missing: str) -> None:
    """Also when the signature is right."""
    claims = {"iss": "portal", "sub": "user001", "use": "access", "exp": 2_000, "fam": "f", "role": "viewer"}
    assert _tokens().read(jwt.encode(claims, SECRET, "HS256"), "access")["sub"] == "user001"
    del claims[missing]
    with pytest.raises(TokenError):
        _tokens().read(jwt.encode(claims, SECRET, "HS256"), "access")


def test_passwords_are_verified_beside_the_event_loop_known_user_or_not(
    anonymous: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown user costs the same one verification, and neither is done on the loop's own thread."""
    threads: list[str] = []
    verify = argon2.PasswordHasher.verify

    def watched(self: argon2.PasswordHasher, *args: Any) -> bool:
        threads.append(threading.current_thread().name)
        return verify(self, *args)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    assert _login(anonymous, "user001", "wrong").status_code == 401
    assert _login(anonymous, "nobody", "wrong").status_code == 401
    assert len(threads) == 2
    assert all(name.startswith("portal-password") for name in threads)


def test_hashes_are_argon2id_with_owasps_minimum() -> None:
    """m=19 MiB, t=2, p=1 (OWASP Password Storage Cheat Sheet), and the demo hash is the same each time."""
    demo = hash_demo(PASSWORD)
    assert demo.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    hash_demo.cache_clear()
    assert hash_demo(PASSWORD) == demo

"""Token buckets against arithmetic and a slow oracle; then what a client sees of them."""

import asyncio
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from portal.app import create_app
from portal.passwords import THREADS
from portal.rate import Buckets, Rate, RateError, parse_rate
from portal.seed import PASSWORD
from portal.settings import Settings


@pytest.mark.parametrize(
    ("text", "rate"), [("600/min", Rate(600, 60)), (" 1/s ", Rate(1, 1)), ("1000/h", Rate(1_000, 3_600))]
)
def test_a_rate_is_a_count_and_a_unit(text: str, rate: Rate) -> None:
    """Seconds, minutes, hours."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "600", "0/s", "-1/s", "1.5/s", "10/day", "1/min/s", "10000000/s", "²/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """The sentence shows how one is written."""
    with pytest.raises(RateError, match="600/min"):
        parse_rate(text)


def test_a_bucket_is_full_at_first_and_fills_evenly() -> None:
    """Three a second: the fourth waits a third of one, which in whole seconds is one."""
    now_ns = [10**18]
    buckets = Buckets(Rate(3, 1), lambda: now_ns[0])
    assert [buckets.take("a").remaining for _ in range(3)] == [2, 1, 0]
    refused = buckets.take("a")
    assert (refused.allowed, refused.remaining, refused.retry_after_s, refused.full_in_s) == (False, 0, 1, 1)
    assert buckets.take("b").allowed
    now_ns[0] += 333_333_333  # a third of a second has 333,333,333 and one third ns
    assert not buckets.take("a").allowed
    now_ns[0] += 1
    assert buckets.look("a").allowed
    assert buckets.look("a").allowed  # looking takes nothing
    assert buckets.take("a").allowed
    assert not buckets.take("a").allowed


def test_waiting_is_told_in_whole_seconds_rounded_up() -> None:
    """One in an hour: 3,600 s at once, 1 s at the last nanosecond; waiting that long is enough."""
    now_ns = [0]
    buckets = Buckets(Rate(1, 3_600), lambda: now_ns[0])
    assert buckets.take("a").retry_after_s == 3_600  # until the next one
    assert buckets.take("a").retry_after_s == 3_600
    now_ns[0] = 1
    assert buckets.take("a").retry_after_s == 3_600
    now_ns[0] = 3_599 * 10**9
    assert buckets.take("a").retry_after_s == 1
    now_ns[0] = 3_600 * 10**9 - 1
    assert buckets.take("a").retry_after_s == 1
    now_ns[0] = 3_600 * 10**9
    assert buckets.take("a").allowed


@pytest.mark.parametrize("rate", [Rate(7, 60), Rate(1, 1), Rate(600, 60)])
def test_every_answer_is_that_of_a_bucket_counted_in_fractions(rate: Rate) -> None:
    """A bucket of exact fractions, filled step by step, agrees for two thousand random steps."""
    dice = random.Random(1)
    now_ns, tokens = 0, Fraction(rate.count)
    buckets = Buckets(rate, lambda: now_ns)
    for _ in range(2_000):
        step_ns = dice.randrange(2 * rate.period_s * 10**9 // rate.count)
        now_ns += step_ns
        tokens = min(tokens + Fraction(step_ns * rate.count, rate.period_s * 10**9), Fraction(rate.count))
        level = buckets.take("a")
        assert level.allowed == (tokens >= 1)
        tokens -= level.allowed
        assert level.remaining == int(tokens)


def test_buckets_are_bounded() -> None:
    """The one used longest ago is forgotten, which makes it full."""
    buckets = Buckets(Rate(1, 60), lambda: 0, max_keys=2)
    assert [buckets.take(key).allowed for key in "abca"] == [True, True, True, True]
    assert not buckets.take("c").allowed
    assert len(buckets._full_at) == 2


def _limited(open_portal: Callable[..., TestClient], now_ns: list[int]) -> TestClient:
    """Four a minute; signing in has taken one of those that its address has."""
    return open_portal({"rate_limit": Rate(4, 60)}, monotonic_ns=lambda: now_ns[0])


def test_who_asks_too_often_is_told_when_to_come_again(open_portal: Callable[..., TestClient]) -> None:
    """RFC 6585, section 4: 429 with Retry-After; four a minute are one in 15 s."""
    now_ns = [0]
    portal = _limited(open_portal, now_ns)
    answers = [portal.get("/api/v1/agents/1") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"default";r=3;t=15',
        '"default";r=2;t=30',
        '"default";r=1;t=45',
        '"default";r=0;t=60',
        '"default";r=0;t=60',
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"default";q=4;w=60'}
    assert answers[4].headers["Retry-After"] == "15"
    assert answers[4].headers["Content-Type"] == "application/problem+json"
    now_ns[0] = 15 * 10**9
    assert [portal.get("/api/v1/agents/1").status_code for _ in range(2)] == [200, 429]


def test_each_principal_has_a_bucket_and_so_has_the_address(open_portal: Callable[..., TestClient]) -> None:
    """A made-up token is no principal, so making them up opens no new bucket; health is never limited."""
    portal = _limited(open_portal, [0])
    token = portal.headers.pop("Authorization")
    wrong = [portal.get("/api/v1/agents/1", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(4)]
    assert wrong == [401, 401, 401, 429]
    assert portal.get("/api/v1/agents/1", headers={"Authorization": token}).status_code == 200
    assert portal.get("/healthz").status_code == 200


def test_without_the_setting_nobody_is_limited(portal: TestClient) -> None:
    """And no header speaks of a limit."""
    answers = [portal.get("/healthz") for _ in range(3)] + [portal.get("/api/v1/agents/1")]
    assert not any("RateLimit" in answer.headers for answer in answers)


def _log_in(client: TestClient, username: str, password: str) -> Any:
    return client.post("/api/v1/auth/token", data={"username": username, "password": password})


def test_failed_logins_are_limited_per_account(open_portal: Callable[..., TestClient]) -> None:
    """Three in a minute here; then not even the right password is looked at, until a third of a minute has passed."""
    now_ns = [0]
    portal = open_portal({"failed_logins": Rate(3, 60)}, monotonic_ns=lambda: now_ns[0])
    assert [_log_in(portal, "user001", "wrong").status_code for _ in range(4)] == [401, 401, 401, 429]
    refused = _log_in(portal, "user001", PASSWORD)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "20")
    assert _log_in(portal, "user000", PASSWORD).status_code == 200  # another account
    now_ns[0] = 20 * 10**9
    assert _log_in(portal, "user001", PASSWORD).status_code == 200


def test_failed_logins_are_limited_per_address(open_portal: Callable[..., TestClient]) -> None:
    """Whoever fails elsewhere shuts nobody out here."""
    portal = open_portal({"failed_logins": Rate(1, 60)}, monotonic_ns=lambda: 0)
    elsewhere = TestClient(portal.app, client=("192.0.2.7", 1))
    assert [_log_in(elsewhere, "user001", "wrong").status_code for _ in range(2)] == [401, 429]
    assert _log_in(portal, "user001", PASSWORD).status_code == 200


def test_successful_logins_are_not_limited(open_portal: Callable[..., TestClient]) -> None:
    """More of them than failures are allowed."""
    portal = open_portal({"failed_logins": Rate(2, 60)}, monotonic_ns=lambda: 0)
    assert {_log_in(portal, "user001", PASSWORD).status_code for _ in range(6)} == {200}


def test_a_crowd_of_guesses_does_not_pass_before_the_first_fails() -> None:
    """As many as are verified at a time may fail together; whoever waits in line behind them is not looked at."""

    async def scene() -> list[int]:
        app = create_app(Settings(agents=1, tasks=1, accounts=2, failed_logins=Rate(1, 60)), monotonic_ns=lambda: 0)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://portal") as client,
        ):
            form = {"username": "user001", "password": "wrong"}
            answers = await asyncio.gather(*(client.post("/api/v1/auth/token", data=form) for _ in range(12)))
            return [answer.status_code for answer in answers]

    statuses = asyncio.run(scene())
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= THREADS


def test_names_that_nobody_has_are_limited_alike(open_portal: Callable[..., TestClient]) -> None:
    """Or the limit would tell who exists; and long names do not fill the memory."""
    portal = open_portal({"failed_logins": Rate(1, 60)}, monotonic_ns=lambda: 0)
    assert [_log_in(portal, "n" * 10_000, "wrong").status_code for _ in range(2)] == [401, 429]
    buckets = portal.app.state.services.failed_logins  # type: ignore[attr-defined]
    assert [len(username) for username, _ in buckets._full_at] == [81]

"""What holds of each kind of Locust HTTP client under our clock."""

import time

import gevent
import pytest

from tests.caserun import with_shop


@with_shop
def case_a_with_block_is_no_time_under_way(shop, user):
    """What the author's code does with an answer, 300 ms long, is neither recorded nor under way (L = lambda W)."""
    with user.get("/a", catch_response=True):
        gevent.sleep(0.3)
    recorded_us = user.all().service.mean_us()
    assert recorded_us < 100_000
    assert abs(user.requests.in_flight_ns / 1000 - recorded_us) < 1000


@with_shop
def case_a_request_is_under_way_until_it_is_answered(shop, user):
    """One of 50 ms is under way for as long by the engine's own clock."""
    answer = shop.answer
    shop.answer = lambda target, body: (time.sleep(0.05), answer(target, body))[1]
    user.get("/a")
    assert user.all().ok == 1
    assert 50_000_000 <= user.requests.in_flight_ns < 500_000_000


@with_shop
def case_a_context_of_the_author_s(shop, user):
    """Goes to listeners, a call's own before the user's; by no name of its own does it reach the engine's stamps."""
    heard = []
    user.environment.events.request.add_listener(lambda context, **_: heard.append(context))
    names = ("request", "intended_ns", "started_ns")
    author = type(user.user).__bases__[-1]
    author.context = lambda self: {**super(author, self).context(), "tenant": 1}
    for name in names:
        user.get("/a", name="A", context={name: 7, "tenant": 2})
        user.get("/b", name="B", context={name: "mine"})
    assert [context[name] for name, context in zip(sorted(names * 2, key=names.index), heard, strict=True)] == [
        *[7, "mine"] * 3
    ]
    assert [context["tenant"] for context in heard] == [2, 1] * 3
    rows = {row.series: row for row in user.taken()}
    assert {series: (row.count, row.ok) for series, row in rows.items()} == {"GET A": (3, 3), "GET B": (3, 3)}
    assert max(row.service.max_us for row in rows.values()) < 1_000_000
    assert user.accounts() == (6, 0)


@with_shop
def case_the_engine_s_own_key(shop, user):
    """A context that would put something in the place of the stamps is refused before anything is sent."""
    with pytest.raises(ValueError, match='"loadtests" is the key'):
        user.get("/a", context={"loadtests": 1})
    assert user.get("/b").ok
    assert [target for _, target, _ in shop.heads] == ["/b"]
    assert user.accounts() == (1, 0)
    assert [row.series for row in user.taken()] == ["GET /b"]


@with_shop
def case_a_client_of_the_author_s_own(shop, user):
    """Fires Locust's event with names of its own in the context: it is recorded as it says, once."""
    user.environment.events.request.fire(
        request_type="MQTT", name="told", response_time=1, response_length=0, context={"started_ns": 1, "request": 9}
    )
    assert sum(row.ok for row in user.taken()) == 1
    assert user.accounts() == (1, 0)


@with_shop
def case_an_event_that_is_fired_again(shop, user):
    """A listener that tells of a part of what it heard of, under the same context: counted as one more that ended."""
    events = user.environment.events

    def again(request_type, context, **_):
        if request_type == "GET":
            events.request.fire(request_type="PART", name="head", response_time=1, response_length=0, context=context)

    events.request.add_listener(again)
    user.get("/a")
    user.get("/a")
    assert user.told() == {"GET /a": {"ok": 2}, "PART head": {"ok": 2}}
    assert user.accounts() == (4, 0)

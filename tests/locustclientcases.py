"""What holds of each kind of Locust HTTP client under our clock."""

import time

import gevent

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

"""Names of series: few, whatever identifiers the URLs hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.series import series_name


@pytest.mark.parametrize(
    ("method", "name", "expected"),
    [
        ("GET", "/agents", "GET /agents"),
        ("GET", "/agents/17", "GET /agents/{id}"),
        ("GET", "/agents/17/", "GET /agents/{id}/"),
        ("GET", "http://host:8000/agents/17?full=1", "GET /agents/{id}"),
        ("GET", "https://u:p@host/agents/17/tasks/9#top", "GET /agents/{id}/tasks/{id}"),
        ("GET", "http://host", "GET /"),
        ("GET", "http://host?x=1", "GET /"),
        ("GET", "", "GET /"),
        ("GET", "/", "GET /"),
        ("GET", "/v1/agents", "GET /v1/agents"),  # a version is no identifier
        ("GET", "/a/018f3c1e-7b2a-7c3d-8e4f-5a6b7c8d9e0f", "GET /a/{id}"),
        ("GET", "/a/018F3C1E-7B2A-7C3D-8E4F-5A6B7C8D9E0F", "GET /a/{id}"),
        ("GET", "/a/01HQ3V8K5M7N9P1R3T5W7Y9ZAB", "GET /a/{id}"),  # a ULID
        ("GET", "/a/507f1f77bcf86cd799439011", "GET /a/{id}"),
        ("GET", "/a/eyJhbGciOiJIUzI1NiJ9_x-y", "GET /a/{id}"),
        ("GET", "/a/notifications-preferences", "GET /a/notifications-preferences"),  # long, but words
        ("GET", "/a/b2", "GET /a/b2"),
        ("POST", "createAgent", "POST createAgent"),  # chosen by a person
        ("POST", "agents/17?x", "POST agents/17?x"),
        ("", "/agents/17", "/agents/{id}"),
        ("", "warm up", "warm up"),
        ("WS", "wss://host/ws/3", "WS /ws/{id}"),
        ("ws", "deliver", "WS deliver"),  # words of ours, taken by an author's own client
        ("task", "index", "TASK index"),
        ("", "arrival board", "ARRIVAL board"),
        ("wss", "deliver", "wss deliver"),
    ],
)
def test_series_name(method, name, expected):
    """A path becomes its template, a name that a person chose stays."""
    assert series_name(method, name) == expected


@given(st.integers(0, 10**30), st.uuids(), st.text("?=&abc12", max_size=9))
def test_identifiers_make_no_series(number, uuid, query):
    """Numbers, UUIDs and queries never make another series."""
    assert series_name("GET", f"http://h/a/{number}/b/{uuid}?{query}") == "GET /a/{id}/b/{id}"

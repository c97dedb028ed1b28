"""Server-Timing headers, the standard's own examples among them."""

import pytest

from loadtests.servertiming import MOST_PARTS, parse_server_timing


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("auth;dur=0.3, db;dur=1.25", {"auth": 300, "db": 1250}),
        ('db;dur=1.25;desc="3 statements", total;dur=9', {"db": 1250, "total": 9000}),
        ('db;desc="a, b; dur=7";dur=2', {"db": 2000}),  # a comma and a duration within quotes are text
        ("miss, db;dur=53, app;dur=47.2", {"db": 53000, "app": 47200}),  # a part without a duration says nothing
        ('customView, dc;desc="atl"', {}),
        ("db;dur=1,db;dur=2", {"db": 3000}),
        ("db ; DUR = 1.5 ", {"db": 1500}),
        ('db;dur="1.5"', {"db": 1500}),
        ("total;dur=123.4", {"total": 123400}),
        ("db;dur=-1, cache;dur=1", {"cache": 1000}),
        ("db;dur=, cache;dur=x", {}),
        ("db;dur=1, ;;; nonsense", {"db": 1000}),
        ("", {}),
    ],
)
def test_parsed(header, expected):
    """Names with durations, in microseconds."""
    assert parse_server_timing(header) == expected


def test_bounded():
    """However long a header, some parts are kept, and reading it takes no time out of proportion."""
    assert len(parse_server_timing(",".join(f"p{k};dur=1" for k in range(100)))) == MOST_PARTS
    assert parse_server_timing('a;desc="' + "\\" * 50_000) == {}
    assert parse_server_timing("x;" * 50_000) == {}

"""The null server's services by arithmetic, and its answers over a real socket."""

from __future__ import annotations

import socket
import time

import pytest

from loadtests.nullserver import is_bad, service_of
from tests.endtoend.harness import null_server


def _due(path: str, number: int, came_s: float = 0.0) -> tuple[float, int]:
    return service_of(path)(number, came_s)


def test_at_once_and_later() -> None:
    """A delay is counted from the moment at which the request came; what is no path of ours is answered at once."""
    assert _due("/", 3, 7.0) == (7.0, 200)
    assert _due("/delay/250", 3, 7.0) == (7.25, 200)
    assert _due("/delay/250/page", 3, 7.0) == (7.25, 200)
    for odd in ("/delay", "/delay/x", "/delay/-5", "/slow/1/2", "/agents/17", "//"):
        assert _due(odd, 3, 7.0) == (7.0, 200)


def test_one_in_so_many_fails() -> None:
    """The 100th, the 200th, ... and no other."""
    failed = [number for number in range(250) if _due("/fail/100", number)[1] == 500]
    assert failed == [99, 199]


@pytest.mark.parametrize(("bad", "of"), [(6, 100), (3, 100), (1, 2), (1, 1), (0, 7), (7, 9)])
def test_the_slow_ones_are_exactly_so_many_and_evenly_spread(bad: int, of: int) -> None:
    """In every row of OF; and their number in the first k differs from k BAD / OF by one half at most."""
    slow = [_due(f"/slow/{bad}/{of}/300", number)[0] == 0.3 for number in range(5 * of)]
    assert [sum(slow[k * of : (k + 1) * of]) for k in range(5)] == [bad] * 5
    assert all(abs(sum(slow[:k]) - k * bad / of) <= 0.5 for k in range(5 * of + 1))
    assert slow[:of] == [is_bad(number, bad, of) for number in range(of)]


def test_a_stall_holds_what_comes_meanwhile_until_its_end() -> None:
    """1 s in every 5: who comes .25 s into it waits for .75 s, who comes after it for nothing."""
    path = "/stall/1000/5000"
    assert _due(path, 0, 20.25) == (21.0, 200)
    assert _due(path, 0, 21.0) == (21.0, 200)
    assert _due(path, 0, 24.999) == (24.999, 200)
    assert _due(path, 0, 25.0) == (26.0, 200)


@pytest.mark.slow
def test_over_a_socket() -> None:
    """Requests that come in pieces and in one piece are answered in turn, each path with a count of its own."""
    with null_server() as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5) as sock:
        begun = time.monotonic()
        for piece in (
            b"GET /fail/2 HTTP/1.1\r\nHo",
            b"st: x\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /fail/2 HTTP/1.1\r\n\r\n",
        ):
            sock.sendall(piece)
        sock.sendall(b"GET /delay/100 HTTP/1.1\r\n\r\n")
        told = b""
        while told.count(b"\r\n\r\nok") < 4:
            told += sock.recv(1 << 16)
    statuses = [line.split()[1] for line in told.split(b"\r\n") if b"HTTP/1.1" in line]
    assert statuses == [b"200", b"200", b"500", b"200"]
    assert time.monotonic() - begun >= 0.1

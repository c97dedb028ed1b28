"""A WebSocket of the witness: where it sits, what it keeps, and what it says of a server that does not let it in."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import serve

from loadtests.job import Job
from loadtests.listener import Listener, Seat, seats
from loadtests.member import Acknowledged, Broadcast, Delivery, Member, RoundTrip, Subscribed
from loadtests.probe import Answer
from loadtests.scenario import Scenario

MS = 1_000_000


class Reader(Member):
    """Subscribes, and reads frames of its own short form."""

    path = "/live"
    subprotocols = ("b",)

    def greetings(self) -> list[str | bytes]:
        """One of each kind."""
        return ["hello", b"\x00"]

    def headers(self) -> dict[str, str]:
        """A key."""
        return {"X-Key": "k"}

    def channels(self) -> list[str]:
        """One."""
        return ["news"]

    def subscribe_frame(self, channels: Any) -> str:
        """As JSON."""
        return json.dumps(channels)

    def read(self, frame: str) -> Any:
        """``ok`` is the acknowledgement, all else a delivery."""
        return Subscribed(["news"]) if frame == "ok" else Delivery(*json.loads(frame))


class Speaker(Reader):
    """Another that listens."""


class Hearer(Member):
    """Hears what the server publishes by itself: its number, and when it sent it."""

    hears_broadcasts = True
    subprotocols = ("b",)

    def read(self, frame: str) -> Any:
        """Both, or nothing of the time."""
        return Broadcast("news", *json.loads(frame))

    def read_bytes(self, frame: bytes) -> Any:
        """The same, packed."""
        return Broadcast("news", *struct.unpack("<qq", frame))


class Far(Hearer):
    """Its server's clock is another machine's."""

    def clock_question(self, token: str) -> str:
        """It can be asked, but not by a listener."""
        return token


class Mute(Member):
    """Subscribes to nothing."""


class Actor(RoundTrip):
    """Waits for events of its own."""

    channels = Reader.channels

    def read(self, frame: str) -> Any:
        """Nothing."""
        return Acknowledged("", 0)


def _job(url: str = "http://127.0.0.1:1", members: Any = (), sockets: int = 4) -> Job:
    here = Path(__file__).name
    scenario = Scenario.model_validate(
        {
            "name": "x",
            "target": {"url": url},
            "phases": [{"kind": "steady", "duration": "9s"}],
            "swarm": {"members": [{"class": f"{here}:{cls}", "count": n} for cls, n in members]},
            "load": {"timeout": "2s"},
            "witness": {"sockets": sockets},
        }
    )
    scenario = scenario.model_copy(update={"folder": Path(__file__).parent})
    return Job(scenario, "r1", "local", "witness", 0, 1, Path("spool"))


@pytest.mark.parametrize(
    ("members", "sockets", "expected"),
    [
        ([("Reader", 8)], 4, [("Reader", 8, 1), ("Reader", 9, 3), ("Reader", 10, 5), ("Reader", 11, 7)]),
        ([("Mute", 5), ("Reader", 3)], 1, [("Reader", 3, 7)]),
        ([("Reader", 2)], 4, [("Reader", 2, 0), ("Reader", 3, 1)]),
        (
            [("Reader", 6), ("Actor", 9), ("Speaker", 2)],
            4,
            [("Reader", 6, 1), ("Reader", 7, 3), ("Reader", 8, 5), ("Speaker", 5, 16)],
        ),
        ([("Mute", 4), ("Actor", 4), ("Far", 4)], 4, []),
        ([("Mute", 4), ("Hearer", 2)], 1, [("Hearer", 2, 5)]),
        ([("Reader", 8)], 0, []),
    ],
)
def test_seats(members: Any, sockets: int, expected: Any) -> None:
    """Evenly among those that subscribe, the last with the last, each behind all members of its class."""
    found = seats(_job(members=members, sockets=sockets))
    assert [(seat.cls.__name__, seat.index, seat.number) for seat in found] == expected
    assert [seat.place for seat in found] == list(range(len(expected)))


@contextmanager
def _heard(
    handler: Callable[[Any], None],
    *,
    of: int = 1,
    place: int = 0,
    until: int = 1,
    at_end: bool = False,
    cls: Any = Reader,
    **options: Any,
) -> Any:
    """What a listener tells of a server: so many answers, or all up to the connection's end."""
    with serve(handler, "127.0.0.1", 0, subprotocols=["a", "b"], **options) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        told: list[Answer] = []
        enough = threading.Event()
        deadline_s = time.monotonic() + 5

        def tell(answer: Answer) -> None:
            told.append(answer)
            if len(told) >= until or (at_end and answer.failure):
                enough.set()

        def wait(seconds: float) -> bool:
            return enough.wait(min(seconds, 0.05)) or time.monotonic() > deadline_s

        Listener(_job(url), Seat(cls, 0, 0, place), of, lambda member: None, tell).run(wait)
        yield told
        server.shutdown()
        thread.join()


def _says(*rows: Any, closes: bool = False) -> Callable[[Any], None]:
    """A server that acknowledges the subscription, then sends these, each made as it is sent, and waits or closes."""

    def handler(connection: Any) -> None:
        assert connection.request.path == "/live"
        assert connection.request.headers["X-Key"] == "k"
        assert connection.subprotocol == "b"
        assert (connection.recv(), connection.recv()) == ("hello", b"\x00")
        assert json.loads(connection.recv()) == ["news"]
        connection.send("ok")
        for row in rows:
            connection.send(row() if callable(row) else row)
        while not closes:
            connection.recv()

    return handler


def _event(sequence: int, *, ago_ms: int = 0, publisher: str = "r1.0") -> Callable[[], str]:
    def made() -> str:
        time.sleep(0.05)  # in a read of its own, after the subscription was heard of
        now = time.monotonic_ns() - ago_ms * MS
        return json.dumps([publisher, "news", sequence, now, now])

    return made


def test_a_delivery_is_timed_from_when_it_was_sent() -> None:
    """By the kernel's stamp, where the system offers one."""
    with _heard(_says(_event(0), _event(1)), until=2) as told:
        assert [answer.failure for answer in told] == ["", ""]
        assert all(0 <= answer.ended_ns - answer.started_ns < 1000 * MS for answer in told)
        assert all(answer.by_kernel for answer in told)


def test_what_is_of_no_use() -> None:
    """Events of other runs, and those that were sent before it listened and come after."""
    rows = (_event(0, publisher="r2.0"), _event(1, ago_ms=5000), _event(2))
    with _heard(_says(*rows)) as told:
        assert len(told) == 1
        assert told[0].ended_ns - told[0].started_ns < 1000 * MS


def test_of_several_listeners_one_keeps_a_publication() -> None:
    """Forty of them, three listeners: each is kept once, and each listener keeps some."""
    kept = []
    for place in range(3):
        rows = [json.dumps(["r1.0", "news", k, 2**62 + k, 2**62 + k]) for k in range(40)]
        with _heard(_says(*rows, closes=True), of=3, place=place, until=41, at_end=True) as told:
            kept.append({answer.started_ns - 2**62 for answer in told if not answer.failure})
    assert set.union(*kept) == set(range(40))
    assert sum(map(len, kept)) == 40
    assert all(kept)


def test_broadcasts() -> None:
    """Each that bears its time, as text or as bytes; none from before it was connected, none that has no time."""

    def handler(connection: Any) -> None:
        time.sleep(0.05)
        now = time.monotonic_ns()
        for frame in (json.dumps([1]), json.dumps([2, now - 5000 * MS]), json.dumps([3, now])):
            connection.send(frame)
        connection.send(struct.pack("<qq", 4, now + 1))
        connection.recv()

    with _heard(handler, until=2, cls=Hearer) as told:
        first, second = told
        assert second.started_ns - first.started_ns == 1
        assert all(0 <= answer.ended_ns - answer.started_ns < 1000 * MS for answer in told)


def test_a_frame_in_pieces_is_one() -> None:
    """Fragments are put together."""
    text = json.dumps(["r1.0", "news", 7, 2**62, 2**62])
    with _heard(_says([text[:9], text[9:20], text[20:]])) as told:
        assert [answer.started_ns for answer in told] == [2**62]


def test_a_server_that_lets_nobody_in() -> None:
    """Its status is the kind of the failure, which holds no secret."""
    refuse = lambda connection, request: connection.respond(403, "no\n")  # noqa: E731
    with _heard(_says(), process_request=refuse) as told:
        assert [answer.failure for answer in told] == ["handshake 403"]


def test_a_connection_that_is_closed_is_made_again() -> None:
    """The end is told, and the next connection listens again."""
    came = iter(range(9))

    def handler(connection: Any) -> None:
        if next(came) == 0:
            connection.close(1012)
        else:
            _says(_event(0))(connection)

    with _heard(handler, until=2) as told:
        assert [answer.failure for answer in told] == ["connection closed", ""]


def test_nothing_to_listen_to() -> None:
    """A member that names no channels needs no listener; nobody is connected to."""
    Listener(_job(), Seat(Mute, 0, 0, 0), 1, lambda member: None, pytest.fail).run(lambda seconds: False)

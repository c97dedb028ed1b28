"""The target's metrics asked beside the load: what is written and said, with threads and clocks given."""

import socket
import threading
from collections import deque

import pytest

from loadtests.scenario import Phase, Scenario, Target
from loadtests.scrape import MOST_BYTES, Scrape, fetch_metrics


class Bench:
    """A scrape whose questions are answered when the test says so."""

    def __init__(self, *answers):
        self.answers, self.rows, self.told, self.waiting, self.now_s = deque(answers), [], [], [], 0.0
        self.scrape = Scrape(
            self._ask, lambda: self.now_s, self.rows.append, self.told.append, start=self.waiting.append
        )

    def _ask(self):
        found = self.answers.popleft()
        if isinstance(found, Exception):
            raise found
        return found

    def second(self, *, answered=True):
        """Poll, and let the question be answered within the second or not."""
        self.scrape.poll()
        self.now_s += 0.5
        if answered:
            self.waiting.pop()()
        self.now_s += 0.5


def test_kept():
    """Each answer is written at the moment it came; names only once."""
    bench = Bench(b"a 1\n", b"a 2\n", b"")
    for _ in range(3):
        bench.second()
    assert bench.rows == [
        {"series": [("a", "gauge")], "at_s": 0.5, "values": [1]},
        {"at_s": 1.5, "values": [2]},
    ]
    assert bench.told == []


def test_missing_and_back():
    """A failure is written each second, told once, and so is its end."""
    bench = Bench(b"a 1\n", OSError("it answers 503"), b"<html>", b"a 2\n", b"")
    for _ in range(5):
        bench.second()
    assert [row.get("missing") for row in bench.rows] == [
        None,
        "it answers 503",
        "it is not in Prometheus text format",
        None,
    ]
    assert bench.told == [
        "the target's metrics cannot be read: it answers 503",
        "the target's metrics can be read again",
    ]


def test_late():
    """While an answer is awaited no other is asked for; the second is missing, and the late answer counts."""
    bench = Bench(b"a 1\n", b"a 2\n", b"")
    bench.second(answered=False)
    bench.scrape.poll()
    assert len(bench.waiting) == 1
    assert bench.rows == [{"at_s": 1.0, "missing": "there is no answer within 1 s"}]
    bench.waiting.pop()()
    bench.second()
    assert bench.rows[-1]["values"] == [1]


def test_unforeseen():
    """An error of our own is written by its type, never its words."""
    bench = Bench(KeyError("Bearer hunter2"), b"")
    bench.second()
    bench.second()
    assert bench.rows == [{"at_s": 0.5, "missing": "KeyError"}]


def test_left_out_is_written_once():
    """A bound that is met is one note in the account, and no incident."""
    text = "".join(f"m{i} 1\n" for i in range(201)).encode()
    bench = Bench(text, text, b"")
    for _ in range(3):
        bench.second()
    notes = [row["left_out"] for row in bench.rows if "left_out" in row]
    assert notes == ["there are more than 200 series; the others are not kept"]
    assert bench.told == []


def _scenario(port, token):
    target = Target(url=f"http://127.0.0.1:{port}/api", metrics="/metrics?x=1", metrics_token="m")
    return Scenario(name="x", target=target, phases=(Phase(kind="steady", duration="1s"),), secrets={"m": token})


def _answering(answer):
    """A port whose first caller gets an answer, and what was asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked = []

    def serve():
        with listener, listener.accept()[0] as caller:
            asked.append(caller.recv(4096))
            try:
                caller.sendall(answer)
            except ConnectionError:
                asked.append(b"gone")

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], asked


def test_fetch():
    """The path is the target's, and the token goes with it."""
    port, asked = _answering(b"HTTP/1.0 200 OK\r\n\r\na 1\n")
    assert fetch_metrics(_scenario(port, "t0ken"))() == b"a 1\n"
    head = asked[0].split(b"\r\n")
    assert head[0] == b"GET /api/metrics?x=1 HTTP/1.1"
    assert b"Authorization: Bearer t0ken" in head


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 401 No\r\n\r\n", "it answers 401"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "it answers 302"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * (MOST_BYTES + 1), "it is longer than 1,048,576 bytes"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
    ],
)
def test_refused(answer, said):
    """An answer that is no success, elsewhere, endless or no HTTP is an error in our words."""
    port, _ = _answering(answer)
    with pytest.raises(OSError, match=said):
        fetch_metrics(_scenario(port, "t0ken"))()


def test_drip():
    """An answer that comes in time byte by byte, but not as a whole, is given up."""
    port, _ = _answering(b"HTTP/1.0 200 OK\r\n\r\na 1\n")
    moments_s = iter([5.0, 6.01])
    with pytest.raises(OSError, match="no answer within 1 s"):
        fetch_metrics(_scenario(port, "t0ken"), lambda: next(moments_s))()


def test_token_is_not_quoted():
    """A token that cannot be sent is not shown by the error that says so."""
    port, _ = _answering(b"")
    with pytest.raises(OSError, match=r"^ValueError$"):
        fetch_metrics(_scenario(port, "hunter2\nx"))()

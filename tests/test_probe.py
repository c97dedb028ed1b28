"""A connection of the witness against a server on loopback that says what the test wants."""

import select
import socket
import ssl
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import trustme

from loadtests.probe import Probe
from loadtests.proberequest import ProbeRequest
from loadtests.stampedsocket import StampedSocket

ASK = ProbeRequest("GET /a", "/a", (("X-Key", "k"),))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(*connections, context=None):
    """A server; each connection is given as its answers, one to a request, in parts; it closes after the last."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard = []

    def serve():
        for answers in connections:
            accepted, _ = listener.accept()
            try:
                with context.wrap_socket(accepted, server_side=True) if context else accepted as connection:
                    for parts in answers:
                        heard.append(connection.recv(4096))
                        for part in parts if isinstance(parts, tuple) else (parts,):
                            connection.sendall(part)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], heard
    listener.close()
    thread.join(1)


def probe(port, timeout_s=5.0, scheme="http", tls_verify=True):
    """A connection to the server."""
    return Probe(f"{scheme}://localhost:{port}", ["127.0.0.1"], timeout_s, tls_verify=tls_verify)


def test_good_answer():
    """The request goes out as it is, and the times are in order."""
    with serving([OK]) as (port, heard):
        before = time.monotonic_ns()
        answer = probe(port).ask(ASK)
        assert before <= answer.started_ns < answer.ended_ns <= time.monotonic_ns()
        assert (answer.failure, answer.timed_out) == ("", False)
    assert heard == [f"GET /a HTTP/1.1\r\nHost: localhost:{port}\r\nX-Key: k\r\n\r\n".encode()]


def test_kept_alive():
    """Requests share a connection, which is made anew once the server has closed it (RFC 9112, section 9.3)."""
    with serving([OK, OK], [OK]) as (port, heard):
        one = probe(port)
        assert [one.ask(ASK).failure, one.ask(ASK).failure] == ["", ""]
        select.select([one._socket], [], [], 5)  # the end of the first connection has come
        assert one.ask(ASK).failure == ""
    assert len(heard) == 3


def test_closed_as_announced():
    """An answer with ``Connection: close`` ends the connection, and one without a length ends with it."""
    last = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with serving([last], [OK]) as (port, _):
        one = probe(port)
        assert one.ask(ASK).failure == ""
        assert one._socket is None
        assert one.ask(ASK).failure == ""


def test_in_pieces():
    """The answer is whole with its last chunk (RFC 9112, section 7.1), not with its head."""
    head, rest = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", b"\r\n0\r\n\r\n"
    with serving([(head, rest), OK]) as (port, _):
        one = probe(port)
        assert [one.ask(ASK).failure, one.ask(ASK).failure] == ["", ""]


@pytest.mark.parametrize(("status", "failure"), [(204, ""), (304, ""), (302, "status 302"), (429, "status 429")])
def test_status(status, failure):
    """Success and "not modified" are good answers; a redirect is not followed."""
    with serving([b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status]) as (port, _):
        assert probe(port).ask(ASK).failure == failure


@pytest.mark.parametrize(
    ("answers", "failure"),
    [([], "connection closed"), ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"], "connection closed"),
     ([b"SSH-2.0-x\r\n\r\n"], "answer broken")],
)  # fmt: skip
def test_broken(answers, failure):
    """What is no whole answer is a failure with a name."""
    with serving(answers) as (port, _):
        assert probe(port).ask(ASK).failure == failure


def test_nobody_there():
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert probe(port).ask(ASK).failure == "connection refused"


def test_no_answer():
    """A server that takes the connection and says nothing: the time-out, and a time of at least that."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = probe(silent.getsockname()[1], timeout_s=0.05).ask(ASK)
    assert answer.timed_out
    assert answer.ended_ns - answer.started_ns >= 50_000_000


def test_meant_to_start_earlier():
    """A turn that had to wait for the connection is timed from its own moment."""
    with serving([OK]) as (port, _):
        meant = time.monotonic_ns() - 1_000_000_000
        answer = probe(port).ask(ASK, meant)
    assert answer.started_ns == meant
    assert answer.ended_ns - meant >= 1_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are asked of Linux alone; run it there")
def test_stamped_as_it_came():
    """The kernel's stamp is not later than the moment at which the bytes could be read, however late they are."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deadline = time.monotonic_ns() + 5_000_000_000
        stamped = False
        for _ in range(50):  # the kernel begins to stamp a moment after the first socket has asked for it
            line = StampedSocket("127.0.0.1", listener.getsockname()[1], "x", None, deadline)
            accepted, _ = listener.accept()
            before = time.monotonic_ns()
            accepted.sendall(b"x")
            select.select([line], [], [], 5)
            readable = time.monotonic_ns()
            while time.monotonic_ns() < readable + 5_000_000:
                pass  # busy, as a client that does something else
            data, at_ns, stamped = line.receive(deadline)
            accepted.close()
            line.close()
            if stamped:
                break
        assert (data, stamped) == (b"x", True)
        assert before - 1_000_000 <= at_ns <= readable + 1_000_000  # two clocks are read one after the other


def test_tls(tmp_path, monkeypatch):
    """Certificates are verified, against the authorities of SSL_CERT_FILE too, unless told otherwise."""
    ours = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("localhost").configure_cert(context)
    with serving([OK, OK], [OK], [OK], context=context) as (port, _):
        assert probe(port, scheme="https").ask(ASK).failure == "TLS failed"
        one = probe(port, scheme="https", tls_verify=False)
        assert one.ask(ASK).failure == ""
        ours.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        trusting = probe(port, scheme="https")
        assert [trusting.ask(ASK).failure] == [""]


def test_tls_kept_alive():
    """Session tickets that come unasked do not make an idle connection look closed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with serving([OK, OK, OK], context=context) as (port, heard):
        one = probe(port, scheme="https", tls_verify=False)
        assert [one.ask(ASK).failure for _ in range(3)] == ["", "", ""]
    assert len(heard) == 3

"""One connection of the witness: a GET, and when the last byte of its answer was here."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httptools

from loadtests.httprequest import origin
from loadtests.proberequest import ProbeRequest
from loadtests.stampedsocket import StampedSocket
from loadtests.tls import tls_context

__all__ = ["Answer", "Probe", "kind_of"]

_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request; times in ns of CLOCK_MONOTONIC.

    ``failure`` is empty of a good answer (success, or not modified), else its kind in few words that hold no secret.
    """

    started_ns: int
    ended_ns: int
    failure: str = ""
    by_kernel: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time: of its time only a least is known."""
        return self.failure == "timed out"


class Probe:
    """One connection, kept alive and made anew when it is gone; it connects to the given addresses alone.

    Args:
        url: of the target.
        addresses: that its host resolved to when the run was allowed.
        timeout_s: of one request, connecting included.
        tls_verify: whether certificates are verified.

    """

    def __init__(self, url: str, addresses: Sequence[str], timeout_s: float, *, tls_verify: bool) -> None:
        scheme, self._name, self._port = origin(url)
        self._addresses = addresses
        self._timeout_s = timeout_s
        host = f"[{self._name}]" if ":" in self._name else self._name
        self._host = host if self._port == (443 if scheme == "https" else 80) else f"{host}:{self._port}"
        self._context: ssl.SSLContext | None = None
        if scheme == "https":
            self._context = tls_context(tls_verify)
        self._socket: StampedSocket | None = None

    def ask(self, request: ProbeRequest, intended_ns: int | None = None) -> Answer:
        """Make the request and wait for the whole answer; its clock starts now, or when it was meant to start."""
        started_ns = time.monotonic_ns() if intended_ns is None else intended_ns
        deadline_ns = time.monotonic_ns() + round(self._timeout_s * 1e9)
        try:
            if self._socket is None or self._socket.is_stale():
                self.close()
                self._socket = self._connect(deadline_ns)
            self._socket.send(request.head(self._host), deadline_ns)
            status, is_kept, ended_ns, by_kernel = _read_answer(self._socket, deadline_ns)
        except Exception as error:  # whatever it is, it must not end the connection's thread
            self.close()
            return Answer(started_ns, time.monotonic_ns(), kind_of(error))
        if not is_kept:
            self.close()
        good = 200 <= status < 300 or status == _NOT_MODIFIED
        return Answer(started_ns, max(ended_ns, started_ns), "" if good else f"status {status}", by_kernel)

    def close(self) -> None:
        """Let the connection go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self, deadline_ns: int) -> StampedSocket:
        problem: OSError = ConnectionRefusedError()
        for address in self._addresses:
            try:
                return StampedSocket(address, self._port, self._name, self._context, deadline_ns)
            except OSError as error:
                problem = error
        raise problem


class _Parsed:
    """An answer as ``httptools`` tells it; whether the connection is kept is known only until the answer is over."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.is_kept = self.complete = False

    def on_message_complete(self) -> None:
        self.is_kept, self.complete = self.parser.should_keep_alive(), True


def _read_answer(connection: StampedSocket, deadline_ns: int) -> tuple[int, bool, int, bool]:
    """Status, whether the connection may be used again, when the last byte was here, and whether by the kernel."""
    parsed = _Parsed()
    while True:
        data, at_ns, by_kernel = connection.receive(deadline_ns)
        parsed.parser.feed_data(data)
        if parsed.complete:
            return parsed.parser.get_status_code(), parsed.is_kept, at_ns, by_kernel


def kind_of(error: Exception) -> str:
    """A failure in words of our own: those of the error may quote what was asked for."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError):
        return "connection closed"
    if isinstance(error, httptools.HttpParserError):
        return "answer broken"
    return type(error).__name__

"""One WebSocket of the witness: a subscriber like those of the swarm, in a process that has time to read.

It is a member of the scenario's own class, after the last of those that the swarm has. What it receives bears the
kernel's stamp. Of the deliveries of one publication only one listener keeps one, so that those kept are independent
draws.
"""

from __future__ import annotations

import math
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin
from zlib import crc32

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from loadtests.classfile import load_class
from loadtests.feed import read_feeds
from loadtests.job import Job
from loadtests.member import Answer as Said
from loadtests.member import Broadcast, Delivery, Member, Read, RoundTrip, Subscribed
from loadtests.probe import Answer, kind_of
from loadtests.stampedsocket import StampedSocket
from loadtests.stamps import Stamps
from loadtests.timenamespace import ahead_ns
from loadtests.tls import tls_context

__all__ = ["Listener", "Seat", "seats"]

PATIENCE_S = 0.5
"""How long one look for data lasts."""
PAUSE_S = 2.0
LARGEST_FRAME = 4 << 20


@dataclass(frozen=True)
class Seat:
    """Where a listener sits: as the ``number``-th of the swarm's connections, as the ``index``-th of its class."""

    cls: type[Member]
    index: int
    number: int
    place: int
    """Among the listeners, from 0."""


def seats(job: Job) -> list[Seat]:
    """Listeners spread evenly over the connections that subscribe, in the order in which these connect.

    A server that writes to one after the other reaches the last long after the first, so who came when matters; the
    last listener comes with the last of them.
    """
    scenario = job.scenario
    found: list[tuple[type[Member], int]] = []
    number = 0
    for spec in scenario.swarm.members:
        cls: type[Member] = load_class(spec.cls, scenario.folder)
        if _listens(cls):
            found += [(cls, number + each) for each in range(spec.count)]
        number += spec.count
    counts = Counter(cls for cls, _ in found)
    wanted = min(scenario.witness_sockets, len(found))
    return [
        Seat(cls, counts[cls] + place, number, place)
        for place in range(wanted)
        for cls, number in [found[math.ceil((place + 1) * len(found) / wanted) - 1]]
    ]


def _listens(cls: type[Member]) -> bool:
    """Whether it is sent what has a time of this machine's clock: publications, or the server's own broadcasts."""
    if cls.hears_broadcasts:
        return cls.clock_question is Member.clock_question
    return cls.channels is not Member.channels and not issubclass(cls, RoundTrip)


class Listener:
    """Listens from its turn on, again and again, until it is told to stop.

    Args:
        job: the run's.
        seat: which of the swarm's connections it is like.
        of: how many listeners there are.
        prepare: lets a member prepare, and waits for it.
        tell: takes each delivery that is kept, and what went wrong.

    """

    def __init__(
        self, job: Job, seat: Seat, of: int, prepare: Callable[[Member], None], tell: Callable[[Answer], None]
    ) -> None:
        scenario = job.scenario
        secrets = scenario.plain_secrets()
        self._member = seat.cls(seat.index, read_feeds(scenario), scenario.settings, secrets)
        self._target, self._timeout_s = scenario.target, scenario.load.timeout / 1e9
        self._mark = f"{job.run_id}."
        self._place, self._of = seat.place, of
        self._prepare, self._tell = prepare, tell
        self._subscribed_ns: int | None = None
        self._stamps = Stamps(scenario.swarm.drain, ahead_ns(scenario.target.url))

    def run(self, wait: Callable[[float], bool]) -> None:
        """Serve one connection after another; ``wait`` sleeps, and says whether it is over."""
        while not wait(0):
            began_ns = time.monotonic_ns()
            try:
                if not self._serve(wait):
                    return
            except Exception as error:  # whatever it is, it must not end the thread unheard
                status = error.response.status_code if isinstance(error, InvalidStatus) else 0
                kind = f"handshake {status}" if status else kind_of(error)
                self._tell(Answer(began_ns, time.monotonic_ns(), kind))
            if wait(PAUSE_S):
                return

    def _serve(self, wait: Callable[[float], bool]) -> bool:
        """One connection; False when its member hears nothing."""
        self._prepare(self._member)
        channels = list(self._member.channels())
        if not (channels or self._member.hears_broadcasts):
            return False
        self._subscribed_ns = None
        protocol, connection = self._connect()
        try:
            data, kind = b"", Opcode.TEXT
            for frame, at_ns, by_kernel in self._frames(protocol, connection, wait, channels):
                if frame.opcode is Opcode.CONT:
                    data += frame.data
                elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                    data, kind = bytes(frame.data), frame.opcode
                if frame.fin and frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    binary = kind is Opcode.BINARY
                    read = self._member.read_bytes(data) if binary else self._member.read(data.decode())
                    for meaning in read if isinstance(read, list) else [read]:
                        if isinstance(meaning, Said):
                            _say(protocol, meaning.messages)
                            meaning = meaning.meaning
                        self._received(meaning, at_ns, by_kernel)
        finally:
            connection.close()
        return True

    def _connect(self) -> tuple[ClientProtocol, StampedSocket]:
        url = urljoin(self._target.url, self._member.path).replace("http", "ws", 1)
        uri = parse_uri(url)
        context = tls_context(self._target.tls_verify, self._member.cert) if uri.secure else None
        deadline_ns = self._deadline_ns()
        address = socket.getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)[0][4][0]
        connection = StampedSocket(str(address), uri.port, uri.host, context, deadline_ns)
        asked = [Subprotocol(name) for name in self._member.subprotocols]
        protocol = ClientProtocol(uri, subprotocols=asked or None, max_size=LARGEST_FRAME)
        request = protocol.connect()
        for name, value in self._member.headers().items():
            request.headers[name] = value
        protocol.send_request(request)
        return protocol, connection

    def _frames(
        self,
        protocol: ClientProtocol,
        connection: StampedSocket,
        wait: Callable[[float], bool],
        channels: Sequence[str],
    ) -> Iterator[tuple[Frame, int, bool]]:
        """Every data frame with its stamp, until it is over."""
        opened = False
        while not wait(0):
            self._flush(protocol, connection)
            try:
                data, at_ns, by_kernel = connection.receive(time.monotonic_ns() + int(PATIENCE_S * 1e9))
            except TimeoutError:
                continue
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    yield event, at_ns, by_kernel
                elif protocol.handshake_exc is not None:
                    raise protocol.handshake_exc
                elif not opened and protocol.state is State.OPEN:  # else it was closed in the same breath
                    opened = True
                    subscribe = self._member.subscribe_frame(channels) if channels else None
                    self._subscribed_ns = None if channels else at_ns
                    _say(protocol, (*self._member.greetings(), *((subscribe,) if subscribe else ())))
            if protocol.close_expected():
                raise ConnectionResetError

    def _flush(self, protocol: ClientProtocol, connection: StampedSocket) -> None:
        for data in protocol.data_to_send():
            if data:
                connection.send(data, self._deadline_ns())

    def _received(self, meaning: Read, at_ns: int, by_kernel: bool) -> None:
        stamp_ns = meaning.sent_ns if isinstance(meaning, Broadcast) else None
        if isinstance(meaning, Broadcast) and stamp_ns is not None and self._stamps.are_ours(stamp_ns, at_ns):
            publisher = f"{self._mark}{meaning.publisher}"
            meaning = Delivery(publisher, meaning.channel, meaning.sequence, stamp_ns, stamp_ns)
        if isinstance(meaning, Subscribed):
            self._subscribed_ns = at_ns
        elif isinstance(meaning, Delivery) and meaning.publisher.startswith(self._mark):
            if self._subscribed_ns is None or meaning.sent_ns < self._subscribed_ns:
                return  # said before it listened: what a server sends after the event took no time on its way
            key = f"{meaning.publisher}|{meaning.channel}|{meaning.sequence}".encode()
            if crc32(key) % self._of == self._place:
                self._tell(Answer(meaning.sent_ns, max(at_ns, meaning.sent_ns), by_kernel=by_kernel))

    def _deadline_ns(self) -> int:
        return time.monotonic_ns() + round(self._timeout_s * 1e9)


def _say(protocol: ClientProtocol, messages: Iterable[str | bytes]) -> None:
    for message in messages:
        if isinstance(message, bytes):
            protocol.send_binary(message)
        else:
            protocol.send_text(message.encode())

"""What a server may do to its clients, and servers that do it."""

import _socket
import contextlib
import fcntl
import os
import socket
import struct
import termios
import threading
import time

from tests.listening import Heard, Listening, tls_of_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def whole(sock):
    """Answer as one should."""
    sock.sendall(OK)


def sends(*pieces, pause_s=0.0):
    """Send these, one after another, then keep the connection."""

    def answer(sock):
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause_s)

    return answer


def apart(*pieces):
    """Send these so that each is a read of its own: the next once the client has taken the one before."""

    def answer(sock):
        client = _other_end(sock)
        for piece in pieces:
            sock.sendall(piece)
            while _unread_bytes(client):
                time.sleep(0.0003)

    return answer


def each_byte(data):
    """Send it byte by byte, each a read of its own."""
    return apart(*(data[k : k + 1] for k in range(len(data))))


def _other_end(sock):
    """The client's descriptor: its socket is of this process, too."""
    for fd in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):
            one = _socket.socket(fileno=fd)
            try:
                name = one.getsockname()
            finally:
                one.detach()
            if name == sock.getpeername():
                return fd
    raise AssertionError("the client is elsewhere")


def _unread_bytes(fd):
    with contextlib.suppress(OSError):  # closed meanwhile
        return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]
    return 0


def closes(*pieces):
    """Send these, then close."""

    def answer(sock):
        sends(*pieces)(sock)
        sock.close()

    return answer


def closes_in_peace(*pieces):
    """Send these, say that nothing more will come, and read to the end before closing (RFC 9112, section 9.6)."""

    def answer(sock):
        sends(*pieces)(sock)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 20):
            pass

    return answer


def resets(*pieces):
    """Send these, then reset the connection."""

    def answer(sock):
        apart(*pieces)(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    return answer


def half_closes(*pieces):
    """Send these, and say that nothing more will come; the connection stays open in the other direction."""

    def answer(sock):
        sends(*pieces)(sock)
        sock.shutdown(socket.SHUT_WR)

    return answer


def says_over(*pieces):
    """Send these over TLS, and say that this was all before the connection is closed."""

    def answer(sock):
        sends(*pieces)(sock)
        with contextlib.suppress(OSError):
            sock.unwrap()
        sock.close()

    return answer


def hangs(sock):
    """Never answer."""
    time.sleep(1.5)


class Hostile(Listening):
    """Does to one request what it is told, and answers every other as one should.

    Args:
        does: to the connection, when the request's head has come.
        at: which request that is.
        secure: whether there is TLS.
        shakes: what it does instead of shaking hands for that on its first connection.

    """

    def __init__(self, does, at=1, secure=False, shakes=None):
        self.requests, self.did = 0, threading.Event()
        self._does, self._at, self._shakes, self._context = does, at, shakes, tls_of_server() if secure else None
        super().__init__()
        if secure:
            self.url = self.url.replace("http:", "https:")

    def serve(self, sock, heard):
        """Answer each request."""
        if self._shakes and self.connections == 1:
            sock.recv(1 << 16)
            self._shakes(sock)
        elif self._context:
            sock = self._context.wrap_socket(sock, server_side=True)
            heard = Heard(sock)
        while True:
            _, _, fields = heard.head()
            self.requests += 1
            if self.requests == self._at:
                self._does(sock)
                self.did.set()
            else:
                whole(sock)
            heard.body(fields)


class Cutting(Listening):
    """Gives the same answer every time, cut in two: after its first byte, its second, and so on."""

    def __init__(self, data):
        self.data, self.requests = data, 0
        super().__init__()

    def serve(self, sock, heard):
        """Answer each request."""
        while True:
            heard.head()
            self.requests += 1
            apart(self.data[: self.requests], self.data[self.requests :])(sock)

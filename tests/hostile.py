"""Servers on loopback, also ones that behave badly.

Sockets and threads, as Python has them: so they serve in a process that Locust has patched, where threads are
greenlets, and beside members on a loop.
"""

import _socket
import contextlib
import fcntl
import os
import socket
import struct
import termios
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Listening:
    """Serves each connection in a thread, until it is stopped."""

    def __init__(self):
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._hold, args=(sock,), daemon=True).start()

    def _hold(self, sock):
        with contextlib.suppress(OSError, EOFError), sock:
            self.serve(sock, Heard(sock))

    def stop(self):
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone wakes nobody who waits for one
        self._listener.close()


class Heard:
    """What comes over a connection; EOFError where it ends before."""

    def __init__(self, sock):
        self._sock, self._rest = sock, b""

    def head(self):
        """A request's head: method, target, and fields by their names in small letters."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        return method, target, {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}

    def body(self, fields):
        """The body after a head with such fields."""
        length = int(fields.get("content-length", 0))
        pieces, have = [self._rest], len(self._rest)
        while have < length:
            self._rest = b""
            self._more()
            pieces.append(self._rest)
            have += len(self._rest)
        whole = b"".join(pieces)
        self._rest = whole[length:]
        return whole[:length]

    def _more(self):
        data = self._sock.recv(1 << 18)
        if not data:
            raise EOFError
        self._rest += data


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
            name = one.getsockname()
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


def resets(*pieces):
    """Send these, then reset the connection."""

    def answer(sock):
        sends(*pieces, pause_s=0.02)(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    return answer


def half_closes(sock):
    """Answer, and say that nothing more will come."""
    sock.sendall(OK)
    sock.shutdown(socket.SHUT_WR)


def hangs(sock):
    """Never answer."""
    time.sleep(1)


class Hostile(Listening):
    """Does to the first request what it is told, and answers every other as one should."""

    def __init__(self, does):
        self.does, self.requests = does, 0
        super().__init__()

    def serve(self, sock, heard):
        """Answer each request."""
        while True:
            _, _, fields = heard.head()
            self.requests += 1
            (self.does if self.requests == 1 else whole)(sock)
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

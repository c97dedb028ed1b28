"""Servers on loopback for tests, plain or with TLS.

Sockets and threads: so they serve in a process that Locust has patched, where threads are greenlets, and beside members
on a loop.
"""

import contextlib
import os
import socket
import ssl
import threading

import trustme


class Listening:
    """Serves each connection in a thread, until it is stopped."""

    def __init__(self, host="127.0.0.1"):
        self.connections = self.open = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self.open += 1
                threading.Thread(target=self._hold, args=(sock,), daemon=True).start()

    def _hold(self, sock):
        try:
            with contextlib.suppress(OSError, EOFError), sock:
                self.serve(sock, Heard(sock))
        finally:
            self.open -= 1

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


def papers(folder):
    """What a process needs in its environment so that its servers speak TLS and its clients trust them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    server = authority.issue_cert("127.0.0.1", "localhost")
    server.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return {"SSL_CERT_FILE": str(folder / "authority.pem"), "SERVER_PEM": str(folder / "server.pem")}


def tls_of_server():
    """By the papers of this process."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.environ["SERVER_PEM"])
    return context

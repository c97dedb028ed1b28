"""Servers that behave, and keep what they were asked."""

import json

import httptools

from tests.hostile import OK
from tests.listening import Heard, Listening, tls_of_server


class Shop(Listening):
    """A server that behaves, and keeps every request: what it does goes by the path."""

    def __init__(self, host="127.0.0.1"):
        self.heads, self.bodies = [], []
        super().__init__(host)

    def serve(self, sock, heard):
        """Answer each request."""
        while True:
            method, target, fields = heard.head()
            body = heard.body(fields)
            self.heads.append((method, target, fields))
            self.bodies.append(body)
            answer = self.answer(target, body)
            sock.sendall(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer)
            if target == "/leaves":
                return

    def answer(self, target, body):
        """What is said to it."""
        if target.startswith("/to/"):
            status, _, there = target.removeprefix("/to/").partition("/")
            return f"HTTP/1.1 {status} Moved\r\nLocation: /{there}\r\nContent-Length: 0\r\n\r\n".encode()
        more = b""
        if target == "/login":
            more = b"Set-Cookie: session=abc; Path=/\r\nSet-Cookie: tracking=no; Path=/elsewhere\r\n"
        body = body or json.dumps({"target": target, "name": "\u00e9"}, ensure_ascii=False).encode()
        kind = b"Content-Type: application/json\r\n"
        return b"HTTP/1.1 200 OK\r\n%b%bContent-Length: %d\r\n\r\n%b" % (more, kind, len(body), body)


class Named(Shop):
    """A shop with TLS, that keeps the names it is asked for."""

    def __init__(self):
        self.names, self._context = [], tls_of_server()
        self._context.sni_callback = lambda sock, name, context: self.names.append(name)
        super().__init__()

    def serve(self, sock, heard):
        """Shake hands first."""
        secure = self._context.wrap_socket(sock, server_side=True)
        super().serve(secure, Heard(secure))


class Strict(Listening):
    """Reads requests as a server's parser does, and sends on whoever asks for that."""

    def __init__(self):
        self.heads, self.bodies = [], []
        super().__init__()

    def serve(self, sock, heard):
        """Answer each request that is whole."""
        parser = httptools.HttpRequestParser(self)
        self._head, self._body = [], b""
        self._target, self._sock = "", sock
        while data := sock.recv(1 << 16):
            parser.feed_data(data)

    def on_url(self, url):
        """Called by the parser, as all of these are."""
        self._target = url.decode()

    def on_header(self, name, value):
        """Keep it."""
        self._head.append(name.decode().lower())

    def on_body(self, body):
        """Keep it."""
        self._body += body

    def on_message_complete(self):
        """Answer."""
        self.heads.append((self._target, {*self._head}))
        self.bodies.append(self._body)
        self._head, self._body = [], b""
        status = self._target.strip("/").encode()
        if status.isdigit():
            self._sock.sendall(b"HTTP/1.1 %b On\r\nLocation: /on\r\nContent-Length: 0\r\n\r\n" % status)
        else:
            self._sock.sendall(OK)

"""The server that the HTTP cases are met by does what its cases say."""

import socket

from tests.hostile import OK, Hostile, each_byte


def test_each_byte_is_a_read_of_its_own():
    """The next one is sent when the one before was taken; else 40 bytes come in two or three reads."""
    hostile = Hostile(each_byte(OK))
    reads = []
    with socket.create_connection(("127.0.0.1", hostile.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while sum(map(len, reads)) < len(OK):
            reads.append(client.recv(100))
    hostile.stop()
    assert reads == [OK[k : k + 1] for k in range(len(OK))]

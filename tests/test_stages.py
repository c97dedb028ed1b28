"""The stages of coming up, against a server that takes its time at each of them."""

import asyncio
import socket
import ssl
import threading
import time

import aiohttp
import pytest
import trustme
import uvloop
from websockets.utils import accept_key

from loadtests.stages import Stages, traced_tls, tracing
from loadtests.websocket import connect

TLS_S, UPGRADE_S = 0.08, 0.15


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """A certificate that nobody trusts, and its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def serve_once(listening, identity):
    """Take one connection; wait before its TLS handshake, and before the upgrade."""
    connection, _ = listening.accept()
    with connection:
        connection.settimeout(5)
        if identity:
            time.sleep(TLS_S)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity)
            connection = context.wrap_socket(connection, server_side=True)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(4096)
        time.sleep(UPGRADE_S)
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        answer = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key.decode())}"
        connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\n{answer}\r\n\r\n".encode())
        connection.recv(1)  # until the client has gone


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("secure", [False, True])
def test_each_by_itself(identity, loop, secure):
    """A server that waits before its handshake, and before it upgrades, is found to have done so there."""
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=serve_once, args=(listening, identity if secure else None), daemon=True)
    serving.start()

    async def main():
        connector = aiohttp.TCPConnector(ssl=traced_tls(verify=False))
        async with aiohttp.ClientSession(connector=connector, trace_configs=[tracing()]) as http:
            stages, begun_ns = Stages(), time.monotonic_ns()
            url = f"http{'s' if secure else ''}://127.0.0.1:{listening.getsockname()[1]}/"
            connected = await connect(http, url, lambda frames, now_ns: None, stages=stages)
            now_ns = time.monotonic_ns()
            connected.abort()
            return list(stages.spans(now_ns)), begun_ns, now_ns

    with asyncio.Runner(loop_factory=loop) as runner:
        spans, begun_ns, now_ns = runner.run(main())
    serving.join()
    listening.close()
    took = {series: (end - begin) / 1e9 for series, begin, end in spans}
    assert list(took) == (["ws tcp", "ws tls", "ws upgrade"] if secure else ["ws tcp", "ws upgrade"])
    assert took["ws upgrade"] >= UPGRADE_S
    assert not secure or took["ws tls"] >= TLS_S - 0.01  # it waits from the moment at which it has the connection
    ends = [span[2] for span in spans]
    assert [span[1] for span in spans[1:]] == ends[:-1]  # one begins where the other ends
    assert begun_ns <= spans[0][1] <= spans[0][2]
    assert ends[-1] == now_ns


def test_not_reached():
    """Where no connection came to be there is nothing to tell."""
    assert list(Stages().spans(5)) == []

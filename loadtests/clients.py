"""The aiohttp clients that a swarm's connections are made by."""

from __future__ import annotations

import contextlib
import functools
import socket
from typing import Any

import aiohttp

from loadtests.scenario import Target
from loadtests.stages import traced_tls, tracing

__all__ = ["Clients"]


class Clients:
    """One for each size of receive buffer and client certificate; closed with the stack.

    Args:
        target: of all of them.
        timeout_s: of a whole request, such as a login.
        stack: keeps them open.

    """

    def __init__(self, target: Target, timeout_s: float, stack: contextlib.AsyncExitStack) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._stack = stack
        self._made: dict[tuple[int, object], aiohttp.ClientSession] = {}

    async def of(self, receive_buffer: int, cert: str | tuple[str, str] | None = None) -> aiohttp.ClientSession:
        """The client of connections whose kernel takes so much in; 0 leaves that to the kernel."""
        which = receive_buffer, cert
        if which not in self._made:
            make = functools.partial(_small_socket, receive_buffer) if receive_buffer else None
            tls = traced_tls(self._target.tls_verify, cert)
            session = aiohttp.ClientSession(
                base_url=self._target.url,
                connector=aiohttp.TCPConnector(limit=0, ssl=tls, socket_factory=make),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                trace_configs=[tracing()],
            )
            # aiohttp would ask a second time, unseen, where a server hangs up or resets: half of what it refuses would
            # look like a success, and every storm be twice the storm. There is no public way to say so.
            session._retry_connection = False
            self._made[which] = await self._stack.enter_async_context(session)
        return self._made[which]


def _small_socket(receive_buffer: int, address: Any) -> socket.socket:
    """A socket that takes little in, from before it is connected."""
    family, kind, protocol, *_ = address
    small = socket.socket(family, kind, protocol)
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    return small

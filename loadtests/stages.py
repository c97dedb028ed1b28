"""How long each stage of coming up took: the TCP connection, the TLS handshake, and the upgrade to WebSocket.

aiohttp tells when it begins to connect and when it has; TLS begins where its object is first asked to shake hands.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp

from loadtests.series import TCP, TLS, UPGRADE
from loadtests.tls import tls_context

__all__ = ["Stages", "traced_tls", "tracing"]


class Stages:
    """Stamps of one connection (ns); 0 where a stage was not reached, or was not needed."""

    def __init__(self) -> None:
        self.tcp_from_ns = self.tls_from_ns = self.upgrade_from_ns = 0
        _current.set(self)

    def spans(self, upgraded_ns: int) -> Iterator[tuple[str, int, int]]:
        """Series, beginning and end of each."""
        if not self.upgrade_from_ns:
            return
        yield TCP, self.tcp_from_ns, self.tls_from_ns or self.upgrade_from_ns
        if self.tls_from_ns:
            yield TLS, self.tls_from_ns, self.upgrade_from_ns
        yield UPGRADE, self.upgrade_from_ns, upgraded_ns


_current: ContextVar[Stages | None] = ContextVar("stages", default=None)


class _TracedTls(ssl.SSLObject):
    def do_handshake(self) -> None:
        stages = _current.get()
        if stages is not None and not stages.tls_from_ns:
            stages.tls_from_ns = time.monotonic_ns()
        super().do_handshake()


def traced_tls(verify: bool, cert: str | tuple[str, str] | None = None) -> ssl.SSLContext:
    """What our clients trust and show, and handshakes that are timed."""
    context = tls_context(verify, cert)
    context.sslobject_class = _TracedTls
    return context


def tracing() -> aiohttp.TraceConfig:
    """Stamps the :class:`Stages` that a request's ``trace_request_ctx`` holds."""

    async def begun(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        if isinstance(stages := context.trace_request_ctx, Stages):
            stages.tcp_from_ns = time.monotonic_ns()

    async def made(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        if isinstance(stages := context.trace_request_ctx, Stages):
            stages.upgrade_from_ns = time.monotonic_ns()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(begun)
    trace.on_dns_resolvehost_end.append(begun)  # a name's resolution is no connecting
    trace.on_connection_create_end.append(made)
    return trace

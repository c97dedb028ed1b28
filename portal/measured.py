"""Every request named, timed, counted and logged, in one pass around the whole application."""

import logging
import secrets
import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal import timing, trace
from portal.metrics import UNMATCHED, Metrics

_log = logging.getLogger("portal.access")


class MeasuredFastAPI(FastAPI):
    """FastAPI, measured from outside: Starlette's answer to a crash is made outside of all other middleware."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put `Measured` around everything."""
        state = self.state
        return Measured(super().build_middleware_stack(), state.metrics, state.perf_ns, access_log=state.access_log)


class Measured:
    """ASGI middleware: Server-Timing, X-Request-ID, traceparent, metrics and the access log."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        new_id: Callable[[int], str] = secrets.token_hex,
        *,
        access_log: bool = False,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._new_id = new_id
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        spent = timing.Timing(self._clock_ns)
        names = trace.read_trace(scope["headers"], self._new_id)
        status = 0

        async def send_measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [
                    *message.get("headers", ()),
                    (b"server-timing", spent.header().encode()),
                    (b"x-request-id", names.request_id.encode()),
                    (b"traceparent", names.traceparent.encode()),
                ]
                message = {**message, "headers": headers}
            await send(message)

        timing_before, trace_before = timing.current.set(spent), trace.current.set(names)
        self._metrics.in_flight += 1
        try:
            await self._app(scope, receive, send_measured)
        finally:
            self._metrics.in_flight -= 1
            self._note(scope, status, spent)
            timing.current.reset(timing_before)
            trace.current.reset(trace_before)

    def _note(self, scope: Scope, status: int, spent: timing.Timing) -> None:
        total_ns = spent.total_ns()
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.observe(route, scope["method"], status, total_ns / 1e9)
        waited_ns = spent.spent_ns.get("pool")
        if waited_ns is not None:
            self._metrics.observe_wait(waited_ns / 1e9)
        if self._access_log:
            duration_ms = round(total_ns / 1e6, 3)
            fields = {"method": scope["method"], "route": route, "status": status, "duration_ms": duration_ms}
            _log.info("answered", extra={"fields": fields})

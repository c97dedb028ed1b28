"""Laboratory switches that are set at run time, at `/lab`: known faults, to be found by a load test.

Each PUT replaces all of them: what was on is undone, what was leaked is given back, and counting starts anew.
"""

import asyncio
import http
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from portal.auth import signed_in
from portal.faults import EventFaults
from portal.hub import Hub, deliver
from portal.services import Portal
from portal.slow import SlowError, check_route

MAX_LEAKED_BYTES = 256 * 1024 * 1024
"""No leak grows beyond this, so that the machine survives."""
MAX_LEAKED_FDS = 256
"""No more file descriptors are leaked than this."""

router = APIRouter(prefix="/lab", dependencies=[Depends(signed_in)], include_in_schema=False)
"""The routes of the laboratory; they exist with `PORTAL_LAB=1` only."""

_log = logging.getLogger("portal")


def _known_status(status: int) -> int:
    try:
        return http.HTTPStatus(status).value
    except ValueError:
        raise ValueError("there is no such status") from None


def _sendable(code: int) -> int:
    if code in (1004, 1005, 1006) or 1015 <= code < 3000:
        raise ValueError("no endpoint may send this close code (RFC 6455, section 7.4)")
    return code


class _Switch(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Fail(_Switch):
    """Answers every so-manieth request with an error, before any work is done."""

    status: Annotated[int, Field(ge=400, le=599), AfterValidator(_known_status)] = 503
    every: Annotated[int, Field(ge=1)] = 1


class RouteFault(_Switch):
    """What is wrong with one route."""

    delay_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    fail: Fail | None = None


class Freeze(_Switch):
    """Blocks the event loop for so long in every period."""

    for_s: Annotated[float, Field(gt=0, le=30)]
    every_s: Annotated[float, Field(gt=0, le=3_600)]

    @model_validator(mode="after")
    def _leaves_time(self) -> "Freeze":
        if self.every_s <= self.for_s:
            raise ValueError("every_s must be longer than for_s")
        return self


class Leak(_Switch):
    """What each request of a known route leaves behind."""

    bytes: Annotated[int, Field(ge=0, le=1024 * 1024)] = 0
    fds: Annotated[int, Field(ge=0, le=16)] = 0


class Events(_Switch):
    """What happens to every so-manieth delivery, an event to one socket; 0 is never.

    A delivery that is due for several is dropped rather than swapped, and swapped rather than duplicated.
    """

    drop_every: Annotated[int, Field(ge=0)] = 0
    duplicate_every: Annotated[int, Field(ge=0)] = 0
    swap_every: Annotated[int, Field(ge=0)] = 0


class Sockets(_Switch):
    """Closes each socket that has been sent so many events since it opened."""

    close_code: Annotated[int, Field(ge=1000, le=4999), AfterValidator(_sendable)] = 1012
    after_events: Annotated[int, Field(ge=1)]


class Switches(_Switch):
    """All switches; what is left out is off."""

    routes: Annotated[dict[str, RouteFault], Field(max_length=100)] = {}
    freeze: Freeze | None = None
    leak: Leak | None = None
    events: Events | None = None
    sockets: Sockets | None = None


class Lab:
    """The switches of one portal, and how often each did something."""

    def __init__(
        self,
        routes: Collection[str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        block: Callable[[float], None] = time.sleep,
    ) -> None:
        self._routes = routes
        self._sleep = sleep
        self._block = block
        self._freezing: asyncio.Task[None] | None = None
        self._events: EventFaults | None = None
        self._bytes: list[bytes] = []
        self._fds: list[int] = []
        self._requests: Counter[str] = Counter()
        self.switches = Switches()
        """What is on."""
        self.done: Counter[str] = Counter()
        """How often each fault was made since the switches were set."""

    def set(self, switches: Switches, hub: Hub) -> None:
        """Replace all switches; an unknown route is refused (`SlowError`) and nothing is changed."""
        for route in switches.routes:
            check_route(route, self._routes)
        self.stop()
        hub.deliver = deliver
        self.switches, self.done = switches, Counter()
        if switches.events is not None:
            self._events = EventFaults(switches.events, self.done)
            hub.deliver = self._events.deliver
        if switches.freeze is not None:
            self._freezing = asyncio.get_running_loop().create_task(self._freeze(switches.freeze))

    def stop(self) -> None:
        """End the freezes, deliver what is held back, give back what was leaked."""
        if self._freezing is not None:
            self._freezing.cancel()
        if self._events is not None:
            self._events.release()
        for fd in self._fds:
            os.close(fd)
        self._fds, self._bytes, self._events, self._freezing = [], [], None, None
        self._requests.clear()
        self.switches = Switches()

    def leak(self) -> None:
        """Leave behind what one request leaves behind, up to the caps."""
        leak = self.switches.leak
        if leak is None:
            return
        size = min(leak.bytes, MAX_LEAKED_BYTES - self.done["leaked_bytes"])
        if size:
            self._bytes.append(b"\1" * size)  # ones: zeros might never become pages of their own
            self.done["leaked_bytes"] += size
        for _ in range(min(leak.fds, MAX_LEAKED_FDS - len(self._fds))):
            self._fds.append(os.open(os.devnull, os.O_RDONLY))
            self.done["leaked_fds"] += 1

    async def hinder(self, route: str) -> Fail | None:
        """Hold back a request of `route` as its switch says, and return how it fails if it is its turn."""
        fault = self.switches.routes.get(route)
        if fault is None:
            return None
        self._requests[route] += 1
        fails = fault.fail is not None and self._requests[route] % fault.fail.every == 0
        if fails:
            self.done["failed"] += 1
        if fault.delay_ms:
            self.done["delayed"] += 1
            await self._sleep(fault.delay_ms / 1000)
        return fault.fail if fails else None

    async def _freeze(self, freeze: Freeze) -> None:
        while True:
            await self._sleep(freeze.every_s - freeze.for_s)
            self._block(freeze.for_s)
            self.done["frozen"] += 1


@router.get("")
async def show(request: Request) -> dict[str, Any]:
    """Show what is on, and how often each fault was made."""
    return _shown(request.app.state.lab)


@router.put("")
async def change(body: Switches, request: Request, portal: Portal) -> dict[str, Any]:
    """Replace all switches."""
    lab: Lab = request.app.state.lab
    try:
        lab.set(body, portal.hub)
    except SlowError as error:
        raise HTTPException(422, f"routes: {error}") from error
    _log.warning("laboratory switches: %s", body.model_dump_json(exclude_defaults=True))
    return _shown(lab)


@router.delete("")
async def turn_off(request: Request, portal: Portal) -> dict[str, Any]:
    """Turn everything off."""
    return await change(Switches(), request, portal)


def _shown(lab: Lab) -> dict[str, Any]:
    return {"switches": lab.switches.model_dump(exclude_none=True), "done": dict(lab.done)}

"""Laboratory switches that are set at run time, at `/lab`: known faults, to be found by a load test.

Each PUT replaces all of them: what was on is undone, what was leaked is given back, and counting starts anew.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from portal.auth import needs
from portal.hub import Hub, deliver
from portal.misdelivery import Misdelivery
from portal.services import Portal
from portal.slow import SlowError, check_route
from portal.switches import Fail, Freeze, Switches

MAX_LEAKED_BYTES = 256 * 1024 * 1024
"""No leak grows beyond this, so that the machine survives."""
MAX_LEAKED_FDS = 256
"""No more file descriptors are leaked than this."""

router = APIRouter(prefix="/lab", dependencies=[Depends(needs("admin"))], include_in_schema=False)
"""The routes of the laboratory; they exist with `PORTAL_LAB=1` only."""

_log = logging.getLogger("portal")


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
        self._events: Misdelivery | None = None
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
            self._events = Misdelivery(switches.events, self.done)
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

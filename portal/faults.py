"""The laboratory's faults themselves: in the way of requests, of sockets and of events."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.hub import Inbox
from portal.problems import Problem
from portal.templates import Templates

if TYPE_CHECKING:
    from portal.lab import Events, Lab

_EVENT = '{"type":"event",'  # how the hub's frames begin


class EventFaults:
    """Delivers events in the hub's place, with faults at exact counts over all deliveries."""

    def __init__(self, events: "Events", done: Counter[str]) -> None:
        self._events = events
        self._done = done
        self._deliveries = 0
        self._held: WeakKeyDictionary[Inbox, str] = WeakKeyDictionary()

    def deliver(self, subscribers: Iterable[Inbox], frame: str) -> int:
        """Hand a frame to each subscriber, or not, or twice, or after the next; return how many refused it."""
        return sum(not self._deliver(subscriber, frame) for subscriber in subscribers)

    def release(self) -> None:
        """Deliver what still waits for a next event."""
        for subscriber, frame in list(self._held.items()):
            subscriber.put(frame)
        self._held.clear()

    def _deliver(self, subscriber: Inbox, frame: str) -> bool:
        self._deliveries += 1
        if self._is_due(self._events.drop_every):
            self._done["dropped"] += 1
            return True
        held = self._held.pop(subscriber, None)
        if held is None and self._is_due(self._events.swap_every):
            self._held[subscriber] = frame
            return True
        taken = subscriber.put(frame)
        if self._is_due(self._events.duplicate_every):
            self._done["duplicated"] += 1
            subscriber.put(frame)
        if held is not None:
            self._done["swapped"] += 1
            subscriber.put(held)
        return taken

    def _is_due(self, every: int) -> bool:
        return every > 0 and self._deliveries % every == 0


class Faults:
    """ASGI middleware that delays and fails routes, leaks, and closes sockets, as the laboratory's switches say."""

    def __init__(self, app: ASGIApp, lab: "Lab", templates: Templates) -> None:
        self._app = app
        self._lab = lab
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] == "websocket":
            send = self._closing(send)
        elif scope["type"] == "http" and (route := self._templates.find(scope["method"], scope["path"])) is not None:
            self._lab.leak()
            fail = await self._lab.hinder(f"{scope['method']} {route.path}")
            if fail is not None:
                scope["route"] = route  # or it would be counted as a path that no template matches
                await Problem(fail.status, scope["path"], "a laboratory switch is on")(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _closing(self, send: Send) -> Send:
        events = 0
        is_closed = False

        async def send_counted(message: Message) -> None:
            nonlocal events, is_closed
            if is_closed:  # the session learns of it when the client answers
                return
            await send(message)
            if not (message.get("text") or "").startswith(_EVENT):
                return
            events += 1
            sockets = self._lab.switches.sockets
            if sockets is not None and events >= sockets.after_events:
                is_closed = True
                self._lab.done["closed"] += 1
                await send(
                    {"type": "websocket.close", "code": sockets.close_code, "reason": "a laboratory switch is on"}
                )

        return send_counted

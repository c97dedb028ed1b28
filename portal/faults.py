"""The laboratory's faults in the way of requests and of sockets."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.lab import Lab
from portal.problems import Problem
from portal.templates import Templates

_EVENT = '{"type":"event",'  # how the hub's frames begin


class Faults:
    """ASGI middleware that delays and fails routes, leaks, and closes sockets, as the laboratory's switches say."""

    def __init__(self, app: ASGIApp, lab: Lab, templates: Templates) -> None:
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

"""Two versions of the API side by side: what an answer of the older one says about its end."""

from email.utils import formatdate

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEPRECATED_AT_S = 1_795_392_000
"""From here on version 1 is deprecated: 2026-11-23T00:00:00Z, in Unix seconds."""
SUNSET_AT_S = 1_830_297_600
"""From here on version 1 may be gone: 2028-01-01T00:00:00Z, in Unix seconds."""

_SUCCESSORS = {f"/api/v1/{name}": f'</api/v2/{name}>; rel="successor-version"' for name in ("agents", "tasks")}


class Deprecation:
    """ASGI middleware that names the end and the successor of a route of version 1 (RFC 9745, RFC 8594).

    Login has no successor, so it is not deprecated.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._deprecated, self._sunset = f"@{DEPRECATED_AT_S}", formatdate(SUNSET_AT_S, usegmt=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        link = _successor(scope["path"]) if scope["type"] == "http" else None
        if link is None:
            await self._app(scope, receive, send)
            return

        async def send_deprecated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Deprecation"] = self._deprecated
                headers["Sunset"] = self._sunset
                headers.append("Link", link)
            await send(message)

        await self._app(scope, receive, send_deprecated)


def _successor(path: str) -> str | None:
    return _SUCCESSORS.get("/".join(path.split("/", 4)[:4]))

"""Security headers on every answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVERY = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_DATA = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PAGE = (b"content-security-policy", b"frame-ancestors 'none'")  # the API's own documentation loads scripts
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE = (b"cache-control", b"no-store")

DATA_HEADERS = {name.decode(): value.decode() for name, value in [*_EVERY, _DATA]}
"""What an answer carries that leaves outside this middleware."""

SECRET_PATHS = ("/api/v1/auth/", "/api/v1/keys")
"""Where answers hold secrets, which no cache may keep (RFC 6749, section 5.1)."""


class SecurityHeaders:
    """ASGI middleware that adds what browsers and caches should know of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        more = _EVERY.copy()
        if scope["path"].startswith(SECRET_PATHS):
            more.append(_NO_STORE)
        if scope["scheme"] in ("https", "wss"):
            more.append(_HSTS)

        async def send_safer(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = message["headers"] = list(message["headers"])
                is_page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)
                headers += [*more, _PAGE if is_page else _DATA]
            await send(message)

        await self._app(scope, receive, send_safer)

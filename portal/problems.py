"""Errors as `application/problem+json` (RFC 9457), every one of them."""

import http
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.headers import DATA_HEADERS
from portal.principal import AccessError
from portal.templates import Templates

MEDIA_TYPE = "application/problem+json"
"""The media type of every error."""


class Problem(Response):
    """One error as a response."""

    media_type = MEDIA_TYPE

    def __init__(
        self, status: int, path: str, detail: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        title = http.HTTPStatus(status).phrase
        body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
        if detail and detail != title:
            body["detail"] = detail
        body["instance"] = path
        super().__init__(json.dumps(body | more, separators=(",", ":")), status, dict(headers or {}))


class Conflict(HTTPException):
    """The row is not in the state the client believes: 412 when it said so in If-Match, 409 otherwise."""

    def __init__(self, detail: str, status: int = 409) -> None:
        super().__init__(status, detail)


def install(app: FastAPI, templates: Templates) -> None:
    """Let every error of `app` leave as a problem."""

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (registered for this type)
        headers = dict(error.headers or {})
        if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(templates.methods(request.url.path)) or headers.get("Allow", "")
        if error.status_code in (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED):
            return Response(status_code=error.status_code, headers=headers)
        return Problem(error.status_code, request.url.path, str(error.detail), headers)

    async def on_refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, AccessError)  # noqa: S101 (registered for this type)
        return Problem(error.status, request.url.path, str(error), {"WWW-Authenticate": error.challenge})

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for this type)
        errors = [_pointed(one) for one in error.errors()]
        return Problem(422, request.url.path, "; ".join(f"{e['at']}: {e['detail']}" for e in errors), errors=errors)

    async def on_queue(request: Request, error: Exception) -> Response:
        return Problem(503, request.url.path, "too many requests wait for the database", {"Retry-After": "1"})

    async def on_crash(request: Request, error: Exception) -> Response:
        # Starlette raises the error again behind this answer, so the server logs it with its traceback.
        return Problem(500, request.url.path, "the portal failed; the cause is in its log", DATA_HEADERS)

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(AccessError, on_refused)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(PoolTimeout, on_queue)
    app.add_exception_handler(Exception, on_crash)


class BodyLimit:
    """ASGI middleware that answers 413 to a request whose body is too long, announced or not."""

    def __init__(self, app: ASGIApp, body_bytes: int) -> None:
        self._app = app
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > self._body_bytes:
            await Problem(413, scope["path"], headers={"Connection": "close"})(scope, receive, send)
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._body_bytes:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)


def _pointed(error: Mapping[str, Any]) -> dict[str, Any]:
    """Say where and what, and leave out the input itself: it may be a password."""
    place: Sequence[Any] = error.get("loc", ())
    return {"at": ".".join(str(part) for part in place), "detail": str(error.get("msg", "")), "code": error.get("type")}

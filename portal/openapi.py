"""The description at `/openapi.json`, completed with what every route shares: problems, headers, entity tags."""

from typing import Any

from fastapi import FastAPI

from portal.problems import MEDIA_TYPE

_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "instance": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "detail", "code"],
                "properties": {"at": _TEXT, "detail": _TEXT, "code": _TEXT},
            },
        },
    },
}
_REASONS = {
    400: "The body or the cursor cannot be read",
    401: "No valid token",
    403: "The token does not allow this",
    404: "There is no such row",
    409: "The row is in another state, or a request with this Idempotency-Key is still running",
    412: "If-Match names another version",
    413: "The body is too long",
    422: "A value is not one that is taken",
    429: "Too many requests",
    503: "No database connection came free in time",
}
_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


def install(app: FastAPI) -> None:
    """Let `app` describe every answer of every route."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        assert app.openapi_schema is not None  # noqa: S101 (generating keeps it)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    parameters = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    success = next(responses[code] for code in responses if code.startswith("2"))
    if path.startswith(("/api/v1/agents", "/api/v1/tasks")):
        operation["deprecated"] = True
        success.setdefault("headers", {}).update(_headers("Deprecation", "Sunset", "Link"))
    if parameters & {"if-none-match", "if-match"}:
        success.setdefault("headers", {}).update(_headers("ETag"))
    if "if-none-match" in parameters:
        responses["304"] = {"description": "The client holds this already", "headers": _headers("ETag")}
    if "201" in responses and not path.endswith("/bulk"):
        success.setdefault("headers", {}).update(_headers("ETag", "Location"))
    if "idempotency-key" in parameters:
        replayed = {"description": "`true` when the answer was stored", "schema": {"const": "true"}}
        success.setdefault("headers", {})["Idempotency-Replayed"] = replayed
    for status in _statuses(path, parameters):
        responses[str(status)] = {
            "description": _REASONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _headers(_HEADERS[status])} if status in _HEADERS else {}),
        }


def _statuses(path: str, parameters: set[str]) -> list[int]:
    if not path.startswith("/api/"):
        return [413, 503]
    statuses = [400, 401, 403, 413, 422, 429, 503]
    if "{" in path:
        statuses.append(404)
    if "if-match" in parameters or "idempotency-key" in parameters:
        statuses.append(409)
    if "if-match" in parameters:
        statuses.append(412)
    return statuses


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"schema": _TEXT} for name in names}

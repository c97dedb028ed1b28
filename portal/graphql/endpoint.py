"""`POST /graphql`, by the GraphQL over HTTP specification."""

import json
import re
from typing import Any

from fastapi import APIRouter, Request
from graphql import GraphQLError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from portal.auth import SignedIn
from portal.graphql.context import Context
from portal.graphql.errors import sentence
from portal.graphql.schema import schema
from portal.services import Portal

router = APIRouter(tags=["graphql"])
"""The routes of GraphQL."""

JSON = "application/json"
"""Answers every well-formed request with 200, for clients that know no better."""
GRAPHQL = "application/graphql-response+json"
"""Answers 400 to an operation that was not begun."""

_OVER_HTTP = frozenset({OperationType.QUERY, OperationType.MUTATION})
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")  # RFC 9110, section 12.4.2
_SDL = schema.as_str()


class Operation(BaseModel):
    """What a request carries."""

    query: str
    operation_name: str | None = Field(None, alias="operationName")
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


@router.get("/graphql/schema", include_in_schema=False)
async def show_schema() -> Response:
    """Show the schema in the schema definition language; as with `/openapi.json`, nobody is asked for a token."""
    return PlainTextResponse(_SDL)


@router.post("/graphql", include_in_schema=False)  # it has a schema of its own
async def execute(request: Request, portal: Portal, principal: SignedIn) -> Response:
    """Execute one query or mutation."""
    media_type = _answered_in(request.headers.get("accept", JSON))
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise HTTPException(415, f"the body must be {JSON}")
    operation = _read(await request.body())
    result = await _execute(operation, Context(portal, principal=principal))
    # What failed before it began has no data (GraphQL, section 7.1), and its errors lie nowhere in the data.
    begun = result.data is not None or any(error.path for error in result.errors or ())
    body: dict[str, Any] = {"data": result.data} if begun else {}
    if result.errors:
        body = {"errors": [error.formatted for error in result.errors]} | body
    status = 200 if begun or media_type == JSON else 400
    return Response(json.dumps(body, separators=(",", ":")), status, media_type=media_type)


async def _execute(operation: Operation, context: Context) -> ExecutionResult:
    try:
        return await schema.execute(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.operation_name,
            allowed_operation_types=_OVER_HTTP,
        )
    except MissingQueryError:
        return _refused("the query is empty")
    except CannotGetOperationTypeError:
        return _refused(f"the query holds no operation {operation.operation_name!r}")
    except InvalidOperationTypeError:
        return _refused("a subscription needs a WebSocket, at this same path")


def _refused(message: str) -> ExecutionResult:
    return ExecutionResult(data=None, errors=[GraphQLError(message, extensions={"code": "INVALID"})])


def _read(body: bytes) -> Operation:
    if body.lstrip()[:1] == b"[":
        raise HTTPException(400, "one operation in one request: batches are not taken")
    try:
        return Operation.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise HTTPException(400, sentence(error)) from error


def _answered_in(accept: str) -> str:
    """Return the media type a client likes best; of two it likes equally, the newer one if it names it."""
    liked: list[tuple[float, bool, str]] = []
    for part in accept.lower().split(","):
        media_type, *parameters = (text.strip() for text in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        if media_type in (GRAPHQL, JSON, "application/*", "*/*"):
            known = media_type if media_type == GRAPHQL else JSON
            liked.append((float(weight) if _WEIGHT.fullmatch(weight) else 0.0, known == GRAPHQL, known))
    best = max(liked, default=(0.0, False, ""))
    if best[0] == 0.0:
        raise HTTPException(406, f"answers are {GRAPHQL} or {JSON}")
    return best[2]

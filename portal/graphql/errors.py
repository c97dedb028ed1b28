"""What a GraphQL client is told when something is refused, and what only the log is told."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from graphql import GraphQLError
from pydantic import ValidationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

_log = logging.getLogger("portal")

_CODES = {400: "INVALID", 404: "NOT_FOUND", 409: "CONFLICT", 412: "CONFLICT", 422: "INVALID"}


class RefusedError(GraphQLError):
    """A refusal of ours: a sentence for the client, and a code for its program."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, extensions={"code": code})


@contextmanager
def refusals() -> Iterator[None]:
    """Let the refusals of the rooms behind REST leave as GraphQL errors."""
    try:
        yield
    except HTTPException as error:
        raise RefusedError(_CODES[error.status_code], str(error.detail)) from error
    except ValidationError as error:
        raise RefusedError("INVALID", sentence(error)) from error


def sentence(error: ValidationError) -> str:
    """Say where and what, and leave out the input itself."""
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}".removeprefix(": ")
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    )


def told(error: GraphQLError) -> GraphQLError:
    """Return what the client may know of an error; what nobody expected goes to the log."""
    cause = error.original_error
    if isinstance(cause, PoolTimeout):
        return _placed(error, "UNAVAILABLE", "too many requests wait for the database")
    # A type that does not take an argument or a variable raises what it likes, but before anything is executed.
    if cause is None or isinstance(cause, GraphQLError) or (error.path is None and error.nodes):
        error.extensions = {"code": "INVALID"} | (error.extensions or {})
        return error
    _log.error("a GraphQL operation failed", exc_info=cause)
    return _placed(error, "INTERNAL", "the portal failed; the cause is in its log")


def _placed(error: GraphQLError, code: str, message: str) -> GraphQLError:
    return GraphQLError(message, error.nodes, path=error.path, extensions={"code": code})

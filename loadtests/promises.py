"""What a target promises of its answers: the documents that the run's contract goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["NO_PROMISES", "Promises"]


class Promises(NamedTuple):
    """The documents, each where the scenario asks for it."""

    openapi: Mapping[str, Any] | None = None
    graphql: str | None = None
    """The GraphQL schema as text."""
    messages: Mapping[str, Any] | None = None
    """JSON Schema of the frames that a socket receives."""


NO_PROMISES = Promises()

"""Whether GraphQL answers keep what the API's schema promises of the operation that was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    build_schema,
    parse,
    validate,
)

from loadtests.errors import TargetError
from loadtests.selection import Selection

__all__ = ["GraphQLContract"]

MEDIA_TYPES = ("application/json", "application/graphql-response+json")
MOST_DOCUMENTS = 200


class GraphQLContract:
    """A GraphQL schema as a judge of answers, each read beside the operation that asked for it.

    Args:
        text: the schema in its definition language, or the JSON that an introspection answered.

    Raises:
        TargetError: when the text is neither.

    """

    def __init__(self, text: str) -> None:
        try:
            self._schema = _schema(text)
        except (GraphQLError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise TargetError(f"it is no GraphQL schema: {error}") from None
        self._documents: dict[str, DocumentNode | str] = {}

    def covers(self, status: int, content_type: str, sent: bytes) -> bool:
        """Whether an answer is one to a single operation, and not of whatever stands before the API.

        With another status than 2xx, only the media type of GraphQL's own says that it is (GraphQL over HTTP,
        section 6.4). Streams, batches and stored operations are left out.
        """
        kind = _kind(content_type)
        if kind == "text/event-stream" or kind.startswith("multipart/"):
            return False
        return (status // 100 == 2 or kind == MEDIA_TYPES[1]) and _asked(sent) is not None

    def violation(self, status: int, content_type: str, sent: bytes, body: bytes) -> str | None:
        """What the answer breaks, without any value of it; None where it keeps the schema.

        Args:
            status: of the answer.
            content_type: of the answer, as its header has it.
            sent: the body of the request, which holds the operation.
            body: of the answer, whole.

        """
        if (kind := _kind(content_type)) not in MEDIA_TYPES:
            return f"status {status} as {kind or 'nothing'} is no GraphQL answer"
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return "the body is not JSON"
        if (said := _malformed(answer)) or answer.get("data") is None:
            return said
        asked = _asked(sent) or {}
        document = self._document(asked["query"])
        if isinstance(document, str):
            return f"data for an operation that the schema does not know: {document}"
        operation = _operation(document, asked.get("operationName"))
        root = operation and self._schema.get_root_type(operation.operation)
        if operation is None or root is None:
            return "data, though the document does not say which operation is meant"
        variables = asked.get("variables")
        selection = Selection(self._schema, document, operation, variables if isinstance(variables, Mapping) else {})
        return selection.broken(root, answer["data"], [operation.selection_set], "data")

    def _document(self, query: str) -> DocumentNode | str:
        """The document, parsed; or what is wrong with it, by its place alone."""
        if query not in self._documents:
            if len(self._documents) >= MOST_DOCUMENTS:
                self._documents.clear()
            self._documents[query] = self._parsed(query)
        return self._documents[query]

    def _parsed(self, query: str) -> DocumentNode | str:
        try:
            document = parse(query)
        except (GraphQLError, RecursionError):
            return "it cannot be parsed"
        errors = validate(self._schema, document)
        lines = [place.line for error in errors for place in error.locations or ()]
        return f"line {min(lines, default=1)} of its text" if errors else document


def _schema(text: str) -> GraphQLSchema:
    if not text.lstrip().startswith("{"):
        return build_schema(text)
    found = json.loads(text)
    return build_client_schema(found.get("data", found))


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _asked(sent: bytes) -> Mapping[str, Any] | None:
    """The request, where it is one operation with its text."""
    try:
        asked = json.loads(sent)
    except (ValueError, RecursionError):
        return None
    return asked if isinstance(asked, dict) and isinstance(asked.get("query"), str) else None


def _operation(document: DocumentNode, name: object) -> OperationDefinitionNode | None:
    """The operation that a request means (GraphQL, section 6.1)."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name is None or name == "":
        return operations[0] if len(operations) == 1 else None
    return next((each for each in operations if each.name and each.name.value == name), None)


def _malformed(answer: Any) -> str | None:
    """What is wrong with the frame of an answer (GraphQL, sections 7.1 and 7.1.2)."""
    if not isinstance(answer, dict) or not answer.keys() <= {"data", "errors", "extensions"}:
        return "the answer is not an object of data, errors and extensions"
    if "errors" not in answer:
        return "neither data nor errors" if answer.get("data") is None else None
    errors = answer["errors"]
    if not isinstance(errors, list) or not errors:
        return "errors: the value is no list that holds something"
    if not all(isinstance(each, dict) and isinstance(each.get("message"), str) for each in errors):
        return "errors.*: an error has no message"
    if not all(_is_path(each["path"]) for each in errors if "path" in each):
        return "errors.*.path: the value is no list of names and numbers"
    if not all(_are_places(each["locations"]) for each in errors if "locations" in each):
        return "errors.*.locations: the value is no list of lines and columns"
    return None


def _is_path(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(step, str | int) for step in value)


def _are_places(value: object) -> bool:
    def from_one(place: object, key: str) -> bool:
        return isinstance(place, dict) and isinstance(place.get(key), int) and place[key] >= 1

    return isinstance(value, list) and all(from_one(each, "line") and from_one(each, "column") for each in value)

"""Whether answers keep what the API's own OpenAPI document promises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from loadtests.errors import TargetError
from loadtests.shape import Shape

__all__ = ["Contract"]


class Contract:
    """An OpenAPI 3.1 document (whose schemas are JSON Schema 2020-12) as a judge of answers.

    Every schema is compiled here, so that no request waits for it later.

    Raises:
        TargetError: when the document is no OpenAPI 3.1, or holds a schema that cannot be used.

    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        version = str(document.get("openapi", "none")) if isinstance(document, Mapping) else "none"
        if not version.startswith("3.1") or not isinstance(document.get("paths"), Mapping):
            raise TargetError(f"a contract is an OpenAPI 3.1 document; its version is {version}")
        self._components = document.get("components", {})
        templates = sorted(document["paths"], key=lambda path: (path.count("{"), path))  # a literal path goes first
        self._paths = [(_pattern(path), document["paths"][path]) for path in templates]
        self._shapes: dict[str, Shape] = {}
        try:
            self._compile()
        except (ValueError, TypeError, AttributeError) as error:
            raise TargetError(f"the OpenAPI document cannot be used as a contract: {error}") from None

    def covers(self, path: str) -> bool:
        """Whether the document says anything of a path; of other protocols beside the API it does not."""
        return any(pattern.fullmatch(path) for pattern, _ in self._paths)

    def violation(self, method: str, path: str, status: int, content_type: str, body: bytes) -> str | None:
        """What the answer breaks, without any value of it; None where it keeps the contract.

        Args:
            method: of the request.
            path: of the request's URL, without its query.
            status: of the answer.
            content_type: of the answer, as its header has it.
            body: of the answer, whole.

        """
        operation = next((item for pattern, item in self._paths if pattern.fullmatch(path)), None)
        if operation is None or method.lower() not in operation:
            return "the operation is not documented"
        response = self._resolved(_by_status(operation[method.lower()].get("responses", {}), status))
        if response is None:
            return f"status {status} is not documented"
        contents = response.get("content")
        if not contents:
            return None
        kind = content_type.partition(";")[0].strip().lower()
        content = contents.get(kind, contents.get("*/*"))
        if content is None:
            return f"status {status} as {kind or 'nothing'} is not documented"
        if "json" not in kind or "schema" not in content:
            return None
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return f"status {status}: the body is not JSON"
        broken = self._shapes[_name(content["schema"])].breach(value)
        return broken and f"status {status}{broken}"

    def _compile(self) -> None:
        operations = [each for _, path in self._paths for each in path.values() if isinstance(each, Mapping)]
        responses = [self._resolved(each) for one in operations for each in one.get("responses", {}).values()]
        for response in filter(None, responses):
            for content in (response.get("content") or {}).values():
                if "schema" in content:
                    whole = {"components": self._components, "allOf": [content["schema"]]}
                    self._shapes[_name(content["schema"])] = Shape(whole)

    def _resolved(self, response: Any) -> Any:
        reference = response.get("$ref", "") if isinstance(response, Mapping) else ""
        return self._components.get("responses", {}).get(reference.rpartition("/")[2]) if reference else response


def _name(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)


def _pattern(template: str) -> re.Pattern[str]:
    literal = re.split(r"\{[^}]*\}", template)
    return re.compile("[^/]+".join(re.escape(part) for part in literal))


def _by_status(responses: Mapping[str, Any], status: int) -> Any:
    """The exact status, its range, or the default (OpenAPI 3.1, section 4.8.16)."""
    for key in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default"):
        if key in responses:
            return responses[key]
    return None

"""Answers that a client already holds: entity tags and If-None-Match (RFC 9110, section 13.1.2)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Header
from starlette.responses import Response

IfNoneMatch = Annotated[str | None, Header(description='Entity tags the client holds: "3", a list of them, or *')]
"""Declares a handler's parameter that receives the If-None-Match header."""

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def holds(if_none_match: str | None, etag: str) -> bool:
    """Whether the client holds what `etag` names; weak and strong tags compare alike."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(if_none_match)


def body_tag(body: str) -> str:
    """Return the strong tag of a body: equal bytes have equal tags."""
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'


def tagged(
    body: str, etag: str, if_none_match: str | None = None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a JSON body and its tag, or 304 when the client holds it."""
    if holds(if_none_match, etag):
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, status, {"ETag": etag, **(headers or {})}, media_type="application/json")

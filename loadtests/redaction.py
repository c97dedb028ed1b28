"""Secrets are taken out of every text before it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

__all__ = ["Redactor", "is_secret"]

_NAME = r"(?i)(?<![\w-])([\w-]*(?:{}))"
_NO_NAME = r"(?!\s*b?[\"'][^\"']*[\"']\s*:)"
_SIGN = rf"(\\?[\"']?\s*[:=]\s*|[\"'],{_NO_NAME}\s*)b?(\\?[\"'])?"
"""Between a name and its value: ``: ``, ``=``, ``": "``, ``', b'``, and within a quoted text ``\\": \\"``.

After a comma no name comes: ``{"type": "token", "password": ...}`` has none by the name of its first value.
"""
_QUOTED = r"(?(3)(?:(?!\3)\\?.)*"
"""Up to the quote that was opened, if one was; else what follows the bar."""

_HEADERS = "authorization|cookie"
_FIELDS = "passw(?:or)?d|secret|token|credential|auth|(?:api|access|private|master)[_-]?key"
_HEADER, _FIELD = _NAME.format(_HEADERS), _NAME.format(_FIELDS)
_SECRET = re.compile(rf"(?i)[\w-]*(?:{_HEADERS}|{_FIELDS})")
_PATTERNS = (
    re.compile(rf"{_HEADER}{_SIGN}{_QUOTED}|[^\r\n]+)"),
    re.compile(rf"{_FIELD}{_SIGN}{_QUOTED}|[^\s&,;\"'}})]+)"),
    re.compile(r"(?i)\b(bearer|basic)(\s+)()(?=\S*[\d=]|\S{20})[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(://)([^/\s:@]*:)()[^\s/]+(?=@)"),
)
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,8000}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def is_secret(name: str) -> bool:
    """Whether what goes by that name, such as a header's, is a credential."""
    return _SECRET.fullmatch(name) is not None


class Redactor:
    """Replaces known secret values, and whatever looks like a credential, by ``***``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= 3}
        self._secrets = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _JWT.sub("***", text)
        for pattern in _PATTERNS:
            text = pattern.sub(r"\1\2\3***", text)
        return text


def _forms(secret: str) -> Iterator[str]:
    """A secret as it may be met: whole, without its ``Bearer``, and as it stands in URLs, forms and JSON."""
    for plain in {secret, secret.split()[-1] if secret.split() else ""}:
        yield from (plain, quote(plain, safe=""), quote_plus(plain), json.dumps(plain)[1:-1])

"""Secrets are taken out of every text before it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Redactor"]

_PATTERNS = (
    re.compile(r"(?i)(authorization|cookie|set-cookie|x-api-key)(\W{1,4})(?:(?:bearer|basic)\s+)?[^\s,;\"']+"),
    re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(
        r"(?i)\b(password|passwd|secret|token|api_key|apikey|access_token|refresh_token)"
        r"(\"?\s*[=:]\s*\"?)[^\s&,;\"'}]+"
    ),
    re.compile(r"(://)([^/\s:@]*:)[^@\s/]+(?=@)"),
)
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class Redactor:
    """Replaces known secret values, and whatever looks like a credential, by ``***``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        parts = {part for secret in secrets for part in (secret, *secret.split()) if len(part) >= 4}
        self._secrets = sorted(parts, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _JWT.sub("***", text)
        for pattern in _PATTERNS:
            text = pattern.sub(r"\1\2***", text)
        return text

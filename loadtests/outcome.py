"""What became of an HTTP request, from the exception that Locust's clients report."""

from __future__ import annotations

import re

from loadtests.sample import Outcome

__all__ = ["classify"]

_NUMBER = re.compile(r"\d+")
_PATH = re.compile(r"\S*/\S*")
"""Addresses in messages: a request to ``/password-reset`` was not reset for that."""


def classify(exception: BaseException | str | None, status: int | None) -> tuple[Outcome, str]:
    """Outcome and error kind; the kind is a short name of which there are few, so digits are taken out of messages.

    ``http 503``, ``timeout``, ``connection refused``, ``connection reset``, ``connection closed``, ``bad answer``
    for what is no HTTP, ``handshake 503`` for a WebSocket that was refused, ``name not resolved``, ``unreachable``,
    ``tls``, ``check: MESSAGE`` for a response that the user's own code refused, else the exception's name. Only
    what was given up is a time-out: an answer of 504 Gateway Timeout came.
    """
    if exception is None:
        return Outcome.OK, ""
    name, text = type(exception).__name__, str(exception)
    if isinstance(exception, str) or name in ("CatchResponseError", "CheckFailedError"):
        return Outcome.ERROR, f"check: {_NUMBER.sub('#', text)[:80]}"
    if name == "WSServerHandshakeError":
        return Outcome.ERROR, f"handshake {getattr(exception, 'status', None)}"
    whole = _PATH.sub(" ", f"{name} {text} {exception!r}").lower()
    answered = bool(status and status >= 300)
    if "timeout" in name.lower() or (not answered and ("timeout" in whole or "timed out" in whole)):
        return Outcome.TIMEOUT, "timeout"
    if answered:
        return Outcome.ERROR, f"http {status}"
    for sign, kind in (
        ("not allowed by this run", "not allowed"),
        ("cancelled by", "cancelled"),
        ("refused", "connection refused"),
        ("reset", "connection reset"),
        ("broken pipe", "connection reset"),
        ("connectionclosed", "connection closed"),
        ("closed", "connection closed"),
        ("eof", "connection closed"),
        ("disconnected", "connection closed"),
        ("gaierror", "name not resolved"),
        ("name or service", "name not resolved"),
        ("sslerror", "tls"),
        ("[ssl", "tls"),
        ("certificate", "tls"),
        ("unreachable", "unreachable"),
        ("no route to host", "unreachable"),
        ("cannot assign requested address", "no free port"),
        ("too many open files", "no free descriptor"),
    ):
        if sign in whole:
            return Outcome.ERROR, kind
    return Outcome.ERROR, "bad answer" if name in ("BadAnswerError", "HTTPParseError") else name

"""The cookies of one user; a user that never gets one pays nothing for them."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import Any
from urllib.request import Request

from loadtests.httpreply import fields_of

__all__ = ["Cookies"]


class _Jar(CookieJar):
    """Knows whether there ever was a cookie."""

    used = False

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def set_cookie(self, cookie: Cookie) -> None:
        """Also what a user's own code puts in comes this way."""
        self.used = True
        self._changed()
        super().set_cookie(cookie)


class Cookies:
    """Keeps what servers set, and says what goes back to them (RFC 6265, by ``http.cookiejar``).

    Args:
        changed: is told of each cookie.

    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.jar = _Jar(changed)

    @property
    def any(self) -> bool:
        """Whether there may be one to send."""
        return self.jar.used

    def sent_to(self, url: str) -> str | None:
        """The Cookie field of a request, if it has one."""
        if not self.any:
            return None
        asked = Request(url)  # noqa: S310 -- it is never opened
        self.jar.add_cookie_header(asked)
        return asked.get_header("Cookie")

    def keep(self, head: bytes, url: str) -> None:
        """Take what the head of a reply sets."""
        fields = [value for name, value in fields_of(head) if name.lower() == b"set-cookie"]
        if fields:
            message = Message()
            for value in fields:
                message["Set-Cookie"] = value.decode("latin-1")
            self.jar.extract_cookies(_Answer(message), Request(url))  # type: ignore[arg-type] # noqa: S310


class _Answer:
    """As much of a response as the jar looks at."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Any:
        return self._message

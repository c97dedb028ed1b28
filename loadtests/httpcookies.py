"""The cookies of one user; a user that never gets one pays nothing for them."""

from __future__ import annotations

from email.message import Message
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import Request

from loadtests.httpreply import Reply

__all__ = ["Cookies"]


class Cookies:
    """Keeps what servers set, and says what goes back to them (RFC 6265, by ``http.cookiejar``)."""

    def __init__(self) -> None:
        self.jar = CookieJar()
        self._any = False

    def sent_to(self, url: str) -> str | None:
        """The Cookie field of a request, if it has one."""
        if not self._any and not len(self.jar):
            return None
        asked = Request(url)  # noqa: S310 -- it is never opened
        self.jar.add_cookie_header(asked)
        return asked.get_header("Cookie")

    def keep(self, reply: Reply, url: str) -> None:
        """Take what a reply sets."""
        fields = [value for name, value in reply.headers if name.lower() == b"set-cookie"]
        if fields:
            message = Message()
            for value in fields:
                message["Set-Cookie"] = value.decode("latin-1")
            self._any = True
            self.jar.extract_cookies(_Answer(message), Request(url))  # type: ignore[arg-type] # noqa: S310


class _Answer:
    """As much of a response as the jar looks at."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Any:
        return self._message

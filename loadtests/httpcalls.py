"""The calls that authors know, whatever it is that sends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

__all__ = ["Answer", "HttpCalls"]

Answer = TypeVar("Answer")
"""What a call gives: the response, or what is to be awaited for it."""


class HttpCalls(ABC, Generic[Answer]):
    """A call for each method, all of which go by :meth:`request`."""

    @abstractmethod
    def request(self, method: str, url: str, **how: Any) -> Answer:
        """Send one request; what went wrong, if anything did, is the response's ``error``.

        Args:
            method: such as GET.
            url: a path after the base URL, or a whole URL.
            how: any of these:
                name: what the request goes by, instead of its path.
                data: the body; a mapping is sent as a form, any other iterable of bytes in chunks.
                json: a body to be sent as JSON, when there is no ``data``.
                params: added to the query.
                headers: beside the session's, and before them.
                auth: name and password, for Basic authentication.
                timeout: of the whole request, redirects included, seconds.
                allow_redirects: follow them.
                catch_response: use the response in a with-block, and say there what the request was.
                context: for listeners of Locust's request event.

        Raises:
            ValueError: when the request itself cannot be written.

        """

    def get(self, url: str, **how: Any) -> Answer:
        """``GET``; see :meth:`request`."""
        return self.request("GET", url, **how)

    def options(self, url: str, **how: Any) -> Answer:
        """``OPTIONS``; see :meth:`request`."""
        return self.request("OPTIONS", url, **how)

    def head(self, url: str, **how: Any) -> Answer:
        """``HEAD``; see :meth:`request`."""
        return self.request("HEAD", url, **how)

    def delete(self, url: str, **how: Any) -> Answer:
        """``DELETE``; see :meth:`request`."""
        return self.request("DELETE", url, **how)

    def post(self, url: str, **how: Any) -> Answer:
        """``POST``; see :meth:`request`."""
        return self.request("POST", url, **how)

    def put(self, url: str, **how: Any) -> Answer:
        """``PUT``; see :meth:`request`."""
        return self.request("PUT", url, **how)

    def patch(self, url: str, **how: Any) -> Answer:
        """``PATCH``; see :meth:`request`."""
        return self.request("PATCH", url, **how)

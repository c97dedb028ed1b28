"""The calls that authors know, whatever it is that sends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

__all__ = ["Answer", "HttpCalls"]

Answer = TypeVar("Answer")
"""What a call gives: the response, or what is to be awaited for it."""


class HttpCalls(ABC, Generic[Answer]):
    """A call for each method; what they take is what ``HttpClient.converse`` takes."""

    @abstractmethod
    def request(self, method: str, url: str, **how: Any) -> Answer:
        """Send one request."""

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

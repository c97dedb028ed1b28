"""The member of ``loadtests run --url --driver members``: GET one URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from loadtests.httpmember import HttpMember
from loadtests.httprequest import request_target
from loadtests.httpresponse import BadStatusError

__all__ = ["UrlMember"]


class UrlMember(HttpMember):
    """Sends ``GET`` to the scenario's URL. A redirect is not followed: what was asked for did not come."""

    async def prepare(self) -> None:
        """Nothing is asked before the first arrival."""
        self._url = str(self.settings["url"])
        parts = urlsplit(self._url)
        self._name = request_target(parts.path, parts.query)

    async def act(self) -> None:
        """One request, answered to the last byte."""
        asked = self.http.get(self._url, name=self._name, allow_redirects=False, catch_response=True)
        with await asked as response:
            if 300 <= response.status_code < 400:
                response.failure(BadStatusError(f"status {response.status_code}"))

"""The user of ``loadtests run --url``: GET one URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from locust import constant, task

from loadtests.httprequest import request_target
from loadtests.httpresponse import BadStatusError
from loadtests.loaduser import LoadUser

__all__ = ["UrlUser"]


class UrlUser(LoadUser):
    """Sends ``GET`` to the scenario's URL. A redirect is not followed: what was asked for did not come."""

    wait_time = constant(0)
    settings: Mapping[str, Any]

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._url = str(self.settings["url"])
        parts = urlsplit(self._url)
        self._name = request_target(parts.path, parts.query)

    @task
    def get(self) -> None:
        """One request, answered to the last byte."""
        with self.client.get(self._url, name=self._name, allow_redirects=False, catch_response=True) as response:
            if 300 <= response.status_code < 400:
                response.failure(BadStatusError(f"status {response.status_code}"))

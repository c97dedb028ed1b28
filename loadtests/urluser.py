"""The user of ``loadtests run --url``: GET one URL, as cheaply as the client library allows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from geventhttpclient import HTTPClient
from geventhttpclient.url import URL
from locust import User, constant, task
from locust.contrib.fasthttp import insecure_ssl_context_factory

__all__ = ["UrlUser"]


class UrlUser(User):
    """Sends ``GET`` to the scenario's URL over one kept-alive connection, without Locust's session around it."""

    wait_time = constant(0)
    settings: Mapping[str, Any]
    timeout_s: float
    tls_verify: bool

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        url = URL(self.settings["url"])
        self._path = url.request_uri
        options: dict[str, Any] = {
            "concurrency": 1,
            "connection_timeout": self.timeout_s,
            "network_timeout": self.timeout_s,
        }
        if url.scheme == "https" and not self.tls_verify:
            options |= {"insecure": True, "ssl_context_factory": insecure_ssl_context_factory}
        self._http = HTTPClient.from_url(url, **options)

    @task
    def get(self) -> None:
        """One request, answered to the last byte."""
        context = self.context()
        status, length = None, 0
        exception: Exception | None = None
        try:
            response = self._http.get(self._path)
            status = response.status_code
            length = len(response.read())
            if status >= 300:  # a redirect is not followed: what was asked for did not come
                exception = RuntimeError(f"status {status}")
        except Exception as error:
            exception = error
        elapsed_ns = time.monotonic_ns() - context["started_ns"]
        self.environment.events.request.fire(
            request_type="GET",
            name=self._path,
            response_time=elapsed_ns / 1e6,
            response_length=length,
            exception=exception,
            context=context,
            status=status,
            url=self.settings["url"],
        )

"""Those who have an account at the portal: they sign in, and stay signed in."""

from __future__ import annotations

import itertools
import time
from typing import Any

from locust import between

from loadtests.loaduser import LoadUser

_numbers = itertools.count()


class SignedIn(LoadUser):
    """Signs in once before its first task, under an account of its own.

    A task is one arrival of an open model; in a closed model the user thinks between tasks.
    """

    abstract = True
    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Sign in."""
        self.account = self.feeds["accounts"].at(next(_numbers))["username"]
        self._authorization: dict[str, str] = {}
        self.sign_in()

    def sign_in(self) -> None:
        """With the password; its hash is the portal's dearest computation."""
        self._take_tokens("/api/v1/auth/token", data={"username": self.account, "password": self.settings["password"]})

    def refresh(self) -> None:
        """With the refresh token, which the portal takes only once."""
        self._take_tokens("/api/v1/auth/refresh", json={"refresh_token": self._refresh_token})

    def headers(self) -> dict[str, str]:
        """With a token that is still good: it is refreshed before it expires, not after a refusal."""
        if not self._authorization:
            self.sign_in()
        elif time.monotonic() > self._refresh_at_s:
            self.refresh()
        return self._authorization

    def _take_tokens(self, path: str, **body: Any) -> None:
        with self.client.post(path, catch_response=True, **body) as response:
            if response.status_code == 200:
                tokens = response.json()
                self._authorization = {"Authorization": f"Bearer {tokens['access_token']}"}
                self._refresh_token = tokens["refresh_token"]
                self._refresh_at_s = time.monotonic() + 0.8 * tokens["expires_in"]
            else:
                self._authorization = {}

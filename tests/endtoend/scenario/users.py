"""Users of the end-to-end tests."""

import time
from typing import Any

from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser, HttpUser, constant, task


class Visitor(FastHttpUser):
    """Two paths, one of them with an identifier."""

    wait_time = constant(0.2)

    @task
    def page(self) -> None:
        """A plain page, then, after a pause, an item."""
        self.client.get("/page")
        self.think(0.05)  # type: ignore[attr-defined]
        self.client.get("/items/17")


class Crowd(FastHttpUser):
    """A page, and another that is itself only while nobody else asks for it."""

    wait_time = constant(0.2)

    @task
    def page(self) -> None:
        """A plain page."""
        self.client.get("/page")

    @task
    def crowded(self) -> None:
        """The other."""
        self.client.get("/crowded")


class Classic(HttpUser):
    """The same over requests."""

    wait_time = constant(0.2)

    @task
    def page(self) -> None:
        """A plain page."""
        self.client.get("/page")


class Clumsy(FastHttpUser):
    """Raises in its task."""

    @task
    def page(self) -> None:
        """Ask for something that is not there."""
        self.client.get("/page")
        rows: dict[str, Any] = {}
        rows["missing"]


class Burner(FastHttpUser):
    """Keeps the whole process busy for 300 ms of every second, while its own request and others' are under way."""

    wait_time = constant(0.2)
    due_s = 0.0

    @task
    def page(self) -> None:
        """A plain page."""
        if time.monotonic() > Burner.due_s:
            Burner.due_s = time.monotonic() + 1
            while time.monotonic() < Burner.due_s - 0.7:
                pass
        self.client.get("/page")


class Pooled(FastHttpUser):
    """All of them share one connection."""

    wait_time = constant(0.2)
    client_pool = HTTPClientPool(concurrency=1)

    @task
    def page(self) -> None:
        """A plain page."""
        self.client.get("/page")


class Busy(FastHttpUser):
    """Computes after each answer, so that other users' answers wait; its key is a secret."""

    wait_time = constant(0.2)

    @task
    def page(self) -> None:
        """A page, and as much of the processor as the settings say."""
        self.client.get("/page", headers={"X-Key": self.secrets["key"]})  # type: ignore[attr-defined]
        until_ns = time.monotonic_ns() + self.settings["burn_ms"] * 1_000_000  # type: ignore[attr-defined]
        while time.monotonic_ns() < until_ns:
            pass

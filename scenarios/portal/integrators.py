"""Those whose requests the portal forwards to an external service."""

from __future__ import annotations

from locust import task
from people import SignedIn


class Integrator(SignedIn):
    """Has an objective of its own: the external service is somebody else's."""

    @task
    def run_command(self) -> None:
        """A command that the portal allows, on the external server."""
        body = {"command": "echo hello", "timeout_ms": 2000}
        self.client.post("/api/v1/integrations/commands", json=body, headers=self.headers())

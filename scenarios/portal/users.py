"""People at the portal: Locust users as any Locust author writes them."""

from __future__ import annotations

import random

from locust import task
from people import SignedIn

AGENTS, TASKS = 1_000, 5_000


class Operator(SignedIn):
    """Looks agents and tasks up, creates tasks, hands them out, keeps agents alive.

    A task of this class is one arrival of an open model; in a closed model the user thinks between tasks. The weights
    are near each other so that a minute holds enough requests of every route to judge each of them.
    """

    def on_start(self) -> None:
        """Sign in, with no task seen yet."""
        self.open_tasks: list[int] = []
        self.cursor: str | None = None
        super().on_start()

    @task(7)
    def sign_in(self) -> None:
        """Sign in anew, as those who come back after a break do."""
        super().sign_in()

    @task(6)
    def refresh(self) -> None:
        """Stay signed in without the password, sooner than need be: a smoke is over before a token expires."""
        if self.headers():
            super().refresh()

    @task(11)
    def list_agents(self) -> None:
        """One page of agents."""
        self.client.get("/api/v1/agents?limit=20", headers=self.headers(), name="/api/v1/agents")

    @task(11)
    def list_tasks(self) -> None:
        """One page of tasks that nobody has yet, from anywhere in the list."""
        cursor = f"&cursor={self.cursor}" if self.cursor else ""
        with self.client.get(
            f"/api/v1/tasks?limit=20&status=open{cursor}",
            headers=self.headers(),
            name="/api/v1/tasks",
            catch_response=True,
        ) as response:
            if response.status_code == 200:
                page = response.json()
                self.cursor = page["next_cursor"]
                self.open_tasks = [row["task_id"] for row in page["items"]] or self.open_tasks

    @task(12)
    def read_agent(self) -> None:
        """One agent."""
        agent = random.randint(1, AGENTS)
        self.client.get(f"/api/v1/agents/{agent}", headers=self.headers(), name="/api/v1/agents/{agent_id}")

    @task(12)
    def read_task(self) -> None:
        """One task."""
        number = random.randint(1, TASKS)
        self.client.get(f"/api/v1/tasks/{number}", headers=self.headers(), name="/api/v1/tasks/{task_id}")

    @task(11)
    def create_task(self) -> None:
        """A new task."""
        body = {"title": f"Look into report {random.randint(1, 10**6)}", "priority": random.randint(1, 9)}
        self.client.post("/api/v1/tasks", json=body, headers=self.headers())

    @task(11)
    def patch_agent(self) -> None:
        """An agent changes its state; whoever watches it is told over the WebSocket."""
        agent = random.randint(1, AGENTS)
        self.client.patch(
            f"/api/v1/agents/{agent}",
            json={"status": random.choice(("idle", "busy"))},
            headers=self.headers(),
            name="/api/v1/agents/{agent_id}",
        )

    @task(12)
    def assign_task(self) -> None:
        """A task goes to an agent; who has seen no list yet looks first, so this task may be two requests."""
        if not self.open_tasks:
            self.list_tasks()
        if not self.open_tasks:
            return
        self.client.post(
            f"/api/v1/tasks/{random.choice(self.open_tasks)}/assign",
            json={"agent_id": random.randint(1, AGENTS)},
            headers=self.headers(),
            name="/api/v1/tasks/{task_id}/assign",
        )

    @task(12)
    def heartbeat(self) -> None:
        """An agent says that it lives."""
        agent = random.randint(1, AGENTS)
        self.client.post(
            f"/api/v1/agents/{agent}/heartbeat", headers=self.headers(), name="/api/v1/agents/{agent_id}/heartbeat"
        )

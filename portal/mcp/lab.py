"""`python -m portal.mcp.lab`: an external service for the laboratory, over stdio. It answers, and executes nothing.

`PORTAL_LAB_LATENCY_MS` (0) delays each answer, and `PORTAL_LAB_FAILURES_PERCENT` (0) of all calls fail, evenly spread.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from portal.mcp.commands import Command, CommandOutput, TimeoutMs


def make_lab(environ: Mapping[str, str]) -> MCPServer[None]:
    """Build the laboratory's service."""
    latency_s = int(environ.get("PORTAL_LAB_LATENCY_MS") or 0) / 1000
    percent = int(environ.get("PORTAL_LAB_FAILURES_PERCENT") or 0)
    calls = 0

    async def run_command(command: Command, timeout_ms: TimeoutMs = 2_000) -> CommandOutput:
        """Answer as the command would, late or with a failure where the laboratory says so."""
        nonlocal calls
        calls += 1
        fails = calls * percent // 100 > (calls - 1) * percent // 100
        await asyncio.sleep(latency_s)
        if fails:
            raise ToolError("the laboratory wants this call to fail")
        return CommandOutput(output=_answer(command), exit_code=0)

    lab: MCPServer[None] = MCPServer("portal-lab", log_level="WARNING")
    lab.add_tool(run_command)
    return lab


def _answer(command: str) -> str:
    name, _, words = command.partition(" ")
    if name == "echo":
        return words + "\n"
    if name == "date":
        return f"{datetime.now(UTC):%a %b %e %H:%M:%S UTC %Y}\n"
    if name == "uptime":
        return f"up {int(time.monotonic() // 60)} min\n"
    raise ToolError(f"the laboratory knows no {name!r}")


if __name__ == "__main__":
    make_lab(os.environ).run("stdio")

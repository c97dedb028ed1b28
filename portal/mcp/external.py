"""The external service: an MCP server that runs commands, behind a bulkhead and a circuit breaker."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp import StdioServerParameters, stdio_client
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from portal.mcp.breaker import Breaker
from portal.mcp.bulkhead import Bulkhead
from portal.mcp.commands import CommandOutput, CommandResult, check_command
from portal.mcp.connection import Connection
from portal.mcp.failures import Broken, TimedOut
from portal.settings import Settings

OUTPUT_CHARACTERS = 64 * 1024
"""The longest output taken from a service."""

_STARTED = re.compile(r"Process started with PID \d+ \(shell: [^\n]*\)\nInitial output:\n")
_STATE = re.compile(r"\n(?:🔄|✅|⏳) [^\n]*\Z")


@dataclass(frozen=True)
class Dialect:
    """How one kind of service is started, asked and understood."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    tool: str
    arguments: Mapping[str, Any]
    """Arguments besides `command` and `timeout_ms`."""
    read: Callable[[CallToolResult], CommandOutput]


def _read_structured(result: CallToolResult) -> CommandOutput:
    return CommandOutput.model_validate(result.structured_content)


def _read_process(result: CallToolResult) -> CommandOutput:
    """Take the output out of Desktop Commander's prose, which tells no exit code."""
    text = _text(result)
    started = _STARTED.match(text)
    if started is None:
        raise ValueError("no process was started")
    return CommandOutput(output=_STATE.sub("", text[started.end() :]), exit_code=None)


def _text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def dialect_of(name: str, environ: Mapping[str, str]) -> Dialect:
    """Return the dialect of a service by its name in `PORTAL_EXTERNAL`."""
    if name == "desktop-commander":
        return Dialect(
            command=("npx", "--yes", "@wonderwhy-er/desktop-commander"),
            environment={"DESKTOP_COMMANDER_DISABLE_TELEMETRY": "1"},
            tool="start_process",
            arguments={"shell": "/bin/sh"},
            read=_read_process,
        )
    return Dialect(
        command=(sys.executable, "-m", "portal.mcp.lab"),
        environment={key: value for key, value in environ.items() if key.startswith("PORTAL_LAB_")},
        tool="run_command",
        arguments={},
        read=_read_structured,
    )


class External:
    """Runs allowed commands by the external service. Nothing is opened before the first one."""

    def __init__(self, settings: Settings, *, monotonic_ns: Callable[[], int]) -> None:
        self._name = settings.external
        self._dialect = dialect_of(settings.external, os.environ)
        self._monotonic_ns = monotonic_ns
        self._connection = Connection(self._name, lambda: _client(settings, self._dialect))
        self.bulkhead = Bulkhead(calls=settings.external_calls, waiting=settings.external_waiting)
        """Who is under way and who waits."""
        self.breaker = Breaker(
            failures=settings.external_failures,
            cool_down_s=settings.external_cool_down_s,
            clock=lambda: monotonic_ns() / 1e9,
        )
        """Whether calls are let through."""

    async def run(self, command: str, timeout_ms: int) -> CommandResult:
        """Run one command, or raise what REST answers: 403, 502, 503 or 504."""
        check_command(command)
        async with self.bulkhead.place():
            try:
                with self.breaker.call():
                    return await self._ask(command, timeout_ms)
            finally:
                if self.breaker.state == "open":  # or the call that is to try it would meet the same hanging child
                    self._connection.drop()

    async def close(self) -> None:
        """Close the connection, and end the child process if there is one."""
        await self._connection.close()

    async def _ask(self, command: str, timeout_ms: int) -> CommandResult:
        client = await self._connection.client()
        arguments = {"command": command, "timeout_ms": timeout_ms, **self._dialect.arguments}
        start_ns = self._monotonic_ns()
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                result = await client.call_tool(self._dialect.tool, arguments)
        except TimeoutError as error:
            raise TimedOut(self._name, timeout_ms) from error
        except Exception as error:  # a tool that fails says so in its result: this is the connection or the protocol
            self._connection.drop(client)
            raise Broken(self._name, _line(str(error))) from error
        if result.is_error:
            raise Broken(self._name, _line(_text(result)))
        try:
            told = self._dialect.read(result)
        except ValueError as error:
            raise Broken(self._name, "its answer is not understood") from error
        if len(told.output) > OUTPUT_CHARACTERS:
            raise Broken(self._name, f"its output is longer than {OUTPUT_CHARACTERS} characters")
        took_ms = (self._monotonic_ns() - start_ns) // 1_000_000
        return CommandResult(output=told.output, exit_code=told.exit_code, took_ms=took_ms)


def _client(settings: Settings, dialect: Dialect) -> Client:
    if settings.external_url is not None:
        return Client(settings.external_url)
    words = shlex.split(settings.external_command) if settings.external_command else dialect.command
    parameters = StdioServerParameters(command=words[0], args=list(words[1:]), env=dict(dialect.environment))
    return Client(stdio_client(parameters, errlog=sys.__stderr__ or sys.stderr))


def _line(text: str) -> str:
    return " ".join(text.split())[:200] or "it does not say why"

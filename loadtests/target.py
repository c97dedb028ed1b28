"""The target: started when it is ours, and asked once whether it is there, before any load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from loadtests.duration import NS_PER_S
from loadtests.errors import TargetError
from loadtests.lifeline import begin_child
from loadtests.processlog import ProcessLog
from loadtests.scenario import Embedded
from loadtests.tls import tls_context

__all__ = ["EmbeddedTarget", "answers", "fetch", "free_port", "is_taken", "opener", "refuses"]


def answers(url: str, *, tls_verify: bool, timeout_s: float = 5.0) -> str | None:
    """Ask a URL once; None when it answers (with anything but a server error), else what went wrong."""
    try:
        with opener(tls_verify=tls_verify).open(url, timeout=timeout_s):
            return None
    except urllib.error.HTTPError as error:
        return f"it answers {error.code}" if error.code >= 500 else None
    except urllib.error.URLError as error:
        reason = error.reason
        return str(getattr(reason, "strerror", None) or reason)
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


def refuses(url: str, timeout_s: float = 5.0) -> str | None:
    """Why nothing takes connections at a URL's host and port; None when something does."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout_s):
            return None
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)


def fetch(url: str, *, tls_verify: bool, timeout_s: float = 10.0) -> bytes:
    """What a URL answers with success.

    Raises:
        TargetError: when it does not.

    """
    try:
        with opener(tls_verify=tls_verify).open(url, timeout=timeout_s) as answer:
            found: bytes = answer.read()
            return found
    except (OSError, ValueError) as error:
        raise TargetError(f"{url} cannot be read: {error}") from None


def opener(*, tls_verify: bool) -> urllib.request.OpenerDirector:
    """What opens URLs without a proxy and goes where it was sent, not where an answer points to."""
    secure = urllib.request.HTTPSHandler(context=tls_context(tls_verify))
    handlers = [_NoRedirect(), urllib.request.ProxyHandler({}), secure]
    return urllib.request.build_opener(*handlers)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


class EmbeddedTarget:
    """A target that the run starts on loopback and stops."""

    def __init__(self, embedded: Embedded, port: int, log: ProcessLog) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.restarting = False
        self._embedded = embedded
        self._port = port
        self._log = log

    @classmethod
    async def start(cls, embedded: Embedded, log: ProcessLog) -> EmbeddedTarget:
        """Start ``python -m MODULE`` and wait until it is ready.

        Raises:
            TargetError: when it ends or is not ready in time; the message quotes its last words.

        """
        if embedded.port and is_taken(embedded.port):
            raise TargetError(
                f"port {embedded.port} is taken by another program, so the embedded target ({embedded.module}) "
                "cannot have it; stop that program, or set target.embedded.port = 0 for a free one"
            )
        started = cls(embedded, embedded.port or free_port(), log)
        await started._start()
        return started

    @property
    def ended(self) -> int | None:
        """The code with which it ended by itself; None while it lives, or is being started again."""
        return None if self.restarting else self.process.returncode

    async def restart_at(self, moments_ns: Sequence[int]) -> None:
        """Stop and start it again at each of these moments (CLOCK_MONOTONIC), on the same port."""
        for at_ns in sorted(moments_ns):
            await asyncio.sleep(max(0.0, (at_ns - time.monotonic_ns()) / NS_PER_S))
            self.restarting = True
            with contextlib.suppress(TargetError):  # that it is not there is what the run then measures
                await self.stop()
                await self._start()
            self.restarting = False

    async def _start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._embedded.module, "--host", "127.0.0.1", "--port", str(self._port)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | dict(self._embedded.env),
            start_new_session=True,
            preexec_fn=begin_child,
        )
        self._following = asyncio.create_task(self._log.follow(self.process.stdout))
        try:
            await self._ready(self._embedded)
        except BaseException:
            await self.stop()
            raise

    async def _ready(self, embedded: Embedded) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + embedded.start_timeout / NS_PER_S
        problem: str | None = "it was not asked"
        while loop.time() < deadline:
            if self.process.returncode is not None:
                await self._following
                raise TargetError(
                    f"the embedded target ({embedded.module}) ended with code {self.process.returncode} "
                    f"before it was ready: {self._log.last_words()}"
                )
            ask: Callable[[], str | None] = lambda: answers(self.url + embedded.ready, tls_verify=False, timeout_s=2)  # noqa: E731
            problem = await asyncio.to_thread(ask)
            if problem is None and self.process.returncode is None:
                return
            await asyncio.sleep(0.1)
        raise TargetError(f"the embedded target ({embedded.module}) is not ready at {self.url}: {problem}")

    async def stop(self) -> None:
        """Ask it to end, then make it."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await asyncio.wait({self._following}, timeout=2)


def free_port() -> int:
    """A TCP port of loopback that nothing listened on a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether something listens on a TCP port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0

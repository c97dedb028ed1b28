"""The target's own metrics, asked once a second beside the load; nobody waits for the answer."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from loadtests.exposition import Exposition
from loadtests.scenario import Scenario
from loadtests.target import opener

__all__ = ["MOST_BYTES", "TIMEOUT_S", "Scrape", "fetch_metrics"]

TIMEOUT_S = 1.0
MOST_BYTES = 1 << 20
"""Of an answer, all that is read."""

Ask = Callable[[], bytes]
Start = Callable[[Callable[[], None]], object]


def _on_a_thread(action: Callable[[], None]) -> None:
    threading.Thread(target=action, name="target metrics", daemon=True).start()


class Scrape:
    """Asks again each time it is polled, unless an answer is still awaited, and never raises.

    Args:
        ask: fetches the metrics, or raises OSError or ValueError with words that hold no secret.
        clock_s: seconds since the run's start.
        write: takes each line of ``target.jsonl``.
        tell: takes what happened: that metrics are missing, or back.
        redact: takes secrets out of names.
        start: runs the asking elsewhere.

    """

    def __init__(
        self,
        ask: Ask,
        clock_s: Callable[[], float],
        write: Callable[[Mapping[str, Any]], None],
        tell: Callable[[str], None],
        redact: Callable[[str], str] = str,
        start: Start = _on_a_thread,
    ) -> None:
        self._ask = ask
        self._clock_s = clock_s
        self._write = write
        self._tell = tell
        self._start = start
        self._exposition = Exposition(redact)
        self._told_of = ""
        self._announced = 0
        self._missing = ""
        self._under_way = False
        self._found: tuple[float, list[float | None] | str] | None = None

    def poll(self) -> None:
        """Write what the last question brought, and ask the next."""
        if self._found is not None:
            (at_s, found), self._found, self._under_way = self._found, None, False
            self._miss(at_s, found) if isinstance(found, str) else self._keep(at_s, found)
        elif self._under_way:
            self._miss(self._clock_s(), f"there is no answer within {TIMEOUT_S:g} s")
        if not self._under_way:
            self._under_way = True
            self._start(self._once)

    def _once(self) -> None:
        found: list[float | None] | str
        try:
            found = self._exposition.read(self._ask().decode("utf-8", "replace"))
        except Exception as error:  # whatever it is, it must not end silently with its thread
            found = str(error) if isinstance(error, OSError | ValueError) else type(error).__name__
        self._found = (self._clock_s(), found)

    def _keep(self, at_s: float, values: list[float | None]) -> None:
        new = self._exposition.series[self._announced :]
        self._announced += len(new)
        self._write(({"series": new} if new else {}) | {"at_s": round(at_s, 3), "values": values})
        if self._missing:
            self._tell("the target's metrics can be read again")
        self._missing = ""
        if self._exposition.left_out != self._told_of:
            self._told_of = self._exposition.left_out
            self._write({"left_out": self._told_of})

    def _miss(self, at_s: float, why: str) -> None:
        self._write({"at_s": round(at_s, 3), "missing": why})
        if not self._missing:
            self._tell(f"the target's metrics cannot be read: {why}")
        self._missing = why


def fetch_metrics(scenario: Scenario, clock_s: Callable[[], float] = time.monotonic) -> Ask:
    """Something that fetches a target's metrics, in bounded time and size; its errors say nothing of the token."""
    target, token = scenario.target, scenario.secrets.get(scenario.target.metrics_token)
    headers = {"Accept": "text/plain;version=0.0.4"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    asked = urllib.request.Request(target.metrics_url, headers=headers)  # noqa: S310 - http(s) only
    opened = opener(tls_verify=target.tls_verify)

    def ask() -> bytes:
        deadline_s = clock_s() + TIMEOUT_S
        try:
            with opened.open(asked, timeout=TIMEOUT_S) as answer:
                return _read(answer, lambda: clock_s() > deadline_s)
        except urllib.error.HTTPError as error:
            raise OSError(f"it answers {error.code}") from None
        except TimeoutError:
            raise OSError(f"there is no answer within {TIMEOUT_S:g} s") from None
        except urllib.error.URLError as error:
            timed_out = isinstance(error.reason, TimeoutError)
            why = getattr(error.reason, "strerror", None) or type(error.reason).__name__
            raise OSError(f"there is no answer within {TIMEOUT_S:g} s" if timed_out else str(why)) from None
        except (http.client.HTTPException, ValueError) as error:  # the words of these may quote a header
            raise OSError(type(error).__name__) from None

    return ask


def _read(answer: Any, late: Callable[[], bool]) -> bytes:
    body = bytearray()
    while chunk := answer.read1(1 << 16):
        body += chunk
        if len(body) > MOST_BYTES:
            raise OSError(f"it is longer than {MOST_BYTES:,} bytes")
        if late():
            raise TimeoutError
    return bytes(body)

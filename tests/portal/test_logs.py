"""The log as JSON."""

import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from portal.logs import JsonFormatter
from portal.seed import PASSWORD
from portal.settings import Settings, SettingsError

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Lines(logging.Handler):
    """Keeps what is logged, as written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What the portal logs from now on; the test's client has a log too."""
    handler = Lines()
    logging.getLogger("portal").addHandler(handler)
    caplog.set_level(logging.INFO)
    for name in ("portal", "portal.access"):  # whatever was set before, and by whomever
        caplog.set_level(logging.INFO, name)
        logging.getLogger(name).disabled = False
    yield lambda: handler.lines
    logging.getLogger("portal").removeHandler(handler)


def test_each_request_is_a_line_without_secrets(
    open_portal: Callable[..., TestClient], lines: Callable[[], list[str]]
) -> None:
    """The template and not the path; no query string, no token, no password."""
    portal = open_portal({"log": "json"}, perf_ns=lambda: 0)
    headers = {"X-Request-ID": "mine-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    portal.get("/api/v1/agents/7?note=very-secret", headers=headers)
    portal.post("/api/v1/auth/token", data={"username": "user001", "password": PASSWORD})
    portal.get("/ws/agents?token=very-secret")
    entries = [entry for line in lines() if (entry := json.loads(line))["logger"] == "portal.access"]
    assert "mine-1" in [entry["request_id"] for entry in entries], (lines(), logging.getLogger("portal.access"))
    entry = next(entry for entry in entries if entry["request_id"] == "mine-1")
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "INFO",
        "logger": "portal.access",
        "message": "answered",
        "request_id": "mine-1",
        "trace_id": TRACE,
        "method": "GET",
        "route": "/api/v1/agents/{agent_id}",
        "status": 200,
        "duration_ms": 0.0,
    }
    assert [entry["route"] for entry in entries[-2:]] == ["/api/v1/auth/token", "(unmatched)"]
    written = "".join(lines())
    token = str(portal.headers["Authorization"]).split()[1]
    assert not any(secret in written for secret in ("very-secret", PASSWORD, token))


def test_as_text_requests_are_not_logged(
    open_portal: Callable[..., TestClient], lines: Callable[[], list[str]]
) -> None:
    """The default stays as it was."""
    open_portal().get("/healthz")
    assert "portal.access" not in "".join(lines())


def test_a_line_is_a_line() -> None:
    """Line breaks are escaped, and a traceback is a field."""
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("portal", logging.ERROR, "", 0, "a\n%s", ("b",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["message"]) == ("ERROR", "a\nb")
    assert entry["exception"].endswith("ValueError: two\nlines")
    assert "request_id" not in entry


@pytest.mark.parametrize("environ", [{"PORTAL_LOG": "xml"}, {"PORTAL_METRICS_TOKEN": "short"}, {"PORTAL_LAB": "yes"}])
def test_settings_that_cannot_be_obeyed(environ: dict[str, str]) -> None:
    """Each refusal names the variable."""
    with pytest.raises(SettingsError, match=next(iter(environ))):
        Settings.from_environment(environ)

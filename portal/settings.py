"""What can be set about one portal, read once at start."""

import ipaddress
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.slow import Delay, SlowError, parse_delays

SECRET_BYTES = 32
"""The shortest signing secret taken: an HS256 key is no shorter than its hash (RFC 7518, section 3.2)."""

EXTERNAL = ("lab", "desktop-commander")
"""The external services known by name."""


class SettingsError(ValueError):
    """A setting that cannot be obeyed, told in one sentence."""


@dataclass(frozen=True)
class Settings:
    """One portal's settings; the defaults are those of a laboratory on loopback."""

    host: str = "127.0.0.1"
    """The address that is bound; it decides whether laboratory switches are allowed."""
    database_url: str | None = field(default=None, repr=False)
    """An async SQLAlchemy URL; None means a fresh SQLite file that is removed at stop."""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    """The key that signs tokens; random at each start unless given."""
    access_token_s: int = 3_600
    """Life of an access token."""
    refresh_token_s: int = 86_400
    """Life of a refresh token."""
    delays: tuple[Delay, ...] = ()
    """The laboratory's slow routes (`PORTAL_SLOW`)."""
    agents: int = 1_000
    """Agents seeded into an empty database."""
    tasks: int = 5_000
    """Tasks seeded into an empty database."""
    accounts: int = 200
    """Login accounts seeded into an empty database."""
    body_bytes: int = 64 * 1024
    """The largest request body read."""
    frame_bytes: int = 64 * 1024
    """The largest WebSocket message read; a longer one closes the socket with 1009."""
    malformed_frames: int = 10
    """The malformed frame with this number, counted per socket, closes it with 1008."""
    queue_frames: int = 1_024
    """Frames that may wait for one socket before it is closed with 1013."""
    queue_bytes: int = 1024 * 1024
    """Bytes that may wait for one socket before it is closed with 1013."""

    mcp_sessions: int = 200
    """MCP sessions open at a time; one more is answered 503."""
    mcp_idle_s: float = 300.0
    """How long an MCP session without a request is kept."""
    mcp_hosts: tuple[str, ...] = ()
    """Names besides loopback that `/mcp` may be called by (`PORTAL_MCP_HOSTS`)."""
    external: str = "lab"
    """The external service: `lab` or `desktop-commander`."""
    external_command: str | None = field(default=None, repr=False)
    """The command line that starts the service; None means the usual one of its name."""
    external_url: str | None = field(default=None, repr=False)
    """The address of a service that runs already, instead of a command line."""
    external_calls: int = 4
    """Calls to the external service at a time."""
    external_waiting: int = 8
    """Calls that may wait in line for it; one more is answered 503."""
    external_failures: int = 5
    """Failures in a row that open its circuit breaker."""
    external_cool_down_s: float = 10.0
    """How long the circuit stays open."""

    def __post_init__(self) -> None:
        if len(self.secret.encode()) < SECRET_BYTES:
            raise SettingsError(f"the signing secret (PORTAL_SECRET) must be at least {SECRET_BYTES} bytes long")
        if self.delays and not is_loopback(self.host):
            raise SettingsError(f"PORTAL_SLOW is a laboratory switch and is refused on {self.host}: bind to loopback")
        if self.external not in EXTERNAL:
            raise SettingsError(f"PORTAL_EXTERNAL must be one of {', '.join(EXTERNAL)} and is {self.external!r}")
        if self.external_command and self.external_url:
            raise SettingsError("PORTAL_EXTERNAL_COMMAND and PORTAL_EXTERNAL_URL exclude each other: set one")
        if self.external_url and not self.external_url.startswith(("http://", "https://")):
            raise SettingsError("PORTAL_EXTERNAL_URL must begin with http:// or https://")
        try:
            shlex.split(self.external_command or "")
        except ValueError as error:
            raise SettingsError(f"PORTAL_EXTERNAL_COMMAND is no command line: {error}") from error

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], host: str = "127.0.0.1") -> "Settings":
        """Read the `PORTAL_...` variables; an empty variable counts as unset."""
        try:
            delays = parse_delays(environ.get("PORTAL_SLOW", ""))
        except SlowError as error:
            raise SettingsError(f"PORTAL_SLOW: {error}") from error
        given = {
            "database_url": environ.get("PORTAL_DATABASE_URL"),
            "secret": environ.get("PORTAL_SECRET"),
            "mcp_hosts": tuple(environ.get("PORTAL_MCP_HOSTS", "").split()),
            "external": environ.get("PORTAL_EXTERNAL"),
            "external_command": environ.get("PORTAL_EXTERNAL_COMMAND"),
            "external_url": environ.get("PORTAL_EXTERNAL_URL"),
            "access_token_s": _seconds(environ, "PORTAL_ACCESS_TOKEN_S"),
        }
        return cls(host=host, delays=delays, **{name: value for name, value in given.items() if value})  # type: ignore[arg-type]


def is_loopback(host: str) -> bool:
    """Whether `host`, an address or `localhost`, can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} must be a whole number of seconds, at least 1, and is {text!r}")
    return int(text)

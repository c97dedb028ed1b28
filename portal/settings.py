"""What can be set about one portal, read once at start."""

import ipaddress
import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.database import POOL_CONNECTIONS, POOL_WAIT_S
from portal.rate import Rate, RateError, parse_rate
from portal.slow import Delay, SlowError, parse_delays

SECRET_BYTES = 32
"""The shortest signing secret taken: an HS256 key is no shorter than its hash (RFC 7518, section 3.2)."""

METRICS_TOKEN_CHARACTERS = 16
"""The shortest token taken for `/metrics`."""


_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
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
    redis_url: str | None = field(default=None, repr=False)
    """A Redis shared by all portals of one database (`PORTAL_REDIS_URL`); None means that this portal is alone."""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    """The key that signs tokens; random at each start unless given."""
    access_token_s: int = 3_600
    """Life of an access token."""
    refresh_token_s: int = 86_400
    """Life of a refresh token."""
    rate_limit: Rate | None = None
    """How often one principal may ask (`PORTAL_RATE_LIMIT`); None is as often as it likes."""
    failed_logins: Rate = Rate(10, 60)  # noqa: RUF009 (frozen)
    """How often logins of one account from one address may fail."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read answers (`PORTAL_CORS_ORIGINS`)."""
    delays: tuple[Delay, ...] = ()
    """The laboratory's slow routes (`PORTAL_SLOW`)."""
    lab: bool = False
    """Whether the laboratory's switches can be set at run time (`PORTAL_LAB`)."""
    metrics_token: str | None = field(default=None, repr=False)
    """Who holds it may read `/metrics`; None shows them to loopback only."""
    log: str = "text"
    """How the log is written: `text`, or `json` with a line for each request."""
    cache_rows: int = 10_000
    """Rows kept in memory where there is no Redis (`PORTAL_CACHE_ROWS`); 0 is none."""
    cache_ttl_s: float = 30.0
    """How long a copy of a row is kept."""
    pool_connections: int = POOL_CONNECTIONS
    """Connections to a database other than SQLite (`PORTAL_POOL`)."""
    pool_wait_s: float = POOL_WAIT_S
    """How long a request waits for a connection before it is answered 503 (`PORTAL_POOL_WAIT_S`)."""
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
    ping_interval_s: float = 20.0
    """How often a socket is pinged."""
    ping_timeout_s: float = 20.0
    """How long a pong may take before the socket is closed with 1011."""
    history_frames: int = 256
    """Events of one channel kept for those who come back."""
    history_bytes: int = 16 * 1024 * 1024
    """What the events kept of all channels may weigh."""
    graphql_depth: int = 8
    """The deepest field of a GraphQL operation."""
    graphql_cost: int = 2_000
    """The most that a GraphQL operation may cost, as `portal.graphql.limits` counts it."""

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
        for name, is_on in (("PORTAL_SLOW", self.delays), ("PORTAL_LAB", self.lab)):
            if is_on and not is_loopback(self.host):
                raise SettingsError(f"{name} is a laboratory switch and is refused on {self.host}: bind to loopback")
        if self.redis_url is not None and not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError("PORTAL_REDIS_URL must begin with redis://, rediss:// or unix://")
        if self.log not in ("text", "json"):
            raise SettingsError(f"PORTAL_LOG must be text or json and is {self.log!r}")
        if self.metrics_token is not None and len(self.metrics_token) < METRICS_TOKEN_CHARACTERS:
            raise SettingsError(f"PORTAL_METRICS_TOKEN must be at least {METRICS_TOKEN_CHARACTERS} characters long")
        self._check_external()

    def _check_external(self) -> None:
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

    def cautions(self) -> list[str]:
        """Tell, a sentence each, what whoever starts this portal should know of it."""
        told = [
            f"laboratory switch: every answer of {delay.route} is delayed by {delay.seconds * 1000:g} ms"
            for delay in self.delays
        ]
        if self.lab:
            told.append("laboratory switches can be set at /lab")
        if not is_loopback(self.host):
            told.append(
                f"{self.host} can be reached by others, and the password of the seeded accounts, admin among them, is"
                " public: name a database with accounts of your own (PORTAL_DATABASE_URL), or bind to loopback"
            )
        return told

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], host: str = "127.0.0.1") -> "Settings":
        """Read the `PORTAL_...` variables; an empty variable counts as unset."""
        try:
            delays = parse_delays(environ.get("PORTAL_SLOW", ""))
        except SlowError as error:
            raise SettingsError(f"PORTAL_SLOW: {error}") from error
        try:
            rate_limit = parse_rate(rate) if (rate := environ.get("PORTAL_RATE_LIMIT")) else None
        except RateError as error:
            raise SettingsError(f"PORTAL_RATE_LIMIT: {error}") from error
        given = {
            "database_url": environ.get("PORTAL_DATABASE_URL"),
            "secret": environ.get("PORTAL_SECRET"),
            "redis_url": environ.get("PORTAL_REDIS_URL"),
            "cache_rows": _number(environ, "PORTAL_CACHE_ROWS", least=0),
            "pool_connections": _number(environ, "PORTAL_POOL"),
            "pool_wait_s": _number(environ, "PORTAL_POOL_WAIT_S"),
            "mcp_hosts": tuple(environ.get("PORTAL_MCP_HOSTS", "").split()),
            "external": environ.get("PORTAL_EXTERNAL"),
            "external_command": environ.get("PORTAL_EXTERNAL_COMMAND"),
            "external_url": environ.get("PORTAL_EXTERNAL_URL"),
            "access_token_s": _number(environ, "PORTAL_ACCESS_TOKEN_S"),
            "rate_limit": rate_limit,
            "cors_origins": _origins(environ.get("PORTAL_CORS_ORIGINS", "")),
            "lab": _switch(environ, "PORTAL_LAB"),
            "metrics_token": environ.get("PORTAL_METRICS_TOKEN"),
            "log": environ.get("PORTAL_LOG"),
        }
        named = {name: value for name, value in given.items() if value is not None and value not in ("", ())}
        return cls(host=host, delays=delays, **named)  # type: ignore[arg-type]


def is_loopback(host: str) -> bool:
    """Whether `host`, an address or `localhost`, can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name) or "0"
    if text not in ("0", "1"):
        raise SettingsError(f"{name} must be 0 or 1 and is {text!r}")
    return text == "1"


def _number(environ: Mapping[str, str], name: str, *, least: int = 1) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise SettingsError(f"{name} must be a whole number, at least {least}, and is {text!r}")
    return int(text)


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(filter(None, (part.strip() for part in text.split(","))))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                "PORTAL_CORS_ORIGINS names origins such as 'https://board.example' or 'http://localhost:3000',"
                f" with commas between them, and {origin!r} is none"
            )
    return origins

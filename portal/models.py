"""The tables. Core tables rather than mapped classes: every statement is visible where it is sent."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()
"""All tables of the portal."""

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in a column declared INTEGER

agents = Table(
    "agents",
    metadata,
    Column("agent_id", _Id, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("status", String(16), nullable=False),
    Column("last_heartbeat_at_ms", BigInteger),
    Column("version", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("agents_by_status", "status", "agent_id"),
)
"""Those who work. `version` grows by one with each change a client makes; a heartbeat is no such change."""

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", _Id, primary_key=True),
    Column("title", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("agent_id", _Id, ForeignKey("agents.agent_id")),
    Column("version", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("tasks_by_status", "status", "task_id"),
)
"""What there is to do, and which agent does it."""

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", _Id, primary_key=True),
    Column("username", String(80), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("role", String(16), nullable=False, server_default="viewer"),
)
"""Those who may log in."""

families = Table(
    "families",
    metadata,
    Column("family_id", String(32), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger),
)
"""Logins that were refreshed or ended. `generation` is that of the one refresh token that is good."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", _Id, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("made_by", String(80), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
)
"""What agents call with. `digest` is the SHA-256 of a key's secret; the secret itself is nowhere."""

audit = Table(
    "audit",
    metadata,
    Column("audit_id", _Id, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(80)),
    Column("what", String(40), nullable=False),
    Column("target", String(120), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("request_id", String(64)),
)
"""Who did what, and how it ended."""

answers = Table(
    "answers",
    metadata,
    Column("account", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Index("answers_by_age", "created_at_ms"),
)
"""Answers to requests that carried an `Idempotency-Key`, kept for a day."""

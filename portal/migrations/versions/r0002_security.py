"""Roles of accounts, logins that are refreshed, API keys, the audit log, and stored answers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; accounts that were there already worked as operators, and go on so."""
    op.add_column("accounts", sa.Column("role", sa.String(16), nullable=False, server_default="viewer"))
    op.execute("UPDATE accounts SET role = 'operator'")
    op.create_table(
        "families",
        sa.Column("family_id", sa.String(32), primary_key=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger()),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", _Id, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(80), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger()),
        sa.Column("revoked_at_ms", sa.BigInteger()),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", _Id, primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(80)),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("target", sa.String(120), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("request_id", sa.String(64)),
    )
    op.create_table(
        "answers",
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("answers_by_age", "answers", ["created_at_ms"])


def downgrade() -> None:
    """Drop them, and with them who may do what."""
    for table in ("answers", "audit", "api_keys", "families"):
        op.drop_table(table)
    op.drop_column("accounts", "role")

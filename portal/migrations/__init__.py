"""The schema, revision by revision: `migrate` brings a database to the newest one."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

BASELINE = "0001"
"""The revision whose tables portals made before there were revisions."""

_LOCK = 7_678_325_401
"""The PostgreSQL advisory lock of migrations; the number means nothing and must never change."""


class MigrationError(RuntimeError):
    """A database that these revisions do not lead on from, told in one sentence."""


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade to `revision` inside the caller's transaction; an older portal's tables are taken as the baseline.

    Two processes that start at once do not collide: the second waits, then finds nothing left to do. PostgreSQL has a
    lock for that, held until the transaction ends; on SQLite the transaction is the lock (`BEGIN IMMEDIATE`).
    """
    from alembic import command, util  # a third of a second to import, which a temporary database need not pay

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = inspect(connection)
    if found.has_table("accounts") and not found.has_table("alembic_version"):
        command.stamp(configure(connection), BASELINE)
    try:
        command.upgrade(configure(connection), revision)
    except util.CommandError as error:  # its revision is none of these
        raise MigrationError(f"{error}; a newer portal may have made it") from error


def configure(connection: Connection) -> "Config":
    """Make what Alembic's commands ask for: these revisions, and the caller's connection."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config

"""`python -m portal`: the portal alone."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from portal.app import create_app
from portal.database import Database, DatabaseUrlError, check_reachable
from portal.logs import JsonFormatter
from portal.migrations import MigrationError, migrate
from portal.server import BindError, bind, make_server
from portal.settings import Settings, SettingsError

USAGE_ERROR = 2
"""The exit code for a setting that cannot be obeyed, a taken port among them."""
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
SWITCH_INTERVAL_S = 0.0005
"""How long one thread may keep the interpreter from another. The usual 5 ms is what each statement of SQLite's threads
would wait for, when the event loop is busy."""

_log = logging.getLogger("portal")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM (exit code 0) or Ctrl-C (130), or migrate the database and return."""
    options = _parser().parse_args(argv)
    # At DEBUG uvicorn logs URLs and aiosqlite every value it writes: tokens, password hashes. So only the portal's own
    # loggers go below INFO.
    others = "info" if options.log_level == "debug" else options.log_level
    logging.basicConfig(level=others.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _log.setLevel(options.log_level.upper())
    try:
        settings = Settings.from_environment(os.environ, host=options.host)
        if settings.database_url is not None:
            asyncio.run(check_reachable(settings.database_url))
        if options.action == "migrate":
            if settings.database_url is None:
                raise SettingsError("migrate needs PORTAL_DATABASE_URL: a temporary database has nothing to keep")
            asyncio.run(_migrate(settings.database_url))
            return 0
        app = create_app(settings)
        listener = bind(options.host, options.port)
        if settings.database_url is not None:
            asyncio.run(_migrate(settings.database_url))  # what is in its way is told here; the start finds it done
    except (SettingsError, DatabaseUrlError, BindError) as error:
        print(f"portal: {error}", file=sys.stderr)
        return USAGE_ERROR
    if settings.log == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())
    for caution in settings.cautions():
        _log.warning(caution)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    server = make_server(app, settings, listener, others)
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        # uvicorn takes the signals over while it serves, stops gracefully, and at the end raises them again for us.
        received.append(number)
        if not server.started:
            raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    server.run(sockets=[listener])
    return INTERRUPTED if signal.SIGINT in received else 0


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        async with database.transaction() as connection:
            await connection.run_sync(migrate)
    except (MigrationError, SQLAlchemyError, OSError) as error:
        raise DatabaseUrlError.of(url, "cannot be migrated", error) from error
    finally:
        await database.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal", description="The portal where agents are coordinated.")
    parser.add_argument(
        "action",
        nargs="?",
        choices=("serve", "migrate"),
        default="serve",
        help="migrate: bring the database to the newest schema and exit (default: %(default)s)",
    )
    parser.add_argument("--host", default=Settings.host, help="address to bind (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="port to bind, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--log-level",
        choices=("critical", "error", "warning", "info", "debug"),
        default="warning",
        help="(default: %(default)s)",
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


if __name__ == "__main__":
    sys.exit(main())

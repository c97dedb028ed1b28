"""`python -m portal.local postgres redis -- COMMAND...`: run a command beside servers of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from portal.local import LocalError
from portal.local.postgres import postgres
from portal.local.redis import redis

SERVERS = {"postgres": (postgres, "PORTAL_DATABASE_URL"), "redis": (redis, "PORTAL_REDIS_URL")}
"""What can be started, and the variable by which the portal finds it."""
USAGE = f"usage: python -m portal.local [{'] ['.join(SERVERS)}] -- COMMAND..."


def main(arguments: Sequence[str]) -> int:
    """Start the servers named, run the command with their URLs in its environment, and return its exit code."""
    names, separator, command = _split(arguments)
    if not separator or not command or not set(names) <= set(SERVERS):
        print(USAGE, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with ExitStack() as stack:
            urls = {variable: stack.enter_context(server()) for server, variable in map(SERVERS.__getitem__, names)}
            return _beside(command, urls)
    except (LocalError, FileNotFoundError) as error:
        print(f"portal.local: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _beside(command: Sequence[str], urls: Mapping[str, str]) -> int:
    """Run the command to its end: the servers stay until it has ended, however that comes about."""
    with subprocess.Popen(command, env=os.environ | urls) as process:
        signal.signal(signal.SIGINT, lambda *_: None)  # a terminal's Ctrl-C reaches the command itself
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        return process.wait()


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    if "--" not in arguments:
        return arguments, False, ()
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

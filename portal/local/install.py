"""`python -m portal.local.install`: install PostgreSQL and Redis from Debian's packages, without starting either."""

import os
import subprocess
import sys


def main() -> int:
    """Install; needs root. `RUNLEVEL=1` keeps Debian's packages from starting their services."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql", "redis-server"]):
        if code := subprocess.run(["apt-get", *command], env=environment).returncode:  # noqa: S607 (the system's own)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())

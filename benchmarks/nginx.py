"""An nginx of one's own: a server that answers quickly, which leaves a client's own costs to be seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.endtoend.harness import accepts, free_port, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
"""Where Debian's package puts it, that of an ordinary user's path is not."""
_TEMPORARY = "\n".join(f"  {of}_temp_path temp;" for of in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


@contextmanager
def nginx() -> Iterator[str]:
    """One worker on loopback that answers everything with the same two bytes; yields its URL.

    Raises:
        FileNotFoundError: where nginx is not installed.

    """
    if NGINX is None:
        raise FileNotFoundError("nginx is not installed: apt-get install nginx-light")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text(
            f"""daemon off;
worker_processes 1;
pid pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
{_TEMPORARY}
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type text/plain; return 200 "ok"; }}
  }}
}}
"""
        )
        process = subprocess.Popen([NGINX, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
        try:
            wait_for(lambda: accepts(port) or process.poll() is not None)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()

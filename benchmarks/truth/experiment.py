"""One truth put to the test: its server and the harness in processes of their own, as a user would start them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import repeat
from pathlib import Path
from types import TracebackType
from urllib.request import Request, urlopen

from benchmarks.truth.peers import TOOLS, Said
from benchmarks.truth.record import Record
from benchmarks.truth.truth import WARM_UP_S, Row, Truth, rows
from loadtests.errors import RunError

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = Path(__file__).parent / "scenario"


class Experiment:
    """A server on a free loopback port, and a run against it. Leaving it ends both."""

    def __init__(self, truth: Truth, seconds: int, scratch: Path) -> None:
        self.truth, self.seconds, self.scratch = truth, seconds, scratch
        scratch.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.harness: subprocess.Popen[bytes] | None = None
        self.said: dict[str, Said | None] = {}
        """By tool, its figures of ``GET /``."""

    def __enter__(self) -> Experiment:
        """Start the server, and wait until it accepts connections.

        Raises:
            TimeoutError: when it does not within 15 s.

        """
        module, *arguments = self.truth.server
        command = [sys.executable, "-m", f"benchmarks.truth.servers.{module}", str(self.port), *arguments]
        self.server = subprocess.Popen(command, cwd=ROOT)
        deadline_s = time.monotonic() + 15
        while time.monotonic() < deadline_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise TimeoutError(f"the server of {self.truth.name!r} does not listen on {self.url}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End what was started."""
        for process in (self.harness, self.server):
            if process is not None:
                process.kill()
                process.wait()

    def start(self) -> None:
        """Start ``loadtests run``."""
        if self.truth.load and self.truth.load[0].endswith(".toml"):
            load = [str(SCENARIOS / self.truth.load[0]), "--host", self.url.rstrip("/")]
        else:
            load = ["--url", self.url, "--users", f"{self.truth.users}"]
            load += ["--rate", f"{self.truth.rate_per_s}/s"] if self.truth.rate_per_s else []
            load += ["--warm-up", f"{WARM_UP_S}s", "--objective", self.truth.objective, *self.truth.load]
        command = [sys.executable, "-m", "loadtests", "run", *load]
        command += ["--duration", f"{self.seconds}s", "--no-witness", "--out", str(self.scratch / "run")]
        with (self.scratch / "out.txt").open("w") as printed:
            self.harness = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | {"COLUMNS": "200"}, stdout=printed, stderr=subprocess.STDOUT
            )

    def ended(self) -> None:
        """Wait for the run, and read what it and the server say.

        Raises:
            RunError: when it does not end, or ends without figures.

        """
        assert self.harness is not None
        run, printed = self.scratch / "run", self.scratch / "out.txt"
        with suppress(subprocess.TimeoutExpired):
            self.harness.wait(self.seconds + 120)
        if not (run / "summary.json").exists():
            raise RunError(
                f"the run of {self.truth.name!r} ended without figures; it printed: {printed.read_text()[-2000:]}"
            )
        self.summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        self.said["service time"] = self.summary["series"].get("GET /", {}).get("service_ms")
        if len(processes := self.summary.get("locust_says", {})) == 1:
            self.said["Locust"] = next(iter(processes.values())).get("GET /")
        header = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (steady,) = (phase for phase in header["phases"] if phase["kind"] == "steady")
        asked = Request(f"{self.url}record", headers={"User-Agent": "experiment"})  # noqa: S310 -- our own address
        with urlopen(asked, timeout=30) as answer:  # noqa: S310
            told = json.load(answer)
        begin_ns, end_ns = (header["t0_ns"] + round(1e9 * steady[end]) for end in ("start_s", "end_s"))
        self.record = Record.between(told, begin_ns, end_ns, header["t0_ns"])

    def compare(self, tool: str, seconds: int) -> None:
        """Put another tool on the same server for so long."""
        if self.truth.peers:
            self.said[tool] = TOOLS[tool](self.url, self.truth.rate_per_s, self.truth.users, seconds, self.scratch)

    def rows(self) -> list[Row]:
        """What everybody said, beside what is true."""
        return rows(self.truth, self.record, self.summary, {tool: said for tool, said in self.said.items() if said})


def together(truths: Sequence[Truth], seconds: int, scratch: Path, compare_s: int = 0) -> list[Row]:
    """Several experiments at the same time; they begin together, so that none judges while another measures."""
    with ExitStack() as stack:
        experiments = [
            stack.enter_context(Experiment(truth, seconds, scratch / truth.name.replace("/", "-"))) for truth in truths
        ]
        for experiment in experiments:
            experiment.start()
        for experiment in experiments:
            experiment.ended()
        if compare_s:
            with ThreadPoolExecutor(len(experiments)) as pool:
                for tool in TOOLS:
                    list(pool.map(Experiment.compare, experiments, repeat(tool), repeat(compare_s)))
        return [row for experiment in experiments for row in experiment.rows()]

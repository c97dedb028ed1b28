"""Other tools on the same server: what k6 and wrk say of it, where they are installed. For comparison only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

Said = dict[str, float]
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)

K6 = """import http from 'k6/http';
export const options = {
  scenarios: { all: { executor: 'constant-arrival-rate', rate: %(rate)d, timeUnit: '1s', duration: '%(seconds)ds',
                      preAllocatedVUs: %(users)d, maxVUs: %(users)d } },
  summaryTrendStats: [%(stats)s],
};
export default function () { http.get('%(url)s'); }
"""
WRK = """done = function(summary, latency, requests)
  for _, p in ipairs({%(stats)s}) do io.write(string.format("p%%g %%g\\n", p, latency:percentile(p))) end
end
"""


def k6(url: str, rate_per_s: int, users: int, seconds: int, scratch: Path) -> Said | None:
    """An open model of evenly spaced arrivals that drops whom no user is free for; timed from the send. In ms.

    None where it is not installed, or for no seconds.
    """
    program = shutil.which("k6")
    if program is None or not seconds:
        return None
    script, told = scratch / "k6.js", scratch / "k6.json"
    stats = ", ".join(f"'p({p:g})'" for p in PERCENTILES)
    script.write_text(K6 % {"url": url, "rate": rate_per_s, "users": users, "seconds": seconds, "stats": stats})
    subprocess.run(
        [program, "run", "--quiet", "--no-usage-report", f"--summary-export={told}", str(script)],
        check=True,
        capture_output=True,
        timeout=seconds + 60,
    )
    trend = json.loads(told.read_text())["metrics"]["http_req_duration"]
    return {f"p{p:g}": float(trend[f"p({p:g})"]) for p in PERCENTILES}


def wrk(url: str, rate_per_s: int, users: int, seconds: int, scratch: Path) -> Said | None:
    """A closed loop over so many connections, 20 at most, as fast as it goes: no rate. In ms; None as above."""
    program = shutil.which("wrk")
    if program is None or not seconds:
        return None
    script = scratch / "wrk.lua"
    script.write_text(WRK % {"stats": ", ".join(f"{p:g}" for p in PERCENTILES)})
    done = subprocess.run(
        [program, "-t1", f"-c{min(users, 20)}", f"-d{seconds}s", "-s", str(script), url],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    return {f"p{p}": float(us) / 1000 for p, us in re.findall(r"^p([\d.]+) ([\d.e+]+)$", done.stdout, re.MULTILINE)}


TOOLS = {"k6": k6, "wrk": wrk}

"""Many members that have asked once and are idle: ``idlemembers.py MEMBERS URL`` prints the KiB that each takes."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
import time
from pathlib import Path

import uvloop

from loadtests.asyncrequests import AsyncRequests
from loadtests.httpmember import HttpMember
from loadtests.job import Job
from loadtests.recorder import Recorder
from loadtests.scenario import Scenario


def rss_kib() -> float:
    """Resident memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


async def main(members: int, url: str) -> float:
    """Each is made with its session, asks for one page, and keeps its connection."""
    made = {
        "name": "idle",
        "target": {"url": url},
        "phases": [{"kind": "steady", "duration": "1h"}],
        "users": [{"class": "x.py:X"}],
        "load": {"model": "closed", "users": 1},
    }
    job = Job(Scenario.model_validate(made), "r", "local", "generator", 0, 1, Path())
    requests = AsyncRequests(job, Recorder(time.monotonic_ns()))

    def member(number: int) -> HttpMember:
        one = HttpMember(number, {}, {}, {})
        one.http = requests.session(one)
        return one

    await member(-1).http.get("/page")  # what all of them share is there from now on
    gc.collect()
    before_kib, all_of_them = rss_kib(), [member(number) for number in range(members)]
    for each in range(0, members, 50):
        await asyncio.gather(*(one.http.get("/page") for one in all_of_them[each : each + 50]))
    gc.collect()
    return (rss_kib() - before_kib) / members


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(uvloop.run(main(int(sys.argv[1]), sys.argv[2])))

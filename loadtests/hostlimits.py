"""What this machine sets its programs for limits, beside what a plan needs, and the command that mends each."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtests.scenario import Scenario

__all__ = ["Limit", "connection_limits", "connections_of", "host_limits", "raise_open_files"]

SPARE_FILES = 200
"""What a process has open beside its connections."""
SHARE = 0.7
"""More of a limit than this should not be used."""
GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource")
"""Clock sources that are read without a call into the kernel."""


@dataclass(frozen=True)
class Limit:
    """One limit of the machine: ``command`` mends it where it is not ``ok``; what merely slows is not ``needed``."""

    name: str
    value: str
    ok: bool
    command: str
    needed: bool = True


def host_limits(scenario: Scenario, processes: int, root: Path = Path("/")) -> list[Limit]:
    """Every limit that can be read here, against what a plan needs of it."""
    connections = sum(member.count for member in scenario.swarm.members)
    users = scenario.load.users if scenario.users else 0
    return [
        _files(max(math.ceil(users / processes), math.ceil(connections / processes))),
        *_ports(root, users + connections),
        *_backlog(root, users),
        *_clock(root),
        *_governor(root),
        *_quota(root),
        _cores(processes + bool(connections)),
    ]


def connection_limits(scenario: Scenario, processes: int, root: Path = Path("/")) -> list[Limit]:
    """What the swarm's connections cannot do without, to the last one: open files of each process, and ports."""
    connections = connections_of(scenario)
    return [_files(math.ceil(connections / processes), 1.0), *_ports(root, connections, 1.0)]


def connections_of(scenario: Scenario) -> int:
    """How many the members of a scenario have at once."""
    asking = scenario.load.users if scenario.http_members else 0
    return asking + sum(member.count for member in scenario.swarm.members)


def raise_open_files() -> None:
    """Let this process and those that it starts open as many files as it may: the soft limit is set to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _files(sockets: int, share: float = SHARE) -> Limit:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = math.ceil((sockets + SPARE_FILES) / share)
    have = "no limit" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    enough = soft == resource.RLIM_INFINITY or soft >= needed
    beyond_hard = hard not in (resource.RLIM_INFINITY,) and needed > hard
    command = f"ulimit -n {needed}" if not beyond_hard else f"prlimit --pid $$ --nofile={needed}:{needed}  # as root"
    return Limit("open files of a process", f"{have}; this plan wants {needed:,}", enough, command)


def _ports(root: Path, sockets: int, share: float = SHARE) -> Iterator[Limit]:
    numbers = _text(root, "proc/sys/net/ipv4/ip_local_port_range").split()
    if len(numbers) == 2:
        have = int(numbers[1]) - int(numbers[0]) + 1
        needed = math.ceil(sockets / share)
        yield Limit(
            "ports to connect from",
            f"{have:,}; this plan wants {needed:,} at once",
            have >= needed,
            'sysctl -w net.ipv4.ip_local_port_range="1024 65535"',
        )


def _backlog(root: Path, users: int) -> Iterator[Limit]:
    text = _text(root, "proc/sys/net/core/somaxconn")
    if text.isdecimal():
        needed = min(max(128, users), 4096)
        yield Limit(
            "connections a server lets wait (backlog)",
            f"{int(text):,}; a target on this machine wants {needed:,}",
            int(text) >= needed,
            f"sysctl -w net.core.somaxconn={needed}",
            needed=False,
        )


def _clock(root: Path) -> Iterator[Limit]:
    folder = "sys/devices/system/clocksource/clocksource0"
    if source := _text(root, f"{folder}/current_clocksource"):
        better = next(
            (name for name in _text(root, f"{folder}/available_clocksource").split() if name in GOOD_CLOCKS), ""
        )
        command = f"echo {better} > /{folder}/current_clocksource" if better else "run on a host with a steady TSC"
        yield Limit("clock source", source, source in GOOD_CLOCKS, command, needed=False)


def _governor(root: Path) -> Iterator[Limit]:
    if governor := _text(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"):
        yield Limit(
            "CPU governor", governor, governor == "performance", "cpupower frequency-set -g performance", needed=False
        )


def _quota(root: Path) -> Iterator[Limit]:
    """The control group's share of the processors (version 2, then version 1)."""
    words = _text(root, "sys/fs/cgroup/cpu.max").split()
    if not words:
        quota = _text(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        words = [
            "max" if quota in ("", "-1") else quota,
            _text(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us") or "100000",
        ]
    if words[0] != "max":
        cores = int(words[0]) / int(words[1])
        command = "run the container without a CPU quota (docker run without --cpus; a CPU request, no limit)"
        yield Limit("container's CPU quota", f"{cores:g} cores, and a standstill when they are used up", False, command)


def _cores(busy: int) -> Limit:
    have = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Limit(
        "processors",
        f"{have}; the generator's busy processes are {busy}, and the target wants its own",
        have > busy,
        "use a machine with more processors, or fewer --processes",
        needed=False,
    )


def _text(root: Path, path: str) -> str:
    try:
        return (root / path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""

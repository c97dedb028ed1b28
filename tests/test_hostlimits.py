"""The machine's limits, from files as Linux writes them."""

from __future__ import annotations

import resource

import pytest

from loadtests.hostlimits import host_limits
from loadtests.trial import Intent, Trials

CLOCKS = "sys/devices/system/clocksource/clocksource0"
FILES = {
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "proc/sys/net/core/somaxconn": "4096\n",
    f"{CLOCKS}/current_clocksource": "tsc\n",
    f"{CLOCKS}/available_clocksource": "tsc hpet\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/fs/cgroup/cpu.max": "max 100000\n",
}


def _limits(root, users=100, processes=1, **files):
    for path, text in {**FILES, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    scenario = Trials(Intent(100.0, users, "constant", 1, 0, 0.0)).floor()
    return {limit.name: limit for limit in host_limits(scenario, processes, root)}


def test_a_machine_with_room(tmp_path):
    """Every file is read, and none is too small."""
    found = _limits(tmp_path)
    assert {name for name, limit in found.items() if not limit.ok} <= {"processors"}, "which are this machine's own"
    assert len(found) == 6
    assert found["ports to connect from"].value == "28,232; this plan wants 143 at once"  # 100 / .7


@pytest.mark.parametrize(
    ("path", "text", "name", "command"),
    [
        ("proc/sys/net/ipv4/ip_local_port_range", "1 142", "ports to connect from", "ip_local_port_range"),
        ("proc/sys/net/core/somaxconn", "127", "connections a server lets wait (backlog)", "somaxconn=128"),
        (f"{CLOCKS}/current_clocksource", "hpet", "clock source", f"echo tsc > /{CLOCKS}/current_clocksource"),
        (
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "powersave",
            "CPU governor",
            "cpupower frequency-set -g performance",
        ),
        ("sys/fs/cgroup/cpu.max", "150000 100000", "container's CPU quota", "without --cpus"),
    ],
)
def test_what_is_too_small_names_its_remedy(tmp_path, path, text, name, command):
    """One limit at a time."""
    limit = _limits(tmp_path, **{path: text})[name]
    assert not limit.ok
    assert command in limit.command


def test_a_quota_of_the_older_kind(tmp_path):
    """Control groups of version 1: half a core."""
    more = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}
    limit = _limits(tmp_path, **more, **{"sys/fs/cgroup/cpu.max": ""})["container's CPU quota"]
    assert limit.value.startswith("0.5 cores")


def test_open_files(tmp_path):
    """Seven tenths of the limit hold a process's share of the connections, and 200 more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1428, hard))
        assert not _limits(tmp_path, users=800)["open files of a process"].ok  # 1,000 / .7 = 1428.6
        assert _limits(tmp_path, users=799)["open files of a process"].ok
        assert _limits(tmp_path, users=1598, processes=2)["open files of a process"].ok
        assert "ulimit -n 1429" in _limits(tmp_path, users=800)["open files of a process"].command
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_system_that_does_not_tell(tmp_path):
    """What cannot be read is not made up."""
    scenario = Trials(Intent(100.0, 10, "constant", 1, 0, 0.0)).floor()
    names = [limit.name for limit in host_limits(scenario, 1, tmp_path / "none")]
    assert names == ["open files of a process", "processors"]

"""The machine's own accounts, from files as Linux writes them (proc(5), cgroup v2)."""

import pytest

from loadtests.machine import Machine

STAT = "cpu  {user} 0 50 {idle} 0 0 0 {steal} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
NETSTAT = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 {overflows} 9\nIpExt: InNoRoutes\nIpExt: 4\n"
SNMP = "Tcp: RtoMin ActiveOpens RetransSegs\nTcp: 200 7 {again}\nUdp: InDatagrams\nUdp: 3\n"
SOCKSTAT = "sockets: used 160\nTCP: inuse 900 orphan 0 tw 100 alloc 30 mem 4\nUDP: inuse 1 mem 0\n"


def _write(root, *, user=100, idle=800, steal=50, throttled=2, overflows=3, again=4):
    files = {
        "proc/stat": STAT.format(user=user, idle=idle, steal=steal),
        "proc/net/netstat": NETSTAT.format(overflows=overflows),
        "proc/net/snmp": SNMP.format(again=again),
        "proc/net/sockstat": SOCKSTAT,
        "proc/sys/net/ipv4/ip_local_port_range": "10001\t20000\n",
        "sys/fs/cgroup/cpu.stat": f"usage_usec 5\nnr_periods 9\nnr_throttled {throttled}\nthrottled_usec 77\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def test_what_happened_since(tmp_path):
    """100 ticks later: 50 used, 40 idle, 10 stolen; 3 throttled periods, 2 overflows, 5 segments sent again."""
    _write(tmp_path)
    machine = Machine(tmp_path)
    _write(tmp_path, user=150, idle=840, steal=60, throttled=5, overflows=5, again=9)
    row = machine.read()
    assert row["steal_percent"] == 10.0
    assert (row["throttled"], row["listen_overflows"], row["retransmits"]) == (3.0, 2.0, 5.0)


def test_ports(tmp_path):
    """900 sockets in use and 100 that linger, of 10,000 ports; where two of the 900 are one connection, 450."""
    _write(tmp_path)
    assert Machine(tmp_path).read()["ports_percent"] == 10.0
    assert Machine(tmp_path).read(both_ends=True)["ports_percent"] == 5.5


def test_quiet(tmp_path):
    """Read twice with nothing in between, nothing happened, and no share of nothing is made up."""
    _write(tmp_path)
    row = Machine(tmp_path).read()
    assert "steal_percent" not in row
    assert row["throttled"] == 0.0


@pytest.mark.parametrize("text", ["", "cpu  1 2 3\n", "garbage"])
def test_a_system_that_does_not_tell(tmp_path, text):
    """What is not told has no figure."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(text)
    row = Machine(tmp_path).read()
    assert {"steal_percent", "throttled", "ports_percent", "retransmits"}.isdisjoint(row)

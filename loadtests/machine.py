"""What the machine under the generator keeps from it: stolen time, CPU quotas, ports, lost packets.

Linux tells all of it; elsewhere a reading is left out.
"""

from __future__ import annotations

from pathlib import Path

import psutil

__all__ = ["Machine"]


class Machine:
    """Reads what happened since the last reading.

    Args:
        root: where ``proc`` and ``sys`` are.

    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._counters = self._read_counters()
        low, high = self._numbers("proc/sys/net/ipv4/ip_local_port_range") or [0, 0]
        self._ports = high - low + 1 if high else 0

    def read(self, *, both_ends: bool = False) -> dict[str, float]:
        """One reading; ``both_ends`` of a connection are here where the target is: a port for two sockets.

        ``steal_percent`` of all processors' time; ``throttled`` times that the control group's quota ran out;
        ``ports_percent`` of the ephemeral ports, if all sockets went to one address; ``listen_overflows`` and
        ``retransmits`` of the whole machine; ``network_bytes`` and ``loopback_bytes`` received.
        """
        before, self._counters = self._counters, self._read_counters()
        passed = {name: value - before[name] for name, value in self._counters.items() if name in before}
        row = {name: value for name, value in passed.items() if not name.startswith("cpu_")}
        if passed.get("cpu_all", 0.0) > 0:
            row["steal_percent"] = 100 * passed["cpu_steal"] / passed["cpu_all"]
        sockets = self._words("proc/net/sockstat", "TCP:")
        if self._ports and sockets:
            in_use = sockets.get("inuse", 0.0) / (2 if both_ends else 1)
            row["ports_percent"] = 100 * (in_use + sockets.get("tw", 0.0)) / self._ports
        return row

    def _read_counters(self) -> dict[str, float]:
        counters: dict[str, float] = {}
        processors = self._text("proc/stat").partition("\n")[0].split()[1:]
        if len(processors) >= 8:
            counters["cpu_all"] = sum(map(float, processors[:8]))
            counters["cpu_steal"] = float(processors[7])
        quota = dict(line.split() for line in self._text("sys/fs/cgroup/cpu.stat").splitlines() if " " in line)
        if "nr_throttled" in quota:
            counters["throttled"] = float(quota["nr_throttled"])
        for file, group, name, ours in (
            ("proc/net/netstat", "TcpExt:", "ListenOverflows", "listen_overflows"),
            ("proc/net/snmp", "Tcp:", "RetransSegs", "retransmits"),
        ):
            rows = [line.split()[1:] for line in self._text(file).splitlines() if line.startswith(group)]
            if len(rows) == 2 and name in rows[0]:
                counters[ours] = float(rows[1][rows[0].index(name)])
        devices = psutil.net_io_counters(pernic=True)
        counters["loopback_bytes"] = float(sum(c.bytes_recv for nic, c in devices.items() if nic.startswith("lo")))
        counters["network_bytes"] = float(sum(c.bytes_recv for nic, c in devices.items() if not nic.startswith("lo")))
        return counters

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text()
        except OSError:
            return ""

    def _numbers(self, path: str) -> list[int]:
        return [int(word) for word in self._text(path).split() if word.isdigit()]

    def _words(self, path: str, group: str) -> dict[str, float]:
        """``TCP: inuse 1 tw 0`` as a mapping."""
        for line in self._text(path).splitlines():
            if line.startswith(group):
                words = line.split()[1:]
                return {name: float(value) for name, value in zip(words[::2], words[1::2], strict=False)}
        return {}

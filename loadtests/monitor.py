"""Resources of the generator and of the target, read once a second."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from loadtests.machine import Machine

__all__ = ["Monitor"]


class Monitor:
    """Reads CPU, memory and open descriptors of process trees; processes that are gone read as nothing."""

    def __init__(self) -> None:
        self._processes: dict[int, psutil.Process] = {}
        self._machine = Machine()
        psutil.cpu_percent()

    def _read(self, pids: Iterable[int]) -> tuple[list[float], float, int]:
        cpu, rss, fds = [], 0.0, 0
        for pid in pids:
            try:
                process = self._processes.get(pid)
                if process is None:
                    process = self._processes[pid] = psutil.Process(pid)
                cpu.append(process.cpu_percent())
                rss += process.memory_info().rss
                fds += process.num_fds() if psutil.POSIX else 0
            except psutil.Error:
                continue
        return cpu, rss, fds

    def read(self, generator: Iterable[int], swarm: Iterable[int], target: Iterable[int]) -> dict[str, float]:
        """One reading since the last; CPU in percent of one core, memory in bytes.

        ``generator_cpu_percent`` is of the busiest Locust process, since one saturated process spoils the load.
        """
        cpu, rss, _ = self._read(generator)
        row = {"generator_cpu_percent": max(cpu, default=0.0), "generator_rss_bytes": rss}
        swarm_cpu, swarm_rss, _ = self._read(swarm)
        if swarm_cpu:
            row["swarm_cpu_percent"] = max(swarm_cpu)
            row["generator_rss_bytes"] += swarm_rss
        target_cpu, target_rss, target_fds = self._read(target)
        if target_cpu:
            row |= {"target_cpu_percent": sum(target_cpu), "target_rss_bytes": target_rss}
        if target_fds:  # they are not shown of every process
            row["target_fds"] = target_fds
        return row | {"machine_cpu_percent": psutil.cpu_percent()} | self._machine.read(both_ends=bool(target_cpu))

    @staticmethod
    def children(pid: int) -> list[int]:
        """Pids of all descendants."""
        try:
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        except psutil.Error:
            return []

    @staticmethod
    def listener(port: int) -> list[int]:
        """Pids that listen on a TCP port of this machine, as far as they may be seen."""
        try:
            return sorted(
                {
                    connection.pid
                    for connection in psutil.net_connections("tcp")
                    if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.pid
                    if connection.laddr.port == port
                }
            )
        except psutil.Error:
            return []

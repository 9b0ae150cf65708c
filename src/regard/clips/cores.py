"""How many processor cores this process may really use, and how it starts others on them."""

import os
from multiprocessing import get_all_start_methods
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

START_METHOD = "fork" if "fork" in get_all_start_methods() else "spawn"
"""Workers are forked where the system can. Sources open their files anew in each process, which is all that FFmpeg asks
for: 30 loaders forked beside a thread that kept four multi-threaded decoders busy gave all their batches. On two busy
cores a forked loader's first batch took 1.7 s; with a fork server 8.4 s, with spawn 11.7 s."""


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores that the scheduler and the container's quota leave to this process, shared with its sister processes.

    A machine's core count says nothing inside a container or a batch job. torchrun's LOCAL_WORLD_SIZE processes on one
    machine share its cores.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    cores = affinity if quota is None else min(affinity, quota)
    return max(1, int(cores) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _quota(cgroup: Path) -> float | None:
    """Cores by the control group's time quota, version 2 or 1; None where there is no limit."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return max(1.0, float(quota) / float(period)) if quota != "max" and float(quota) > 0 else None
    except (OSError, ValueError):
        return None

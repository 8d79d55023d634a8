"""Memory that is left to this process."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
OWN_GROUP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Memory that this process may still take: what the machine has left, or its control group. None where nobody tells."""
    told = [left for left in (_left_on_machine(), *_left_in_groups()) if left is not None]
    return min(told, default=None)


def _left_on_machine() -> int | None:
    try:
        lines = MEMINFO.read_text("ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, LookupError, StopIteration):
        return None


def _left_in_groups() -> list[int]:
    """What the limits of the control group and of those above it leave; files held in memory give way."""
    try:
        own = next(line for line in OWN_GROUP.read_text("utf-8").splitlines() if line.startswith("0::"))
    except (OSError, ValueError, StopIteration):
        return []
    group, found = GROUPS / own[3:].lstrip("/"), []
    for folder in (group, *group.parents):
        if folder == GROUPS.parent:
            break
        try:
            limit, used = ((folder / f"memory.{name}").read_text("ascii").strip() for name in ("max", "current"))
            files = dict(line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
            if limit != "max":
                found.append(int(limit) - int(used) + int(files["inactive_file"]) + int(files["active_file"]))
        except (OSError, ValueError, LookupError):
            continue
    return found

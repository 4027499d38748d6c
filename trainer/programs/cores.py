"""Is a core our own? Told by what the kernel says of it while we do nothing."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["core_use"]

STAT = Path("/proc/stat")
SAMPLE_SECONDS = 0.2
_IDLE = (3, 4)
"""idle and iowait, of the columns of /proc/stat (proc(5))"""


def core_use(core: int, seconds: float = SAMPLE_SECONDS, stat: Path = STAT) -> float:
    """The share of ``seconds`` in which ``core`` was used, by whoever: 0 to 1, in steps of the
    kernel's tick (0.05 for a fifth of a second). 0 where the kernel does not say."""
    first = _ticks(core, stat)
    time.sleep(seconds)
    second = _ticks(core, stat)
    if first is None or second is None:
        return 0.0
    passed = [b - a for a, b in zip(first, second, strict=True)]
    total = sum(passed)
    return 1.0 - sum(passed[x] for x in _IDLE) / total if total > 0 else 0.0


def _ticks(core: int, stat: Path) -> list[int] | None:
    try:
        for line in stat.read_text().splitlines():
            name, *values = line.split()
            if name == f"cpu{core}":
                # Guest time is counted in user time already.
                return [int(x) for x in values[:8]]
    except (OSError, ValueError):
        return None
    return None

"""One contender in a process of its own: it prepares, proves itself right, then runs on demand.

In one process two libraries' idle threads would spin beside each other's work. The parent writes a
number of steps to standard input; the answer is one line of JSON: the seconds of each, and the
peak memory of the process.

    python -m benchmarks.worker TASK THREADS CONTENDER ARGUMENT...
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from importlib import import_module
from pathlib import Path


def main(task: str, threads: int, name: str, *arguments: str) -> None:
    """Serve `benchmarks.tasks.TASK` until standard input ends.

    Its `prepare(name, *arguments)` returns the step to be timed, and the largest relative error
    against the float64 reference (or None).
    """
    os.sched_setaffinity(0, range(threads))
    step, error = import_module(f"benchmarks.tasks.{task}").prepare(name, *arguments)
    print(json.dumps({"error": error}), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "peak_kib": _peak_kib()}), flush=True)


def _peak_kib() -> int:
    """The most memory that this process has had. Its ru_maxrss starts from what its parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])

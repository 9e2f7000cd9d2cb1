"""One contender in a process of its own: it prepares, proves itself right, then runs on demand.

In one process two libraries' idle threads would spin beside each other's work. The parent writes a
number of steps to standard input; the answer is one line of JSON with the seconds of each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from benchmarks.contenders import prepare
from benchmarks.problem import SIZES, make_problem
from benchmarks.reference import check


def main(name: str, size: str, causal: bool, threads: int, reference: str) -> None:
    """Serve one contender on one problem until standard input ends; no reference, no proof."""
    os.sched_setaffinity(0, range(threads))
    step, collect = prepare(name, make_problem(SIZES[size], causal))
    result = step()
    error = check(collect(result), Path(reference)) if reference else None
    del result
    print(json.dumps({"error": error}), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "peak_kib": peak}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "causal", int(sys.argv[4]), sys.argv[5])

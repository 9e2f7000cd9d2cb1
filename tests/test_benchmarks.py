"""Each contender's process finds the threads its name says, whatever the caller's shell has."""

import pytest

from benchmarks.contenders import CONTENDERS, environment


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_blas_s_or_our_own_and_never_both(name: str, threads: int) -> None:
    found = environment(name, threads)
    own = int(found.pop("TINYGRAD_TF_NUM_THREADS"))
    blas = {int(number) for number in found.values()}
    assert (own, blas) == ((threads, {1}) if "own threads" in name else (1, {threads}))

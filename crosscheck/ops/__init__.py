"""Every op alone, against PyTorch and against a finite difference: what `crosscheck ops` runs.

`cases/` is the one list of cases. `case.py` is a use of an op, and `examine.py` judges it;
`training.py` and `initial.py` are the same for optimisers and for initial values. `memory.py` sees
who writes into whose array, `difference.py` is the third witness, `outcome.py` is what came out,
and `table.py` prints it.
"""

"""What a worker can be asked to run. Each file has a `prepare`, see `benchmarks/worker.py`."""

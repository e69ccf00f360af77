"""Measurements that are kept with the code; run one with `python -m tests.benchmarks.NAME`."""

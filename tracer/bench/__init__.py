"""Benchmarks: programs in C (scenarios/c/bench/) run without probes and with them, in turns."""
